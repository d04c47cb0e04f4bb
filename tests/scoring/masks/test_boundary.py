from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench.rle import counts_of
from psis_bench.run_lengths import concatenate
from psis_bench.scoring.masks.boundary import (
    boundary_iou,
    boundary_ious,
    boundary_of,
    boundary_width,
    crop_of,
    mask_boxes,
)


def eroded(mask: np.ndarray, times: int) -> np.ndarray:
    """Erode a full-size mask with 3 x 3 ones, one time after the other; outside the image nothing is inside."""
    height, width = mask.shape
    for _ in range(times):
        around = np.zeros((height + 2, width + 2), bool)
        around[1:-1, 1:-1] = mask
        mask = mask.copy()
        for row in range(3):
            for column in range(3):
                mask &= around[row : row + height, column : column + width]
    return mask


def slow_boundary_iou(first: np.ndarray, second: np.ndarray) -> float:
    height, width = first.shape
    times = max(round(0.02 * np.sqrt(height**2 + width**2)), 1)
    outlines = [mask & ~eroded(mask, times) for mask in (first, second)]
    union = int((outlines[0] | outlines[1]).sum())
    return int((outlines[0] & outlines[1]).sum()) / union if union else 0.0


def rle_of(mask: np.ndarray) -> dict:
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode()}


def shapes(seed: int) -> list[np.ndarray]:
    """Full, empty, cut off by the image, thin, with a hole, and in two parts; all of one size."""
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.integers(1, 90, 2))
    y, x = np.mgrid[:height, :width]
    centre, radius = random.random(2) * (height, width), random.random() * max(height, width)
    distance = np.hypot(y - centre[0], x - centre[1])
    corner = np.zeros((height, width), bool)
    corner[height // 3 :, width // 4 :] = True
    found = [np.ones((height, width), bool), np.zeros((height, width), bool), distance < radius, corner]
    found += [abs(y - centre[0]) < 2, (distance < radius) & (distance > radius / 3), (distance < radius) ^ corner]
    return [*found, random.random((height, width)) < 0.97]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(480, 640, 16), (375, 500, 12), (500, 375, 12), (427, 640, 15), (1024, 1024, 29), (3, 3, 1), (1, 1, 1)],
)
def test_the_width_is_two_percent_of_the_diagonal_rounded_half_to_even(height, width, expected):
    assert boundary_width(height, width) == expected


def test_a_boundary_equals_repeated_erosion():
    for seed in range(20):
        for mask in shapes(seed):
            for width in (1, 2, 5):
                assert np.array_equal(boundary_of(mask, width), mask & ~eroded(mask, width))


def test_every_pair_of_shapes_equals_the_slow_definition():
    compared = set()
    for seed in range(25):
        masks = shapes(seed)
        pairs = [(first, second) for first in range(len(masks)) for second in range(len(masks))]
        runs = [counts_of(rle_of(mask)) for mask in masks]
        sizes = np.tile(np.array([masks[0].shape], np.int64), (len(pairs), 1))
        sides = (concatenate([runs[pair[side]] for pair in pairs]) for side in (0, 1))
        found = boundary_ious(*sides, sizes)
        expected = [slow_boundary_iou(masks[first], masks[second]) for first, second in pairs]
        assert found.tolist() == expected
        compared |= set(expected)
    assert len(compared) > 300


def test_real_masks_equal_the_slow_definition(coco_mini, ground_truth):
    arrays = ground_truth(coco_mini.truth)
    rows = {row["annotation_id"]: row for row in coco_mini.masks}
    chosen = arrays.instances[::20]
    predicted = [rows[int(arrays.annotation_ids[place])] for place in chosen]
    rles = [{"size": [row["height"], row["width"]], "counts": row["mask"]} for row in predicted]
    sizes = arrays.sizes_of(arrays.images[chosen])
    masks = arrays.instance_masks.take(np.arange(0, len(arrays.instances), 20))
    found = boundary_ious(concatenate([counts_of(rle) for rle in rles]), masks, sizes)
    drawn = [{"size": rle["size"], "counts": arrays.strings[place]} for rle, place in zip(rles, chosen, strict=True)]
    decoded = [[coco_mask.decode(rle).astype(bool) for rle in pair] for pair in zip(rles, drawn, strict=True)]
    assert found.tolist() == [slow_boundary_iou(*pair) for pair in decoded]
    assert len(found) == 122
    assert 0.2 < found.mean() < 0.8


def test_crops_hold_every_pixel_and_boxes_are_tight():
    for seed in range(25):
        masks = shapes(seed)
        height = masks[0].shape[0]
        runs = concatenate([counts_of(rle_of(mask)) for mask in masks])
        boxes = mask_boxes(runs, np.full(len(masks), height))
        for index, mask in enumerate(masks):
            x, y, across, down = boxes[index].tolist()
            assert np.array_equal(crop_of(runs[index], boxes[index], height=height), mask[y : y + down, x : x + across])
            assert mask[y : y + down, x : x + across].sum() == mask.sum()
            columns = np.flatnonzero(mask.any(axis=0))
            assert across == (columns[-1] + 1 - columns[0] if len(columns) else 0)
            tight = coco_mask.toBbox(rle_of(mask)).tolist()
            assert boxes[index].tolist() in (tight, [tight[0], 0, tight[2], height])


def test_runs_of_no_pixels_are_no_pixels():
    plain, with_empty = {"size": [4, 6], "counts": [5, 3, 16]}, {"size": [4, 6], "counts": [5, 2, 0, 1, 16, 0, 0, 0]}
    assert boundary_iou(plain, with_empty) == 1.0
    box = mask_boxes(concatenate([counts_of(with_empty)]), np.array([4]))[0]
    assert box.tolist() == [1, 1, 1, 3]
    assert crop_of(counts_of(with_empty), box, height=4).all()


def test_masks_of_two_sizes_cannot_be_compared():
    with pytest.raises(ValueError, match=r"sizes \(4, 6\) and \(6, 4\) cannot be compared"):
        boundary_iou({"size": [4, 6], "counts": [24]}, {"size": [6, 4], "counts": [24]})
