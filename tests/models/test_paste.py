"""Pasting a crop at its box, against MMDetection's `_do_paste_mask` over the whole image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask

from psis_bench.models.paste import paste_crop

HEIGHT, WIDTH = 23, 31


def random_boxes(generator: np.random.Generator, count: int) -> np.ndarray:
    """Boxes of every kind: inside, cut by each edge, beyond it, thinner than a pixel, larger than the image."""
    centre = generator.uniform((-6, -6), (WIDTH + 6, HEIGHT + 6), (count, 2))
    half = generator.uniform(0.05, 12, (count, 2))
    half[::4] = generator.uniform(0.01, 0.6, (len(half[::4]), 2))
    half[1::50] *= 8
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    boxes[2::7] = np.round(boxes[2::7])
    boxes[3::7] = np.clip(boxes[3::7], 0, (WIDTH, HEIGHT) * 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 0.01)
    return boxes


@pytest.mark.parametrize("side", [1, 2, 7, 28])
def test_equals_mmdetection(side: int) -> None:
    generator = np.random.default_rng(side)
    boxes = random_boxes(generator, 1000).astype(np.float32)
    crops = generator.random((len(boxes), side, side)).astype(np.float32)
    crops[::3] = crops[::3] > 0.5  # as saturated as a trained head's
    expected, _ = _do_paste_mask(torch.from_numpy(crops)[:, None], torch.from_numpy(boxes), HEIGHT, WIDTH, False)
    marked, undecided = 0, 0
    for crop, box, values in zip(crops, boxes, expected.numpy(), strict=True):
        placed = paste_crop(crop, tuple(box.tolist()), height=HEIGHT, width=WIDTH)
        whole = np.zeros((HEIGHT, WIDTH), dtype=bool)
        rows, columns = placed.mask.shape
        whole[placed.y : placed.y + rows, placed.x : placed.x + columns] = placed.mask
        # MMDetection computes places in float32: off by some 2^-19 of a pixel, times the crop's cells in a pixel.
        decided = np.abs(values - 0.5) > 1e-6 + 2**-19 * side / min(box[2:] - box[:2])
        assert np.array_equal(whole[decided], values[decided] > 0.5)
        marked += whole.sum()
        undecided += (~decided).sum()
    assert marked > 5000
    assert undecided < marked / 20


def test_a_full_crop_marks_the_pixels_whose_centres_are_inside() -> None:
    placed = paste_crop(np.ones((4, 4), np.float32), (1.4, 2.6, 3.6, 4.4), height=10, width=10)
    # Columns 1.5, 2.5, 3.5 and row 3.5 are inside; 2.5 and 4.5 are not.
    assert (placed.x, placed.y, placed.mask.shape) == (1, 3, (1, 3))
    assert placed.mask[0, 1]


@pytest.mark.parametrize(
    "box", [(40.0, 3.0, 50.0, 9.0), (-9.0, 3.0, -1.0, 9.0), (2.6, 2.0, 3.4, 9.0), (5.0, 5.0, 5.0, 5.0)]
)
def test_a_box_without_a_pixel_centre_is_an_empty_mask(box: tuple[float, float, float, float]) -> None:
    placed = paste_crop(np.ones((4, 4), np.float32), box, height=HEIGHT, width=WIDTH)
    assert placed.mask.size == 0


def test_strictly_above_the_threshold() -> None:
    even = np.full((2, 2), 0.5, np.float32)
    assert not paste_crop(even, (0, 0, 8, 8), height=8, width=8).mask.any()
    inner = paste_crop(even + 0.25, (0, 0, 8, 8), height=8, width=8, threshold=0.7).mask
    # 0.75 inside; towards the border it falls to half of that.
    assert inner[3, 3]
    assert not inner[0, 0]


def test_a_threshold_below_a_half_is_refused() -> None:
    with pytest.raises(ValueError, match=r"below 0\.5"):
        paste_crop(np.ones((4, 4), np.float32), (0, 0, 4, 4), height=8, width=8, threshold=0.49)
