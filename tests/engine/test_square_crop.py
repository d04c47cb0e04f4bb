"""Square crops: what they show, and that boxes, masks and supervision stay together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from psis_bench.engine.square_crop import RandomSquareCrop, crop_border, square

HEIGHT, WIDTH = 40, 60
SCALES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)


def results() -> dict[str, Any]:
    """An image whose values are places, and boxes of one colour each with masks that fill them."""
    places = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    image = np.stack([places % 251, places % 241, places % 239], axis=2).astype(np.uint8) + 1
    boxes = np.array([[0, 0, 10, 8], [20, 10, 45, 30], [50, 30, 60, 40], [5, 35, 9, 40]], np.float32)
    masks = np.zeros((len(boxes), HEIGHT, WIDTH), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = 1
    return {
        "img": image,
        "gt_bboxes": HorizontalBoxes(boxes.copy()),
        "gt_bboxes_labels": np.arange(4),
        "gt_ignore_flags": np.array([False, True, False, False]),
        "gt_masks": BitmapMasks(masks, HEIGHT, WIDTH),
        "gt_has_mask": np.array([True, False, True, True]),
    }


@pytest.mark.parametrize("seed", range(40))
def test_everything_moves_together(seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002 - what transforms draw from
    before, after = results(), RandomSquareCrop(scales=SCALES, max_border=128).transform(results())
    side = after["img"].shape[0]
    assert after["img"].shape == (side, side, 3)
    assert after["img_shape"] == (side, side)
    assert any(math.isclose(side, int(scale * WIDTH)) for scale in SCALES)
    # Where a pixel of the crop comes from is written in it.
    row, column = np.argwhere(after["img"].any(axis=2))[0]
    (top, left), *_ = np.argwhere((before["img"] == after["img"][row, column]).all(axis=2)) - (row, column)
    for y, x in np.ndindex(side, side):
        inside = 0 <= y + top < HEIGHT and 0 <= x + left < WIDTH
        assert after["img"][y, x].tolist() == (before["img"][y + top, x + left].tolist() if inside else [0, 0, 0])
    moved = before["gt_bboxes"].tensor - torch.tensor([left, top, left, top])
    kept = [i for i, (x1, y1, x2, y2) in enumerate(moved.tolist()) if x2 > 0 and y2 > 0 and x1 < side and y1 < side]
    assert after["gt_bboxes_labels"].tolist() == kept
    assert after["gt_has_mask"].tolist() == [[True, False, True, True][i] for i in kept]
    assert after["gt_ignore_flags"].tolist() == [i == 1 for i in kept]
    assert torch.equal(after["gt_bboxes"].tensor, moved[kept].clamp(0, side))
    assert after["gt_masks"].masks.shape == (len(kept), side, side)
    for (x1, y1, x2, y2), mask in zip(after["gt_bboxes"].tensor.int().tolist(), after["gt_masks"].masks, strict=True):
        expected = np.zeros((side, side), np.uint8)
        expected[y1:y2, x1:x2] = 1
        assert np.array_equal(mask, expected)


def test_an_image_of_which_nothing_is_left_but_itself() -> None:
    """All boxes may be lost; what is there then is empty, not missing."""
    crop = RandomSquareCrop(scales=(0.1,), max_border=128)
    lost = 0
    for seed in range(20):
        np.random.seed(seed)  # noqa: NPY002 - what transforms draw from
        after = crop.transform(results())
        if not len(after["gt_bboxes"]):
            lost += 1
            assert after["gt_masks"].masks.shape == (0, 6, 6)
            assert after["gt_has_mask"].shape == (0,)
            assert after["gt_has_mask"].dtype == bool
    assert lost


@pytest.mark.parametrize(
    ("length", "border"), [(640, 128), (257, 128), (256, 128), (255, 64), (100, 32), (3, 1), (1, 0)]
)
def test_the_border_is_halved_until_it_is_at_most_half_of_the_side(length: int, border: int) -> None:
    assert crop_border(128, length) == border


def test_a_square_beyond_every_edge() -> None:
    cut = square(np.ones((2, 3, 1), np.uint8), top=-1, left=-2, side=6)
    assert cut[..., 0].sum() == 6
    assert cut[1:3, 2:5].all()
    assert not square(np.ones((2, 3, 1), np.uint8), top=5, left=-9, side=4).any()
