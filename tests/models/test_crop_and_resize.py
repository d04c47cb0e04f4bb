"""The official crop operator against its definition, computed point by point in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from numpy.typing import NDArray

from psis_bench.models.crop_and_resize import crop_and_resize, mask_targets
from psis_bench.models.paste import paste_crop

INSIDE = [[0, 3.0, 5.0, 41.0, 50.0], [1, 0.0, 0.0, 64.0, 48.0], [0, 10.5, 7.25, 11.0, 8.0], [1, 20.0, 20.0, 20.0, 20.0]]
OUTSIDE = [[0, -6.0, -3.0, 70.0, 52.0], [1, -30.0, 4.0, 20.0, 90.0], [0, 60.0, 40.0, 66.0, 49.0]]


def point(plane: NDArray[np.float64], y: float, x: float) -> float:
    """Bilinear value at a place in index coordinates, with zeros around the plane."""
    value = 0.0
    for row, column in ((r, c) for r in (math.floor(y), math.floor(y) + 1) for c in (math.floor(x), math.floor(x) + 1)):
        if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
            value += (1 - abs(y - row)) * (1 - abs(x - column)) * plane[row, column]
    return value


def brute_force(
    maps: NDArray[np.float64], rois: list[list[float]], size: int, height: int, width: int
) -> NDArray[np.float64]:
    crops = np.zeros((len(rois), maps.shape[1], size, size))
    rows, columns = maps.shape[2] - 1, maps.shape[3] - 1
    for place, (image, x1, y1, x2, y2) in enumerate(rois):
        for i, j, channel in np.ndindex(size, size, maps.shape[1]):
            u, v = (i / (size - 1), j / (size - 1)) if size > 1 else (0.5, 0.5)
            y, x = (y1 + u * (y2 - y1)) / height * rows, (x1 + v * (x2 - x1)) / width * columns
            crops[place, channel, i, j] = point(maps[int(image), channel], y, x)
    return crops


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("rois", [INSIDE, OUTSIDE], ids=["inside", "outside"])
def test_against_numpy(rois: list[list[float]], size: int) -> None:
    maps = np.random.default_rng(0).normal(size=(2, 3, 12, 16))
    found = crop_and_resize(torch.tensor(maps).float(), torch.tensor(rois), size, input_shape=(48, 64)).numpy()
    assert np.allclose(found, brute_force(maps, rois, size, 48, 64), atol=2e-5)


def test_the_whole_input_at_the_maps_size_is_the_map() -> None:
    maps = torch.rand(1, 2, 9, 9)
    assert torch.allclose(crop_and_resize(maps, torch.tensor([[0, 0.0, 0, 36, 36]]), 9, input_shape=(36, 36)), maps)


def test_no_boxes() -> None:
    assert crop_and_resize(torch.rand(2, 3, 8, 8), torch.zeros(0, 5), 4, input_shape=(32, 32)).shape == (0, 3, 4, 4)


def test_mask_targets_are_soft_and_those_of_the_chosen_masks() -> None:
    masks = np.random.default_rng(1).integers(0, 2, (3, 40, 56)).astype(np.uint8)
    boxes = torch.tensor([[2.0, 3, 30, 28], [10, 1, 50, 39]])
    found = mask_targets(BitmapMasks(masks, 40, 56), boxes, torch.tensor([2, 0]), 8).numpy()
    rois = [[place, *box] for place, box in zip((2, 0), boxes.tolist(), strict=True)]
    assert np.allclose(found, brute_force(masks[:, None].astype(float), rois, 8, 40, 56)[:, 0], atol=1e-5)
    assert ((found > 0.01) & (found < 0.99)).any()
    assert mask_targets(BitmapMasks(masks, 40, 56), boxes[:0], torch.zeros(0, dtype=torch.long), 8).shape == (0, 8, 8)


def test_a_mask_that_is_cropped_and_pasted_comes_back() -> None:
    """Crop and paste share a frame: at one cell a pixel both ways are the identity."""
    side, box = 33, (0.0, 0.0, 33.0, 33.0)
    mask = np.random.default_rng(2).integers(0, 2, (1, side, side)).astype(np.uint8)
    crop = mask_targets(BitmapMasks(mask, side, side), torch.tensor([box]), torch.tensor([0]), side)[0].numpy()
    placed = paste_crop(crop, box, height=side, width=side, grid="edges")
    assert (placed.x, placed.y) == (0, 0)
    assert (placed.mask == mask[0].astype(bool)).all()
