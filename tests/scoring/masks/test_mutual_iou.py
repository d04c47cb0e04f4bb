"""Objects that two annotation files have in common."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_annotations import annotation, file, rle, square
from pycocotools import mask as coco_mask

from psis_bench.scoring.masks.mutual_iou import mutual_iou, mutually_best


def test_objects_are_paired_by_their_boxes_and_compared_by_their_masks() -> None:
    half = np.zeros((40, 60))
    half[0:10, 0:5] = 1
    first = file(
        annotation(1, [square(0, 0, 10)], [0, 0, 10, 10]),
        annotation(2, [square(30, 10, 10)], [30, 10, 10, 10], category=2),
        annotation(3, [square(1, 1, 10)], [1, 1, 10, 10]),  # a rival for the first object, with the lesser box
    )
    second = file(
        annotation(8, rle(half), [0, 0, 10, 10]),
        annotation(9, [square(36, 10, 10)], [36, 10, 10, 10]),  # box IoU 40 / 160
        names=("kitten", "puppy"),
    )
    table = mutual_iou(first, second)
    assert table[["first_id", "second_id", "first_name", "second_name"]].to_numpy().tolist() == [
        [1, 8, "cat", "kitten"]
    ]
    assert table["mask_iou"].tolist() == [pytest.approx(0.5)]
    assert table["box_iou"].tolist() == [1.0]


def test_files_of_other_images_have_nothing_in_common() -> None:
    other = file(annotation(1, [square(0, 0, 10)], [0, 0, 10, 10], image_id=8))
    assert mutual_iou(file(annotation(1, [square(0, 0, 10)], [0, 0, 10, 10])), other).empty


@pytest.mark.parametrize("seed", range(20))
def test_pairs_equal_a_loop_over_groups_with_pycocotools(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups, others = random.integers(0, 5, 40), random.integers(1, 6, 30)
    # Few distinct boxes, so that there are ties.
    boxes, other_boxes = (random.integers(1, 4, (count, 4)).astype(float) * 3 for count in (40, 30))
    expected = []
    for group in range(6):
        ours, theirs = np.flatnonzero(groups == group), np.flatnonzero(others == group)
        if len(ours) and len(theirs):
            overlaps = np.asarray(coco_mask.iou(boxes[ours], other_boxes[theirs], [0] * len(theirs)))
            for place in range(len(ours)):
                best = int(overlaps[place].argmax())
                if overlaps[:, best].argmax() == place and overlaps[place, best] >= 0.5:
                    expected.append((int(ours[place]), int(theirs[best]), float(overlaps[place, best])))
    found = mutually_best(groups, boxes, others, other_boxes)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == sorted(expected)
    assert expected


def test_nothing_has_no_pairs() -> None:
    none, boxes = np.zeros(0, np.int64), np.zeros((0, 4))
    assert [len(column) for column in mutually_best(none, boxes, none, boxes)] == [0, 0, 0]
    assert len(mutually_best(np.array([1]), np.ones((1, 4)), none, boxes)[0]) == 0
