"""Trained on COCO's classes, scored on an annotation file of LVIS that has other names for them and further classes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pyarrow import parquet
from tiny_data import TinyData

from psis_bench.cli import main
from psis_bench.splits.categories import COCO_CATEGORIES

# In LVIS's order and under its kind of names; a unicorn takes the place of the kite, a giraffe that of nothing.
LVIS = [
    {"id": 3, "name": "dog_(animal)", "synset": "dog.n.01", "frequency": "f"},
    {"id": 7, "name": "giraffe", "synset": "giraffe.n.01", "frequency": "f"},
    {"id": 11, "name": "person_(human)", "synset": "person.n.01", "frequency": "f"},
    {"id": 12, "name": "unicorn", "synset": "unicorn.n.01", "frequency": "r"},
    {"id": 40, "name": "zebra", "synset": "zebra.n.01", "frequency": "c"},
]
LVIS_IDS = {18: 3, 1: 11, 38: 12, 24: 40}


@pytest.fixture
def arguments(tiny: TinyData) -> list[str]:
    tiny.train["categories"] = [{"id": id_, "name": name} for id_, name in COCO_CATEGORIES.items()]
    tiny.val["categories"] = [dict(entry) for entry in LVIS]
    tiny.val["annotations"] = [row for row in tiny.val["annotations"] if not row.get("iscrowd")]
    for row in tiny.val["annotations"]:
        row["category_id"] = LVIS_IDS[row["category_id"]]
    for image in tiny.val["images"]:
        image |= {"neg_category_ids": [7], "not_exhaustive_category_ids": []}
    tiny.write()
    given = tiny.arguments("deep_marc/small", "mask_head=resnet4", iterations=2)
    return ["split=coco2lvis" if argument.startswith("split=") else argument for argument in given]


@pytest.mark.slow
def test_masks_on_lvis_boxes_are_scored_for_coco_classes_and_new_ones(tiny: TinyData, arguments: list[str]) -> None:
    assert main(["run", *arguments]) == 0
    folder = tiny.folder / "run"
    scores = json.loads((folder / "scores.json").read_text())
    # The model has a detector, of COCO's classes: it is left aside.
    assert not (folder / "predictions" / "detections").exists()
    groups = scores["groups"]
    assert {name: group["classes"] for name, group in groups.items()} == {
        "all": 5, "seen": 4, "unseen": 1, "frequent": 3, "common": 1, "rare": 1,
    }  # fmt: skip
    assert groups["unseen"]["mask"] is None
    assert "detection AP left out: under this split a run predicts masks on ground-truth boxes alone" in scores["notes"]
    assert sum(note.startswith("76 of COCO's 80 classes have no category") for note in scores["notes"]) == 1
    rows = parquet.read_table(folder / "per_instance.parquet").to_pandas()
    assert set(rows["category_id"]) == {3, 11, 12, 40}
    of_class = rows.groupby("category_id")["iou"].mean()
    expected = {
        "seen": of_class[[3, 11, 40]].mean(),
        "unseen": of_class[12],
        "rare": of_class[12],
        "common": of_class[40],
    }
    found = {name: groups[name]["gt_box_miou"]["class_mean"] for name in expected}
    assert found == {name: pytest.approx(float(value), abs=1e-12) for name, value in expected.items()}
    assert np.isfinite(list(found.values())).all()
    assert (folder / "report.html").is_file()


@pytest.mark.slow
def test_a_file_without_synsets_is_refused_before_the_training(tiny: TinyData, arguments: list[str], capsys) -> None:
    for entry in tiny.val["categories"]:
        del entry["synset"]
    tiny.write()
    assert main(["run", *arguments]) == 2
    assert "the categories have no synset, by which split 'coco2lvis' knows COCO's classes" in capsys.readouterr().err
    assert not list((tiny.folder / "run").glob("checkpoints/*"))
