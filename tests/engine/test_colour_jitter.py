"""Colours change as ``tf.image`` changes them: held against the standard library's colour system."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import pytest

from psis_bench.engine.colour_jitter import ColourJitter, turned

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)


@pytest.mark.parametrize(("hue", "saturation"), [(0.0, 1.0), (0.02, 1.0), (-0.3, 1.0), (0.0, 0.8), (0.0, 1.25)])
def test_hue_and_saturation(hue: float, saturation: float) -> None:
    image = PIXELS.astype(np.float32) / 255
    found = turned(image, hue=hue, saturation=saturation)
    for place in np.ndindex(5, 7):
        blue, green, red = image[place].tolist()
        h, s, v = colorsys.rgb_to_hsv(red, green, blue)
        expected = colorsys.hsv_to_rgb((h + hue) % 1, min(s * saturation, 1), v)
        assert found[place][::-1] == pytest.approx(expected, abs=1e-5)


def test_contrast_is_about_the_mean_of_each_channel() -> None:
    found = jitter(contrast=(0.5, 0.5)).transform({"img": PIXELS})["img"]
    mean = PIXELS.mean(axis=(0, 1))
    assert np.abs(found - ((PIXELS - mean) * 0.5 + mean)).max() <= 0.51


def jitter(
    *,
    hue: float = 0,
    contrast: tuple[float, float] = (1, 1),
    saturation: tuple[float, float] = (1, 1),
    brightness: float = 0,
) -> ColourJitter:
    return ColourJitter(hue=hue, contrast=contrast, saturation=saturation, brightness=brightness)


def test_brightness_is_added_and_cut_off_at_black_and_white() -> None:
    changes = set()
    for seed in range(20):
        np.random.seed(seed)  # noqa: NPY002 - what transforms draw from
        found = jitter(brightness=0.2).transform({"img": PIXELS.copy()})["img"].astype(int)
        change = np.median(found - PIXELS)
        assert np.abs(found - (PIXELS + change).clip(0, 255)).max() <= 1
        assert -51 <= change <= 51
        changes.add(change)
    assert min(changes) < -10
    assert max(changes) > 10


def test_nothing_to_change_leaves_the_image() -> None:
    found = jitter().transform({"img": PIXELS})["img"]
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - PIXELS).max() <= 1


def test_all_of_it_is_moderate() -> None:
    np.random.seed(3)  # noqa: NPY002 - what transforms draw from
    image = cv2.GaussianBlur(PIXELS, (3, 3), 1)
    full = jitter(hue=0.02, contrast=(0.8, 1.25), saturation=(0.8, 1.25), brightness=0.2)
    found = full.transform({"img": image})["img"]
    assert np.corrcoef(found.ravel(), image.ravel())[0, 1] > 0.9
