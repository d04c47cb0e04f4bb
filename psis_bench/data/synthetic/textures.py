"""Materials: two colours and a pattern.

An image has a handful of its own, which objects, their parts and the ground share. A class has two of its own, the
same in every image.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
_PALETTE_SIZE = 7


def palette(rng: np.random.Generator, contrast: float) -> Field:
    """Return the colours of one image.

    Args:
        rng: Source of randomness.
        contrast: 0 gives one grey, 1 colours from the whole cube.

    Returns:
        (7, 3) float32 in [0, 255].
    """
    centre = rng.uniform(90, 165)
    colours = rng.uniform(0, 255, (_PALETTE_SIZE, 3))
    # Half-way to their own grey: natural images are rarely as saturated as a colour cube.
    colours = 0.6 * colours + 0.4 * colours.mean(axis=1, keepdims=True)
    return _field((centre + contrast * (colours - centre)).clip(15, 240))


def _field(values: Any) -> Field:
    field: Field = np.asarray(values, dtype=np.float32)
    return field


def _waves(rng: np.random.Generator, u: Field, v: Field) -> Field:
    return _field(np.sin(u + rng.uniform(0.5, 1.5) * np.sin(v * rng.uniform(0.3, 0.7))))


def _stripes(rng: np.random.Generator, u: Field, v: Field) -> Field:
    return _field(np.clip(np.sin(u) * 4 + rng.uniform(-2, 2), -1, 1))


def _checks(rng: np.random.Generator, u: Field, v: Field) -> Field:
    return _field(np.clip(np.sin(u) * np.sin(v) * 8, -1, 1))


def _dots(rng: np.random.Generator, u: Field, v: Field) -> Field:
    return _field(np.clip((np.cos(u) + np.cos(v) - rng.uniform(0.2, 1.0)) * 4, -1, 1))


def _gradient(rng: np.random.Generator, u: Field, v: Field) -> Field:
    return _field(np.sin(u * 0.08 + rng.uniform(0, 6.28)))


def _plain(rng: np.random.Generator, u: Field, v: Field) -> Field:
    return _field(np.full_like(u, rng.uniform(-1, 1)))


def _speckle(rng: np.random.Generator, u: Field, v: Field) -> Field:
    height, width = u.shape
    cell = rng.uniform(1.5, 8)
    grid = rng.uniform(-1.6, 1.6, (int(height / cell) + 2, int(width / cell) + 2)).astype(np.float32)
    return _field(np.clip(cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR), -1, 1))


PATTERNS: tuple[Callable[[np.random.Generator, Field, Field], Field], ...] = (
    _plain,
    _gradient,
    _stripes,
    _checks,
    _dots,
    _waves,
    _speckle,
    _speckle,
)


@dataclass(frozen=True)
class Material:
    """What a surface looks like, but for how its pattern lies.

    Attributes:
        colours: (2, 3) float32 in [0, 255]: between these the pattern goes.
        pattern: Number of its pattern.
        period: Length of the pattern's wave in the pixels of a drawing.
    """

    colours: Field
    pattern: int
    period: float


def _random_material(rng: np.random.Generator, colours: Field) -> Material:
    period = float(np.exp(rng.uniform(np.log(7), np.log(36))))
    pattern = int(rng.integers(len(PATTERNS)))
    return Material(colours[rng.choice(_PALETTE_SIZE, 2, replace=False)], pattern, period)


def class_material(name: str, number: int, *, contrast: float) -> Material:
    """Return one of the materials of a class, the same on every machine.

    Args:
        name: The class.
        number: Which one.
        contrast: See `palette`.
    """
    rng = np.random.default_rng([zlib.crc32(name.encode()), number])
    return _random_material(rng, palette(rng, contrast))


def colour(
    rng: np.random.Generator, material: NDArray[np.uint8], *, count: int, further: Sequence[Material], contrast: float
) -> Field:
    """Return the colours of a drawing at half its size.

    Args:
        rng: Decides what the image's own materials look like, and how all patterns lie.
        material: (2H, 2W): index of each pixel's material.
        count: Number of the image's own materials.
        further: The materials from index ``count`` on.
        contrast: See `palette`.

    Returns:
        (H, W, 3) float32 in [0, 255]: each pixel the mean of the four below it.
    """
    colours = palette(rng, contrast)
    quarters = [np.ascontiguousarray(material[row::2, column::2]) for row in (0, 1) for column in (0, 1)]
    height, width = quarters[0].shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) * np.float32(2)
    planes = np.zeros((3, height, width), np.float32)
    for index in np.flatnonzero(np.bincount(material.ravel())):
        look = _random_material(rng, colours) if index < count else further[index - count]
        angle = rng.uniform(0, np.pi)
        c, s = (np.float32(f(angle) * 2 * np.pi / look.period) for f in (np.cos, np.sin))
        first, second = look.colours
        field = PATTERNS[look.pattern](rng, c * x + s * y, c * y - s * x)
        # A material's pattern is taken once for each pixel of the image; only where it lies is known more finely.
        share = np.sum([quarter == index for quarter in quarters], axis=0, dtype=np.uint8) * np.float32(0.25)
        shown = field * share
        for channel in range(3):
            planes[channel] += (first + second)[channel] / 2 * share
            planes[channel] += (second - first)[channel] / 2 * shown
    return np.asarray(np.moveaxis(planes, 0, -1))
