"""Notes on detections that are legal and hardly meant; honest ones have none, however loose their boxes are."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from psis_bench.scoring.inputs.detections import read_detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth
from psis_bench.scoring.inputs.plausibility import notes_on
from psis_bench.scoring.inputs.records import records_of_results

Notes = Callable[[dict[str, Any], list[dict[str, Any]]], list[str]]
BEYOND = "boxes reach far beyond their image: bbox is x, y, width, height in pixels of the original image"
CORNERS = "boxes reach far beyond their image: they look like x1, y1, x2, y2; bbox is x, y, width, height in pixels"


@pytest.fixture
def notes(ground_truth: Callable[..., GroundTruth]) -> Notes:
    def read(truth: dict[str, Any], results: list[dict[str, Any]]) -> list[str]:
        arrays = ground_truth(truth)
        return notes_on(read_detections(records_of_results(results, sizes=arrays.sizes), arrays), arrays)

    return read


def images_with(objects: int, *, empty: int = 0) -> dict[str, Any]:
    count = objects + empty
    return {
        "images": [{"id": image, "height": 100, "width": 200} for image in range(count)],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": image, "image_id": image, "category_id": 1, "bbox": [0, 0, 20, 20], "segmentation": []}
            for image in range(objects)
        ],
    }


def found_in(*images: int, box: tuple[float, ...] = (0, 0, 20, 20)) -> list[dict[str, Any]]:
    return [{"image_id": image, "category_id": 1, "score": 0.5, "bbox": list(box)} for image in images]


def test_images_with_objects_and_no_detection_are_counted_above_a_tenth(notes: Notes) -> None:
    truth = images_with(20, empty=30)
    assert notes(truth, found_in(*range(20))) == []
    assert notes(truth, found_in(*range(18))) == []
    assert notes(truth, found_in(*range(17))) == ["3 of the 20 images that have objects have no detection"]
    assert notes(truth, found_in(*range(20, 50))) == ["20 of the 20 images that have objects have no detection"]
    assert notes(truth, []) == ["20 of the 20 images that have objects have no detection"]
    assert notes(images_with(0, empty=5), []) == []
    # A crowd alone is no object that a detector has to find.
    crowds = {**truth, "annotations": [{**row, "iscrowd": int(row["id"] >= 10)} for row in truth["annotations"]]}
    assert notes(crowds, found_in(*range(10))) == []


def test_boxes_far_beyond_their_image_are_counted_from_a_fifth(notes: Notes) -> None:
    truth = images_with(10)
    inside = found_in(*range(10), box=(50, 50, 20, 20))
    for box in ((-21, 0, 30, 30), (0, -11, 30, 30), (190, 0, 31, 30), (0, 90, 30, 21)):
        assert notes(truth, inside[:8] + found_in(8, 9, box=box)) == [f"2 of 10 {BEYOND}"]
        assert notes(truth, inside[:9] + found_in(9, box=box)) == []
    for box in ((-20, -10, 30, 30), (190, 90, 30, 20), (-20, -10, 240, 120)):
        assert notes(truth, found_in(*range(10), box=box)) == []


def test_of_real_objects_only_corners_and_other_pixels_are_noted(coco_mini: SimpleNamespace, notes: Notes) -> None:
    random = np.random.default_rng(3)
    rows = [row for row in coco_mini.truth["annotations"] if not row["iscrowd"]]
    boxes = np.array([row["bbox"] for row in rows])

    def told(changed: np.ndarray) -> list[str]:
        results = [
            {"image_id": row["image_id"], "category_id": row["category_id"], "score": 0.5, "bbox": box}
            for row, box in zip(rows, changed.tolist(), strict=True)
        ]
        return notes(coco_mini.truth, results)

    assert told(boxes) == []
    # A detector that cuts nothing off, and whose boxes are a third of their size away.
    loose = boxes + random.normal(0, 0.3, boxes.shape) * np.tile(boxes[:, 2:], 2)
    loose[:, 2:] = np.maximum(loose[:, 2:], 0)
    assert told(loose) == []
    close = boxes + random.normal(0, 0.05, boxes.shape) * np.tile(boxes[:, 2:], 2)
    for given in (boxes, close):
        corners = np.concatenate([given[:, :2], given[:, :2] + given[:, 2:]], axis=1)
        (note,) = told(corners)
        assert CORNERS in note
    (note,) = told(boxes * 2)  # of an image that was resized
    assert note.endswith(BEYOND)
    assert notes(coco_mini.truth, coco_mini.results) == []
