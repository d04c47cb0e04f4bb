"""From polygons to pixels: an instance is turned, stretched, sized and drawn as a map of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from psis_bench.data.synthetic.primitives import Part, Polygon, extent

_Coordinate = TypeVar("_Coordinate", np.int32, np.float64)

_SUBPIXEL_BITS = 4
_SUBPIXELS = 1 << _SUBPIXEL_BITS
EMPTY = 255
"""Where a part map has no part."""


@dataclass(frozen=True)
class Drawing:
    """The parts of one shape, drawn on a small canvas of its own.

    Attributes:
        slots: (H, W) uint8: material slot of the frontmost part; `EMPTY` outside the shape and in its holes.
        left: Column of the canvas's first column in the scene, even; negative when it sticks out.
        top: Row of its first row, even.
    """

    slots: NDArray[np.uint8]
    left: int
    top: int

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: the silhouette."""
        return np.asarray(self.slots != EMPTY)


def fill(
    canvas: NDArray[np.uint8], polygons: Sequence[Polygon], value: int, *, origin: tuple[int, int] = (0, 0)
) -> None:
    """Fill the union of polygons (pixel coordinates, x right, y down) in place; ``origin`` is the canvas's corner."""
    if not polygons:
        return
    # One conversion for all: there are many small polygons. They are filled one by one because together they
    # would cancel each other where they overlap (even-odd rule).
    points = np.round((np.concatenate(polygons) - origin) * _SUBPIXELS - _SUBPIXELS / 2).astype(np.int32)
    for piece in _cut(points, polygons):
        cv2.fillPoly(canvas, [piece], value, shift=_SUBPIXEL_BITS)


def _cut(points: NDArray[_Coordinate], like: Sequence[Polygon]) -> Iterator[NDArray[_Coordinate]]:
    """Yield the points of each polygon after all of them were changed together."""
    start = 0
    for shape in like:
        yield points[start : start + len(shape)]
        start += len(shape)


def pose(parts: Sequence[Part], matrix: NDArray[np.float64], *, side: float, centre: tuple[float, float]) -> list[Part]:
    """Return the parts in pixels.

    Args:
        parts: An instance in arbitrary units.
        matrix: (2, 2) rotation, mirror and stretch, applied to column vectors.
        side: Longer side of the result's bounding box, pixels.
        centre: x, y of the middle of that box, pixels.
    """
    shapes = [shape for piece in parts for shape in piece.polygons]
    points = np.concatenate(shapes) @ matrix.T
    solid = np.repeat([not piece.cut for piece in parts for _ in piece.polygons], [len(shape) for shape in shapes])
    low, high = points[solid].min(axis=0), points[solid].max(axis=0)
    points = (points - (low + high) / 2) * (side / float(max(high - low))) + centre
    moved = _cut(points, shapes)
    return [Part(tuple(next(moved) for _ in piece.polygons), piece.slot, piece.cut) for piece in parts]


def draw(parts: Sequence[Part], *, margin: int = 0) -> Drawing:
    """Draw parts that are in pixels, back to front, on a canvas just large enough plus a margin.

    Corners and sides of the canvas are even, so that it can be halved together with the scene.

    Args:
        parts: As returned by `pose`.
        margin: Empty pixels on each side, even: room for what is done around the contour.
    """
    low, high = extent(parts)
    left, top = (2 * int(value) - margin for value in np.floor(low / 2))
    width, height = (
        2 * int(value) - 2 * (corner // 2) + margin
        for value, corner in zip(np.ceil(high / 2), (left, top), strict=True)
    )
    slots = np.full((height, width), EMPTY, np.uint8)
    for piece in parts:
        fill(slots, piece.polygons, EMPTY if piece.cut else piece.slot, origin=(left, top))
    return Drawing(slots, left, top)


def silhouette(parts: Sequence[Part], size: int) -> NDArray[np.bool_]:
    """Return a (size, size) bool mask of the parts, centred, their longer side filling the square."""
    posed = pose(parts, np.eye(2), side=size - 2.0, centre=(size / 2, size / 2))
    slots = np.full((size, size), EMPTY, np.uint8)
    for piece in posed:
        fill(slots, piece.polygons, EMPTY if piece.cut else piece.slot)
    return np.asarray(slots != EMPTY)
