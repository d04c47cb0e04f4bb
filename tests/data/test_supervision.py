"""What is left of an annotation when its mask is withheld: the box, whole, and nothing made from the mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psis_bench.data.coco_format import read_coco
from psis_bench.data.supervision import restrict_masks
from psis_bench.splits import get_split

ANNOTATION = {
    "id": 5,
    "image_id": 7,
    "category_id": 3,
    "bbox": [1.5, 2.0, 10.0, 4.0],
    "iscrowd": 0,
    "area": 21.75,
    "segmentation": [[1.5, 2.0, 11.5, 2.0, 6.0, 6.0]],
    "thumbnail": "anything that could hold the mask",
}
SEEN, UNSEEN = frozenset({3}), frozenset({4})


def test_seen_class_stays_whole() -> None:
    assert restrict_masks(ANNOTATION, seen_ids=SEEN) == {**ANNOTATION, "has_mask": True}


def test_unseen_class_keeps_its_box_and_nothing_of_its_mask() -> None:
    before = json.dumps(ANNOTATION)
    assert restrict_masks(ANNOTATION, seen_ids=UNSEEN) == {
        "id": 5,
        "image_id": 7,
        "category_id": 3,
        "bbox": [1.5, 2.0, 10.0, 4.0],
        "iscrowd": 0,
        "area": 40.0,
        "has_mask": False,
    }
    assert json.dumps(ANNOTATION) == before


@pytest.mark.parametrize(
    "segmentation", [None, [], {"size": [8, 9], "counts": [72]}, {"size": [8, 9], "counts": "X2"}], ids=str
)
def test_seen_class_without_a_single_pixel_has_no_mask_and_keeps_its_box(segmentation: Any) -> None:
    annotation = {**ANNOTATION, "segmentation": segmentation, "area": 0}
    restricted = restrict_masks(annotation, seen_ids=SEEN)
    assert not restricted["has_mask"]
    assert "segmentation" not in restricted
    assert (restricted["bbox"], restricted["area"]) == (ANNOTATION["bbox"], 40.0)


def test_area_zero_of_a_seen_class_does_not_cost_the_box() -> None:
    # MMDetection passes over annotations whose area is not above 0.
    restricted = restrict_masks({**ANNOTATION, "area": 0}, seen_ids=SEEN)
    assert (restricted["has_mask"], restricted["area"]) == (True, 40.0)


def test_missing_area_of_a_seen_class_is_the_box_and_missing_iscrowd_stays_missing() -> None:
    annotation = {key: value for key, value in ANNOTATION.items() if key not in ("area", "iscrowd")}
    for seen_ids in (SEEN, UNSEEN):
        restricted = restrict_masks(annotation, seen_ids=seen_ids)
        assert restricted["area"] == 40.0
        assert "iscrowd" not in restricted


@given(
    segmentation=st.none()
    | st.lists(st.lists(st.floats(), max_size=8), max_size=3)
    | st.dictionaries(st.text(), st.text()),
    area=st.none() | st.floats(),
    extra=st.dictionaries(st.text(min_size=10), st.integers()),
)
def test_unseen_result_does_not_depend_on_the_mask(segmentation: Any, area: Any, extra: dict[str, int]) -> None:
    garbage = {**ANNOTATION, **extra, "segmentation": segmentation, "area": area}
    assert restrict_masks(garbage, seen_ids=UNSEEN) == restrict_masks(ANNOTATION, seen_ids=UNSEEN)


def test_whole_file_keeps_every_box_in_order(shared_data: Path) -> None:
    coco = read_coco(shared_data / "coco_tiny" / "annotations" / "instances_train.json")
    resolved = get_split("voc2nonvoc").resolve(coco.categories)
    restricted = [restrict_masks(annotation, seen_ids=resolved.seen_ids) for annotation in coco.annotations]
    for key in ("id", "image_id", "category_id", "bbox", "iscrowd"):
        assert [after[key] for after in restricted] == [before[key] for before in coco.annotations]
    for after in restricted:
        seen = after["category_id"] in resolved.seen_ids
        assert after["has_mask"] == seen == ("segmentation" in after)
        assert seen or after["area"] == after["bbox"][2] * after["bbox"][3]


def test_classes_of_neither_group_lose_their_masks_too() -> None:
    categories = [{"id": number, "name": name} for number, name in ((1, "person"), (3, "car"), (8, "truck"))]
    annotations = [{**ANNOTATION, "id": category["id"], "category_id": category["id"]} for category in categories]
    split = get_split("single_source/car")
    present = {category["name"] for category in categories}
    resolved = type(split)(
        name="x", version=1, seen=("car",), unseen=tuple(set(split.unseen) & present), description=""
    ).resolve(categories)
    assert resolved.group_of(1) == "other"
    restricted = [restrict_masks(annotation, seen_ids=resolved.seen_ids) for annotation in annotations]
    assert [after["has_mask"] for after in restricted] == [False, True, False]
