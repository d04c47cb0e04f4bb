"""The light on an object: what makes it one thing, whatever its parts are made of.

One lamp lights an image. It brightens the side of an object that faces it, shades the object as a whole,
darkens its outline and throws its shadow on what lies behind; borders between the parts of one object get
nothing of this. All of it is weak and fades out on stretches of the contour, so that a contour has to be
closed by reasoning rather than read off locally.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
MARGIN = 5
"""Pixels of the image around a silhouette that its light and shadow need."""
_REACH = 2
"""How far rim and shadow reach from the contour, pixels of the image."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True, kw_only=True)
class Light:
    """The lamp of an image and the strengths of its effects.

    Attributes:
        direction: Unit vector x, y towards the lamp; y down.
        outline: Darkening of the outermost pixels, [0, 1].
        rim: Brightening towards the lamp and darkening away from it, [0, 1].
        shading: Brightness gradient over the object, [0, 1].
        shadow: Darkness of the shadow, [0, 1].
        broken: Fraction of the contour without outline, rim and shadow, [0, 1].
    """

    direction: tuple[float, float]
    outline: float
    rim: float
    shading: float
    shadow: float
    broken: float


def relight(ground: Field, cover: Field, light: Light, rng: np.random.Generator) -> Field:
    """Return the brightness in a window after an object was put there.

    Args:
        ground: (H, W) brightness before, 1 is neutral.
        cover: (H, W) share of each pixel that the object covers, with `MARGIN` empty pixels around it.
        light: The lamp.
        rng: Decides where the contour fades out.

    Returns:
        (H, W) float32: the object's own brightness where it is, the shadowed ground elsewhere.
    """
    height, width = cover.shape
    lx, ly = light.direction
    soft: Field = np.asarray(cv2.GaussianBlur(cover, (7, 7), 1.25), np.float32)
    dx, dy = round(lx * _REACH), round(ly * _REACH)
    lit = _moved(soft, -dx, -dy)  # is there object behind this place, seen from the lamp
    cast = _moved(soft, dx, dy)  # ... between this place and the lamp
    edge = cover - np.asarray(cv2.erode(cover, _CROSS), np.float32)
    kept = _fading(rng, height, width, light.broken)
    x = np.linspace(-lx, lx, width, dtype=np.float32) * np.float32(light.shading)
    y = np.linspace(-ly, ly, height, dtype=np.float32)[:, None] * np.float32(light.shading)
    own: Field = 1 + kept * (np.float32(light.rim) * (lit - cast) - np.float32(light.outline) * edge)
    own *= 1 + x + y
    shadowed = ground * (1 - np.float32(light.shadow) * kept * cast)
    return np.asarray(shadowed + cover * (own - shadowed), np.float32)


def _moved(field: Field, dx: int, dy: int) -> Field:
    """Return the field with the value of (x + dx, y + dy) at (x, y); |dx|, |dy| <= `_REACH`, 0 from outside."""
    height, width = field.shape
    wide = np.zeros((height + 2 * _REACH, width + 2 * _REACH), np.float32)
    wide[_REACH:-_REACH, _REACH:-_REACH] = field
    return wide[_REACH + dy : _REACH + dy + height, _REACH + dx : _REACH + dx + width]


def _fading(rng: np.random.Generator, height: int, width: int, broken: float) -> Field:
    """Return a smooth field in [0, 1] that is 0 on about a fraction ``broken`` of the window."""
    grid = rng.random((5, 5))
    level = float(np.sort(grid, axis=None)[min(int(broken * grid.size), grid.size - 1)])
    steep = np.clip((grid - level) * 5 + 0.2 * (1 - broken), 0, 1).astype(np.float32)
    return np.asarray(cv2.resize(steep, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
