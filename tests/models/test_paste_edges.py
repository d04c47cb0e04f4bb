"""Pasting crops of Deep-MAC's grid against the arithmetic of ``tf.image.crop_and_resize`` on the inverse box."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from psis_bench.models.paste import paste_crop

HEIGHT, WIDTH = 11, 14


def value(crop: NDArray[np.float64], y: float, x: float) -> float:
    """Return the value at a place, where anything outside the crop is zero."""
    side = len(crop) - 1
    if not (0 <= y <= side and 0 <= x <= side):
        return 0.0
    top, left, low, right = math.floor(y), math.floor(x), math.ceil(y), math.ceil(x)
    upper = crop[top, left] + (crop[top, right] - crop[top, left]) * (x - left)
    lower = crop[low, left] + (crop[low, right] - crop[low, left]) * (x - left)
    return float(upper + (lower - upper) * (y - top))


def reframed(crop: NDArray[np.float64], box: tuple[float, ...], height: int, width: int) -> NDArray[np.float64]:
    """Return the image (height, width) that the crop makes, as ``reframe_box_masks_to_image_masks`` does."""
    x1, y1, x2, y2 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
    side = len(crop) - 1
    image = np.zeros((height, width))
    # The image's corners as parts of the box, at which crop_and_resize begins and ends.
    begin_y, end_y = (0 - y1) / (y2 - y1), (1 - y1) / (y2 - y1)
    begin_x, end_x = (0 - x1) / (x2 - x1), (1 - x1) / (x2 - x1)
    for row, column in np.ndindex(height, width):
        y = (
            begin_y * side + row * (end_y - begin_y) * side / (height - 1)
            if height > 1
            else (begin_y + end_y) / 2 * side
        )
        x = (
            begin_x * side + column * (end_x - begin_x) * side / (width - 1)
            if width > 1
            else (begin_x + end_x) / 2 * side
        )
        image[row, column] = value(crop, y, x)
    return image


@pytest.mark.parametrize(("height", "width"), [(HEIGHT, WIDTH), (1, 9), (7, 1)])
@pytest.mark.parametrize("side", [2, 5, 32])
def test_equals_the_official_arithmetic(side: int, height: int, width: int) -> None:
    generator = np.random.default_rng(side)
    marked = 0
    for _ in range(40):
        centre, half = generator.uniform((0, 0), (width, height)), generator.uniform(0.4, 8, 2)
        box = tuple(float(edge) for edge in (*(centre - half), *(centre + half)))
        crop = generator.random((side, side))
        expected = reframed(crop, box, height, width)
        placed = paste_crop(crop.astype(np.float32), box, height=height, width=width, grid="edges")
        whole = np.zeros((height, width), dtype=bool)
        whole[placed.y : placed.y + placed.mask.shape[0], placed.x : placed.x + placed.mask.shape[1]] = placed.mask
        decided = np.abs(expected - 0.5) > 1e-5
        assert np.array_equal(whole[decided], expected[decided] > 0.5)
        marked += int(whole.sum())
    assert marked > 20


def test_a_full_crop_marks_both_edges_of_the_image() -> None:
    placed = paste_crop(np.ones((4, 4), np.float32), (0, 0, WIDTH, HEIGHT), height=HEIGHT, width=WIDTH, grid="edges")
    assert placed.mask.shape == (HEIGHT, WIDTH)
    assert placed.mask.all()


@pytest.mark.parametrize("box", [(40.0, 3.0, 50.0, 9.0), (-9.0, 3.0, -1.0, 9.0), (5.2, 5.2, 5.2, 5.2)])
def test_a_box_without_a_pixel_is_an_empty_mask(box: tuple[float, float, float, float]) -> None:
    placed = paste_crop(np.ones((4, 4), np.float32), box, height=HEIGHT, width=WIDTH, grid="edges")
    assert placed.mask.size == 0
