"""What limits mask AP, moved boxes and kinds of objects on the page of a run."""

from __future__ import annotations

import json
import re
from typing import Any

from psis_bench.report.details import limit_rows, moved_boxes, quality_tables


def test_the_page_shows_what_the_scores_tell(make_run: Any) -> None:
    run = make_run(images=4)
    scores = json.loads((run.directory / "scores.json").read_text())
    for shift, group in enumerate(scores["groups"].values()):
        group["limits"] = {"best_masks": 0.5, "gt_boxes": 0.6, "mask_error": 0.111, "detection_error": 0.222}
        means = {"box_iou": 0.8, "class_mean": 0.4321 - shift / 100, "instance_mean": 0.4, "full_box": 0.3}
        group["jittered"] = {"0.2": means, "0.1": {**means, "class_mean": 0.5}}
    mean = {"class_mean": 0.345, "instance_mean": 0.3}
    part = {"classes": 3, "instances": 1234, "gt_box_miou": mean, "full_box": {**mean, "class_mean": 0.2}}
    kind = {"axis": "aspect", "part": "wide", **part, "ellipse": {**mean, "class_mean": 0.277}}
    scores["mask_quality"] = [
        {**kind, "group": "unseen"},
        {**kind, "group": "seen", "axis": "supercategory", "part": "<b>"},
    ]
    run.edit_json("scores.json", **scores)
    html = run.build()
    text = re.sub(r"<[^>]+>", " ", html)
    text = re.sub(r"\s+", " ", text)
    assert "What limits mask AP" in text
    assert "50.0 60.0 22.2 11.1" in text
    assert text.index("boxes moved by 10 %") < text.index("boxes moved by 20 %")
    assert "boxes moved by 20 % 43.2" in text
    assert "Shape: wide" in text
    assert "34.5 27.7 1 234" in text
    assert "&lt;b&gt;" in html


def test_without_them_the_page_is_as_before(make_run: Any) -> None:
    html = make_run(images=4).build()
    assert "What limits mask AP" not in html
    assert "Masks by kind of object" not in html
    assert limit_rows({"all": {"mask": None}, "seen": None}) == []
    assert moved_boxes({"all": {}, "unseen": None}) == []
    assert quality_tables({}) == []
