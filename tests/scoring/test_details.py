"""Scores that tell why, from prediction folders on disk: limits, kinds of objects, boxes that are not tight."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from psis_bench.scoring import as_csv, as_markdown, evaluation, score_predictions
from psis_bench.scoring.inputs.records import write_part
from psis_bench.scoring.masks.box_jitter import jittered_boxes
from psis_bench.scoring.results.scores import Scores
from psis_bench.scoring.results.table import score_table
from psis_bench.splits.protocol import SplitProtocol

HEIGHT, WIDTH = 200, 150
SPLIT = SplitProtocol(name="pets", version=1, seen=("cat",), unseen=("bus",), description="")


def rectangle(x, y, w, h):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[max(y, 0) : y + h, max(x, 0) : x + w] = True
    return mask


def string_of(mask):
    from pycocotools import mask as coco_mask

    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


# Image, class, box: a small compact cat, a tall medium bus, a wide large bus, a compact cat.
OBJECTS = ((1, 1, (5, 5, 20, 25)), (1, 2, (60, 5, 40, 100)), (2, 2, (5, 5, 140, 70)), (2, 1, (5, 120, 52, 50)))


@pytest.fixture
def folder(tmp_path):
    """Boxes are exact; masks lack a quarter of their columns, on moved boxes a half."""
    truth = {
        "images": [{"id": image, "file_name": f"{image}.jpg", "height": HEIGHT, "width": WIDTH} for image in (1, 2)],
        "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 2, "name": "bus"}],
        "annotations": [
            {
                "id": place,
                "image_id": image,
                "category_id": category,
                "bbox": list(box),
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": string_of(rectangle(*box))},
            }
            for place, (image, category, box) in enumerate(OBJECTS, 1)
        ],
    }
    (tmp_path / "val.json").write_text(json.dumps(truth))
    for name, share in (("detections", 3), ("gt_box_masks", 3), ("jittered_boxes_0.1", 2), ("jittered_boxes_0.25", 1)):
        rows = []
        for place, (image, category, (x, y, w, h)) in enumerate(OBJECTS, 1):
            mask = string_of(rectangle(x, y, w * share // 4, h))
            row = {"image_id": image, "category_id": category, "height": HEIGHT, "width": WIDTH, "mask": mask}
            more = {"score": 0.9, "bbox": [x, y, w, h]} if name == "detections" else {"annotation_id": place}
            rows.append({**row, **more})
        write_part(tmp_path / "found" / name, 0, rows, kind="detections" if name == "detections" else "gt_box_masks")
    return tmp_path


def scored(folder, **options) -> Scores:
    return score_predictions(folder / "found", annotations=folder / "val.json", split=SPLIT, **options)


def test_what_limits_mask_ap_is_told_when_asked_for(folder) -> None:
    assert scored(folder).groups["unseen"].limits is None
    scores = scored(folder, details=True, out=folder / "out")
    # IoU 3/4 and, of the bus of 140 columns, 105/140: right at the thresholds 0.50 to 0.75.
    for name in ("seen", "unseen"):
        limits = scores.groups[name].limits
        assert scores.groups[name].mask.ap == pytest.approx(0.6)
        assert (limits.best_masks, limits.gt_boxes) == (1, pytest.approx(0.6))
        assert (limits.mask_error, limits.detection_error) == (pytest.approx(0.4), pytest.approx(0))
    assert "on unseen classes masks limit mask AP: 40.0 of the 40.0 that are lacking" in scores.notes
    assert Scores.from_dict(json.loads((folder / "out" / "scores.json").read_text())) == scores
    markdown = as_markdown(scores)
    assert "| mask AP, best masks for its boxes | 100.0 | 100.0 | 100.0 |" in markdown
    assert "| lost to masks, what limits mask AP | 40.0 | 40.0 | 40.0 |" in markdown


def test_masks_by_kind_of_object(folder) -> None:
    assert scored(folder).mask_quality == ()
    content = scored(folder, details=True, boundary=True).to_dict()["mask_quality"]
    rows = {(row["axis"], row["part"], row["group"]): row for row in content}
    assert [key[1] for key in rows if key[0] == "size" and key[2] == "all"] == ["small", "medium", "large"]
    assert rows["size", "small", "seen"]["instances"] == 1
    assert rows["aspect", "wide", "unseen"]["gt_box_miou"] == {"class_mean": 0.75, "instance_mean": 0.75}
    assert rows["aspect", "compact", "seen"]["full_box"]["class_mean"] == 1.0
    assert {key[1] for key in rows if key[0] == "supercategory"} == {"animal"}
    assert ("size", "small", "unseen") not in rows
    assert 0 < rows["size", "large", "all"]["boundary_miou"]["class_mean"] < 0.75


def test_masks_by_kind_of_object_are_in_every_form_of_the_result(folder) -> None:
    scores = scored(folder, details=True, boundary=True)
    rows = {row.pop("score"): row for row in csv.DictReader(as_csv(scores).splitlines())}
    for part in scores.to_dict()["mask_quality"]:
        place = f"mask_quality.{part['axis']}.{part['part']}"
        assert rows[f"{place}.instances"][part["group"]] == str(part["instances"])
        for name in ("gt_box_miou", "full_box", "ellipse", "boundary_miou"):
            for mean, value in part[name].items():
                assert rows[f"{place}.{name}.{mean}"][part["group"]] == repr(value)
    assert rows["mask_quality.size.small.instances"]["unseen"] == ""
    # Of the one wide object, a box of 140 columns, 105 are predicted; a full box is exact.
    markdown = as_markdown(scores)
    assert "| aspect: wide | 1 | - | 75.0 (100.0) | 75.0 (100.0) |" in markdown
    assert "| supercategory: animal | 2 | 75.0 (100.0) | - | 75.0 (100.0) |" in markdown
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(score_table(scores))
    lines = [[cell.strip() for cell in line.split("│")] for line in console.export_text().splitlines()]
    assert ["", "wide", "1", "-", "75.0 (100.0)", "75.0 (100.0)", ""] in lines
    assert "aspect" not in as_markdown(scored(folder))


def test_masks_on_moved_boxes_stand_beside_the_tight_ones(folder) -> None:
    scores = scored(folder, out=folder / "out")
    found = scores.groups["seen"].jittered.strengths
    assert list(found) == ["0.1", "0.25"]
    assert (found["0.1"].class_mean, found["0.25"].instance_mean) == (
        pytest.approx(0.5),
        0.25,
    )
    boxes = np.array([box for _, category, box in OBJECTS if category == 1], float)
    moved = jittered_boxes(boxes, np.array([1, 4]), np.tile([HEIGHT, WIDTH], (2, 1)), strength=0.25)
    overlaps, fills = [], []
    for (x, y, w, h), (x2, y2, w2, h2) in zip(boxes, moved, strict=True):
        common = max(min(x + w, x2 + w2) - max(x, x2), 0) * max(min(y + h, y2 + h2) - max(y, y2), 0)
        overlaps.append(common / (w * h + w2 * h2 - common))
        centres = np.stack(np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5), axis=-1)
        filled = ((centres >= [x2, y2]) & (centres < [x2 + w2, y2 + h2])).all(axis=-1)
        drawn = rectangle(*(int(side) for side in (x, y, w, h)))
        fills.append((filled & drawn).sum() / (filled | drawn).sum())
    assert found["0.25"].box_iou == pytest.approx(np.mean(overlaps), abs=1e-12)
    assert found["0.25"].full_box == pytest.approx(np.mean(fills), abs=1e-12)
    columns = pq.read_table(folder / "out" / "per_instance.parquet").to_pydict()
    assert columns["iou_jittered_0.1"] == [0.5] * 4
    assert columns["box_width"] == [20, 40, 140, 52]
    assert Scores.from_dict(json.loads((folder / "out" / "scores.json").read_text())) == scores
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(score_table(scores))
    line = next(line for line in console.export_text().splitlines() if "boxes moved by 10 %" in line)
    assert [cell.strip() for cell in line.split("│")[2:5]] == ["50.0", "50.0", "50.0"]


def test_results_without_masks_on_boxes_have_the_best_masks_alone(folder) -> None:
    results = [
        {"image_id": image, "category_id": category, "score": 0.5, "bbox": list(box),
         "segmentation": {"size": [HEIGHT, WIDTH], "counts": string_of(rectangle(*box))}}
        for image, category, box in OBJECTS
    ]  # fmt: skip
    scores = score_predictions(results, annotations=folder / "val.json", split=SPLIT, details=True)
    assert scores.groups["all"].limits.best_masks == 1
    assert scores.groups["all"].limits.gt_boxes is None
    assert scores.mask_quality == ()
    assert sum(note.startswith("details left out") for note in scores.notes) == 1
    markdown = as_markdown(scores)
    assert "| mask AP, best masks for its boxes | 100.0 |" in markdown
    assert "ground-truth boxes | -" not in markdown
    assert "lost to" not in markdown
    boxes = [{key: row[key] for key in row if key != "segmentation"} for row in results]
    notes = score_predictions(boxes, annotations=folder / "val.json", split=SPLIT, details=True).notes
    assert sum(note.startswith("details left out") for note in notes) == 1


def test_perfect_predictions_have_no_sentence_on_what_limits_them(folder) -> None:
    rows = pq.read_table(folder / "found" / "gt_box_masks" / "part-00000.parquet").to_pylist()
    exact = [{**row, "mask": string_of(rectangle(*box))} for row, (_, _, box) in zip(rows, OBJECTS, strict=True)]
    write_part(folder / "found" / "gt_box_masks", 0, exact, kind="gt_box_masks")
    found = [
        {**{key: row[key] for key in row if key != "annotation_id"}, "score": 0.9, "bbox": list(box)}
        for row, (_, _, box) in zip(exact, OBJECTS, strict=True)
    ]
    write_part(folder / "found" / "detections", 0, found, kind="detections")
    scores = scored(folder, details=True)
    assert scores.groups["unseen"].mask.ap == 1
    assert scores.groups["unseen"].limits.mask_error == 0
    assert not any("mask AP" in note for note in scores.notes)


def test_details_change_no_number_and_read_the_masks_once(folder, monkeypatch) -> None:
    read = []
    original = evaluation.read_parts
    monkeypatch.setattr(
        evaluation, "read_parts", lambda path, kind: read.append(path.name) or original(path, kind=kind)
    )
    plain = scored(folder, boundary=True)
    assert read == ["gt_box_masks"]
    detailed = scored(folder, boundary=True, details=True)
    assert read == ["gt_box_masks"] * 2
    for name, group in detailed.groups.items():
        assert replace(group, limits=None) == plain.groups[name]
