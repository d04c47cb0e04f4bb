"""What passes as columns passes record by record, too, and says the same; what has a fault does not pass."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psis_bench.data.coco_columns import columns_of
from psis_bench.data.coco_rules import AnnotationRules, check_images

SIZES = {1: (10, 20), 2: (30, 8)}
GOOD: list[dict[str, Any]] = [
    {"id": 5, "image_id": 1, "category_id": 3, "bbox": [0, 0, 6, 10.5], "segmentation": [[0, 0, 6, 0, 6, 10]]},
    {"id": 0, "image_id": 2, "category_id": 4, "bbox": [-1.5, 2, 4, 5], "area": 7, "iscrowd": 0, "segmentation": None},
    {
        "id": -2,
        "image_id": 1,
        "category_id": 4,
        "bbox": [1, 1, 2, 2],
        "area": 0.0,
        "iscrowd": 1,
        "segmentation": {"size": [10, 20], "counts": "d0n0f4"},
    },
    {"id": 9, "image_id": 2, "category_id": 3, "bbox": [1, 1, 2, 2], "segmentation": []},
    {
        "id": 10,
        "image_id": 2,
        "category_id": 3,
        "bbox": [1, 1, 2, 2],
        "segmentation": [[1, 1, 3, 1, 3, 3, 1.0, 3], [0, 0, 1, 0, 1, 1]],
    },
]


def columns(annotations: list[Any], **options: Any):
    return columns_of(annotations, **{"sizes": SIZES, "category_ids": {3, 4}, "masks": True, **options})


def faults(annotations: list[Any]) -> list[str]:
    """What the rules say, record by record."""
    found: list[str] = []
    rules = AnnotationRules(
        sizes=SIZES,
        category_ids={3, 4},
        report=lambda place, what, cure=None: found.append(f"{place}: {what}"),
        masks=True,
        drop_bad_boxes=False,
    )
    for place, record in enumerate(annotations):
        rules.check(place, record)
    rules.finish()
    return found


def test_columns_say_what_the_records_say():
    found = columns(GOOD)
    assert found is not None
    assert faults(GOOD) == []
    assert found.ids.tolist() == [5, 0, -2, 9, 10]
    assert found.images.tolist() == [1, 2, 1, 2, 2]
    assert found.categories.tolist() == [3, 4, 4, 3, 3]
    assert found.boxes.tolist() == [record["bbox"] for record in GOOD]
    assert [None if math.isnan(area) else area for area in found.areas] == [None, 7.0, 0.0, None, None]
    assert found.crowds.tolist() == [False, False, True, False, False]
    own = [[part.tolist() for part in parts] for parts in found.polygons]
    assert own == [record["segmentation"] if isinstance(record["segmentation"], list) else [] for record in GOOD]
    assert columns(GOOD, masks=False).polygons is None


FAULTS: dict[str, Any] = {
    "id": ["7", 7.0, True, None, 2**63, 0],
    "image_id": [3, "1", 1.0, None],
    "category_id": [5, "3", None],
    "bbox": [
        None, [], [1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, True], [0, 0, 0, 1], [0, 0, 1, -1], [20, 0, 1, 1], [0, 10, 1, 1],
        [-3, 0, 3, 1], [0, -3, 1, 3], [0, 0, 101, 1], [-81, 0, 90, 1], [0, 0, math.nan, 1], [0, 0, 1, math.inf],
        [0, 0, 1, 10**400],
    ],
    "area": [-1, "1", None, math.nan, math.inf, True],
    "iscrowd": [2, "0", None, [0]],
    "segmentation": [
        "polygon", 3, [1, 2, 3, 4, 5, 6], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], [[1, 2, 3, 4, 5, "6"]],
        [[1, 2, 3, 4, 5, None]], [[0, 0, 1, 0, 1, math.nan]], [[0, 0, 101, 0, 1, 1]], [[0, -81, 1, 0, 1, 1]],
        [[0, 0], 3], {"size": [10, 20], "counts": [20, 30, 151]}, {"size": [10, 20], "counts": [20, -30, 210]},
        {}, {"size": [10, 20]}, {"size": [20, 10], "counts": "d0n0f4"}, {"size": [10, 20], "counts": "d0n0f3"},
        {"size": [10, 20], "counts": "d0é"}, {"size": [10, 20], "counts": ""}, {"size": [10, 20.0], "counts": 3},
    ],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in FAULTS.items() for value in values])
def test_a_fault_does_not_pass(key, value):
    for place in range(len(GOOD)):
        annotations = copy.deepcopy(GOOD)
        if key == "id" and value == annotations[place]["id"]:
            continue
        annotations[place][key] = value
        assert columns(annotations) is None or not faults(annotations), place
    annotations = copy.deepcopy(GOOD)
    annotations[0][key] = value
    assert faults(annotations)
    assert columns(annotations) is None


def test_run_lengths_as_numbers_pass():
    annotations = copy.deepcopy(GOOD)
    annotations[2]["segmentation"]["counts"] = [20, 30, 150]
    assert columns(annotations) is not None


def test_a_missing_field_and_a_record_that_is_none_do_not_pass():
    for key in ("id", "image_id", "category_id", "bbox"):
        annotations = copy.deepcopy(GOOD)
        del annotations[3][key]
        assert columns(annotations) is None
    for record in (None, [], "x"):
        assert columns([*GOOD, record]) is None
    assert columns(GOOD, sizes={**SIZES, 2: (0, 0)}) is None


@pytest.mark.parametrize(
    "name", ["coco_mini/annotations/instances_val.json", "coco_tiny/annotations/instances_train.json"]
)
def test_real_annotations_pass(name, shared_data: Path):
    content = json.loads((shared_data / name).read_text())
    sizes = check_images(content["images"], lambda *fault: pytest.fail(str(fault)))
    ids = {category["id"] for category in content["categories"]}
    found = columns_of(content["annotations"], sizes=sizes, category_ids=ids, masks=True)
    assert found is not None
    assert np.array_equal(found.boxes, [record["bbox"] for record in content["annotations"]])
    of_polygons = [record for record in content["annotations"] if isinstance(record["segmentation"], list)]
    assert [sum(map(len, parts)) for parts in found.polygons if len(parts)] == [
        sum(map(len, record["segmentation"])) for record in of_polygons
    ]
