"""GrabCut on boxes of every kind: where the mask lies, and that it depends on nothing but image and box."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from psis_bench.errors import UserError
from psis_bench.grabcut.cut import CutSettings, PlacedMask, cut, cut_out

SETTINGS = CutSettings(iterations=3, margin=0.5, least_margin=8, max_pixels=4000, least_background=0.05, rim=0.05)
HEIGHT, WIDTH = 60, 80


def picture() -> NDArray[np.uint8]:
    """A red disc of radius 15 about (40, 30) on a green ground, with noise."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 40, (HEIGHT, WIDTH, 3))
    pixels[..., 1] += 120
    pixels[disc()] = np.array([180, 0, 0]) + generator.integers(0, 40, (int(disc().sum()), 3))
    return pixels.astype(np.uint8)


def disc() -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.asarray((columns - 40) ** 2 + (rows - 30) ** 2 < 15**2)


def masked(image: NDArray[np.uint8], box: tuple[float, float, float, float], **changes: float) -> PlacedMask:
    settings = dataclasses.replace(SETTINGS, **changes)
    return cut(cut_out(image, box, settings), settings)


def whole(placed: PlacedMask) -> NDArray[np.bool_]:
    found = np.zeros((HEIGHT, WIDTH), np.bool_)
    rows, columns = placed.mask.shape
    found[placed.y : placed.y + rows, placed.x : placed.x + columns] = placed.mask
    return found


def inside(box: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """The pixels whose centres lie in the box, straight from the rule."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.asarray((columns >= box[0]) & (columns < box[2]) & (rows >= box[1]) & (rows < box[3]))


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("max_pixels", [100_000, 1500])
def test_a_disc_is_found(max_pixels: int) -> None:
    found = whole(masked(picture(), (25, 15, 55, 45), max_pixels=max_pixels))
    assert iou(found, disc()) > (0.97 if max_pixels == 100_000 else 0.88)
    assert iou(inside((25, 15, 55, 45)), disc()) < 0.8  # the box alone


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 80, 60),  # the whole image: nothing is known to be background
        (0, 0, 80, 59),
        (25, 0, 80, 60),
        (-20.0, -20.0, 200.0, 200.0),
        (60, 40, 80, 60),  # a corner
        (40.2, 30.2, 41.1, 31.3),  # a pixel
        (10, 10, 12, 50),
        (10, 10, 70, 12.4),
        (10, 10, 13, 13),
    ],
)
def test_edges_and_few_pixels(box: tuple[float, float, float, float]) -> None:
    found = whole(masked(picture(), box))
    assert found.any()
    assert not (found & ~inside(box)).any()


def test_the_object_of_a_box_that_fills_the_image_is_found() -> None:
    assert iou(whole(masked(picture(), (0, 0, WIDTH, HEIGHT), max_pixels=100_000)), disc()) > 0.95


def test_a_box_without_a_pixel_has_an_empty_mask() -> None:
    for box in ((10.6, 10, 11.4, 20), (90, 10, 95, 20), (20, 20, 20, 30)):
        assert not whole(masked(picture(), box)).any()


def test_an_image_of_one_colour_gives_the_box() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    found = whole(masked(image, (20, 10, 50, 40)))
    assert found.any()
    assert not (found & ~inside((20, 10, 50, 40))).any()


sides = st.floats(-10, 90, allow_nan=False)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from([300, 100_000]))
def test_the_mask_lies_in_the_box(across: tuple[float, float], down: tuple[float, float], max_pixels: int) -> None:
    box = (min(across), min(down), max(across), max(down))
    found = whole(masked(picture(), box, max_pixels=max_pixels, iterations=1))
    assert not (found & ~inside(box)).any()
    assert found.any() == inside(box).any()


@pytest.mark.parametrize(
    ("name", "value"), [("iterations", 0), ("max_pixels", 0), ("least_margin", 0), ("margin", -0.5), ("rim", math.nan)]
)
def test_settings_that_cannot_be(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{name}={value} of GrabCut is too small"):
        dataclasses.replace(SETTINGS, **{name: value})


def test_it_depends_on_image_and_box_alone() -> None:
    image, box = picture(), (22.0, 11.0, 57.0, 48.0)
    first = masked(image, box)
    cv2.setRNGSeed(99)
    masked(image, (5, 5, 70, 55))
    again = masked(image, box)
    assert np.array_equal(first.mask, again.mask)
    assert (first.x, first.y) == (again.x, again.y)
