"""Mask crops as run lengths, against pycocotools' encoding of the image that has the crop pasted at its box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from pycocotools import mask as coco_mask

from psis_bench.models.crop_encoding import encode_crops
from psis_bench.models.paste import paste_crop

SIDES = (1, 2, 3, 7, 14, 28, 32, 56)
GRIDS = ("cells", "edges")


class Problem(NamedTuple):
    """Crops and boxes of one image, and where they lie."""

    crops: torch.Tensor
    boxes: torch.Tensor
    height: int
    width: int
    grid: str
    threshold: float


def problems(count: int, *, seed: int = 0) -> Iterator[Problem]:
    """Yield problems of ``count`` boxes in all: inside, at and over edges, outside, thin, empty, as the whole image."""
    generator = np.random.default_rng(seed)
    while count:
        number = min(count, int(generator.integers(1, 300)))
        height, width = (int(side) for side in generator.integers(1, generator.choice([4, 60, 200]), 2))
        side = int(generator.choice(SIDES))
        boxes = random_boxes(generator, number, height=height, width=width)
        crops = random_crops(generator, number, side)
        grid, threshold = str(generator.choice(GRIDS)), float(generator.choice([0.5, 0.5, 0.7]))
        yield Problem(torch.from_numpy(crops), torch.from_numpy(boxes), height, width, grid, threshold)
        count -= number


def random_boxes(generator: np.random.Generator, count: int, *, height: int, width: int) -> np.ndarray:
    """Return boxes xyxy, float32 (count, 4), in and around an image."""
    centre = generator.uniform((-8, -8), (width + 8, height + 8), (count, 2))
    half = np.exp(generator.uniform(np.log(0.05), np.log(max(height, width, 2)), (count, 2)))
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    boxes[::3] = np.round(boxes[::3])
    boxes[1::5] = np.clip(boxes[1::5], 0, (width, height) * 2)
    boxes[4::11] = (0, 0, width, height)
    boxes[5::13, 2:] = boxes[5::13, :2]  # without a pixel
    boxes[6::17, 2:] = boxes[6::17, :2] - 1  # turned around
    return boxes.astype(np.float32)


def random_crops(generator: np.random.Generator, count: int, side: int) -> np.ndarray:
    """Return crops, float32 (count, side, side): noise, steps, blobs, all at the threshold, all but at it."""
    crops = generator.random((count, side, side))
    y, x = np.mgrid[:side, :side] / max(side - 1, 1) * 2 - 1
    kind = generator.integers(0, 6, count)
    radius = 0.8 + 0.3 * crops[:, :1, :1] * np.sin(3 * x + 9 * crops[:, -1:, -1:])
    crops = np.where((kind == 0)[:, None, None], 1 / (1 + np.exp(8 * (np.hypot(x, y) - radius))), crops)
    crops[kind == 1] = np.round(crops[kind == 1])
    crops[kind == 2] = 0.5
    crops[kind == 3] = 0.5 + (crops[kind == 3] - 0.5) * 1e-6
    crops[kind == 4] = np.round(crops[kind == 4] * 8) / 8
    return crops.astype(np.float32)


def different(problem: Problem) -> list[int]:
    """Return the crops whose run lengths are not, byte for byte, those of the whole image."""
    crops, boxes, height, width, grid, threshold = problem
    found = encode_crops(crops, boxes, height=height, width=width, grid=grid, threshold=threshold)
    wrong = []
    for place, (crop, box) in enumerate(zip(crops.numpy(), boxes.tolist(), strict=True)):
        pasted = paste_crop(crop, tuple(box), height=height, width=width, grid=grid, threshold=threshold)
        image = np.zeros((height, width), np.uint8, order="F")
        rows, columns = pasted.mask.shape
        image[pasted.y : pasted.y + rows, pasted.x : pasted.x + columns] = pasted.mask
        if found[place] != coco_mask.encode(image)["counts"].decode("ascii"):
            wrong.append(place)
    return wrong
