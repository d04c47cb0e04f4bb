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
MARGIN = 10
"""Pixels around a silhouette that its light and shadow need."""
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


def relight(ground: Field, mask: NDArray[np.bool_], light: Light, rng: np.random.Generator) -> Field:
    """Return the brightness in a window after an object was put there.

    Args:
        ground: (H, W) brightness before, 1 is neutral.
        mask: (H, W) the object's silhouette, with `MARGIN` empty pixels around it.
        light: The lamp.
        rng: Decides where the contour fades out.

    Returns:
        (H, W) float32: the object's own brightness inside the mask, the shadowed ground outside.
    """
    height, width = mask.shape
    lx, ly = light.direction
    solid = mask.astype(np.float32)
    soft = cv2.GaussianBlur(solid, (0, 0), 2.0)
    kept = _fading(rng, height, width, light.broken)
    slope_x = cv2.Scharr(soft, cv2.CV_32F, 1, 0, scale=1 / 32)
    slope_y = cv2.Scharr(soft, cv2.CV_32F, 0, 1, scale=1 / 32)
    # The gradient points inwards and peaks near 0.2 for this blur.
    facing = -(slope_x * np.float32(lx) + slope_y * np.float32(ly)) * np.float32(5)
    edge = solid - cv2.erode(solid, _CROSS, iterations=2)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] * np.float32(lx)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(ly)
    own = 1 + np.float32(light.shading) * (x + y)
    own *= 1 + kept * (np.float32(light.rim) * facing - np.float32(light.outline) * edge)
    away = np.array([[1, 0, -lx * 3.5], [0, 1, -ly * 3.5]], np.float32)
    cast = cv2.warpAffine(cv2.GaussianBlur(solid, (0, 0), 3.0), away, (width, height))
    shadowed = ground * (1 - np.float32(light.shadow) * kept * cast)
    return np.where(mask, own, shadowed)


def _fading(rng: np.random.Generator, height: int, width: int, broken: float) -> Field:
    """Return a smooth field in [0, 1] that is 0 on about a fraction ``broken`` of the window."""
    grid = rng.random((5, 5))
    level = float(np.quantile(grid, broken))
    steep = np.clip((grid - level) * 5 + 0.2 * (1 - broken), 0, 1).astype(np.float32)
    return cv2.resize(steep, (width, height), interpolation=cv2.INTER_LINEAR)
