"""The alphabet of the silhouettes: closed curves, limbs, and how an instance departs from its family.

Frame of all shapes: x to the right, y down, arbitrary units (an instance is scaled when it is put into an
image). A polygon is a float64 array (N, 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Polygon = NDArray[np.float64]


def _circle(corners: int) -> Polygon:
    phase = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([np.cos(phase), np.sin(phase)], axis=1)


_CIRCLE = _circle(36)
_JOINT = _circle(16)
_CURVE = _circle(60)
_PHASE = np.linspace(0, 2 * np.pi, len(_CURVE), endpoint=False)


@dataclass(frozen=True)
class Part:
    """A piece of an object that has one material.

    Attributes:
        polygons: The part is their union.
        slot: Parts with the same slot share a material, e.g. the four legs of an animal.
        cut: The part is a hole through everything before it.
    """

    polygons: tuple[Polygon, ...]
    slot: int = 0
    cut: bool = False


def part(slot: int, *shapes: Polygon | Sequence[Polygon]) -> Part:
    """Return a part of the given polygons and lists of polygons."""
    return Part(_flatten(shapes), slot)


def hole(*shapes: Polygon | Sequence[Polygon]) -> Part:
    """Return a part that cuts through all parts before it."""
    return Part(_flatten(shapes), cut=True)


def _flatten(shapes: Sequence[Polygon | Sequence[Polygon]]) -> tuple[Polygon, ...]:
    flat: list[Polygon] = []
    for shape in shapes:
        flat.extend([shape] if isinstance(shape, np.ndarray) else shape)
    return tuple(flat)


class Vary:
    """The differences between two instances of one family.

    Args:
        rng: Where they come from.
        amount: Scales all of them; 0 gives the canonical instance.
    """

    def __init__(self, rng: np.random.Generator, amount: float = 1.0) -> None:
        self._rng = rng
        self.amount = amount

    def __call__(self, value: float, spread: float = 0.15) -> float:
        """Return ``value`` made larger or smaller by a factor of at most exp(spread)."""
        return value * float(np.exp(self._rng.uniform(-spread, spread) * self.amount))

    def turn(self, degrees: float) -> float:
        """Return an angle between -degrees and +degrees, in radians."""
        return float(np.radians(self._rng.uniform(-degrees, degrees) * self.amount))

    def shift(self, extent: float) -> float:
        """Return a length between -extent and +extent."""
        return float(self._rng.uniform(-extent, extent) * self.amount)


def ellipse(
    x: float, y: float, rx: float, ry: float | None = None, *, power: float = 2.0, angle: float = 0.0
) -> Polygon:
    """Return a superellipse: power 2 is an ellipse, 1 a diamond, 6 a rounded rectangle; angle in radians."""
    unit = _CIRCLE if power == 2.0 else np.sign(_CIRCLE) * np.abs(_CIRCLE) ** (2 / power)
    points = unit * (rx, rx if ry is None else ry)
    return (turned(points, angle) if angle else points) + (x, y)


def quad(x: float, top: float, bottom: float, top_width: float, bottom_width: float, *, lean: float = 0.0) -> Polygon:
    """Return an upright trapezium centred on x; its top is displaced sideways by lean."""
    t, b = top_width / 2, bottom_width / 2
    return np.array([[x - t + lean, top], [x + t + lean, top], [x + b, bottom], [x - b, bottom]], dtype=np.float64)


def polar(x: float, y: float, radius: float, harmonics: dict[int, float], *, phase: float = 0.0) -> Polygon:
    """Return the closed curve r = radius * (1 + sum of amplitude * cos(k * angle + phase))."""
    waves = [amplitude * np.cos(k * _PHASE + phase) for k, amplitude in harmonics.items()]
    r = radius * (1.0 + np.sum(waves, axis=0))
    return np.asarray(_CURVE * r[:, None] + (x, y))


def star(x: float, y: float, radius: float, points: int, inner: float, *, angle: float = 0.0) -> Polygon:
    """Return a star; with inner = cos(pi / points) a regular polygon."""
    phase = np.arange(2 * points) * np.pi / points - np.pi / 2 + angle
    r = np.where(np.arange(2 * points) % 2 == 0, radius, radius * inner)
    return np.stack([x + r * np.cos(phase), y + r * np.sin(phase)], axis=1)


def sector(x: float, y: float, radius: float, start: float, end: float, *, inner: float = 0.0) -> Polygon:
    """Return the slice of a disc, or of a ring of the given inner radius, between two angles in degrees."""
    angle = np.radians(np.linspace(start, end, 30))
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(np.concatenate([rim * radius, rim[::-1] * inner]) + np.array([x, y]))


def limb(points: ArrayLike, start: float, end: float | None = None) -> list[Polygon]:
    """Return a tube of circles and trapezia along a path.

    Args:
        points: The path, (N, 2).
        start: Its width at the first point.
        end: Its width at the last point; the same as at the first when left out.
    """
    path = np.asarray(points, dtype=np.float64)
    radii = (start + ((start if end is None else end) - start) * np.arange(len(path)) / (len(path) - 1))[:, None] / 2
    circles = path[:, None] + radii[:, None] * _JOINT
    along = path[1:] - path[:-1]
    normal = along[:, ::-1] * (-1, 1) / np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-9)
    near, far = normal * radii[:-1], normal * radii[1:]
    pieces = np.stack([path[:-1] + near, path[1:] + far, path[1:] - far, path[:-1] - near], axis=1)
    return [*circles, *pieces]


def chain(x: float, y: float, angle: float, lengths: Sequence[float], bends: Sequence[float] = ()) -> Polygon:
    """Return the joints of a limb: angle 0 points down, positive turns to the right (radians)."""
    points = [(x, y)]
    for index, length in enumerate(lengths):
        angle += bends[index - 1] if 0 < index <= len(bends) else 0.0
        points.append((points[-1][0] + np.sin(angle) * length, points[-1][1] + np.cos(angle) * length))
    return np.array(points, dtype=np.float64)


def arc(x: float, y: float, radius: float, start: float, end: float, *, squash: float = 1.0) -> Polygon:
    """Return points on an arc between two angles in degrees (0 is right, 90 is down)."""
    angle = np.radians(np.linspace(start, end, max(4, int(abs(end - start) / 15))))
    return np.stack([x + radius * np.cos(angle), y + radius * squash * np.sin(angle)], axis=1)


def turned(points: Polygon, angle: float, about: tuple[float, float] = (0.0, 0.0)) -> Polygon:
    """Return the points turned by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray((points - about) @ np.array([[c, s], [-s, c]]) + about)


def polygon(*points: tuple[float, float]) -> Polygon:
    """Return a polygon of the given corners."""
    return np.array(points, dtype=np.float64)


def mirrored(points: Polygon) -> Polygon:
    """Return the points mirrored left to right about x = 0."""
    return points * (-1.0, 1.0)


def extent(parts: Sequence[Part]) -> tuple[Polygon, Polygon]:
    """Return the smallest and the largest corner of all parts that are not holes, each (2,)."""
    points = np.concatenate([shape for piece in parts if not piece.cut for shape in piece.polygons])
    return points.min(axis=0), points.max(axis=0)
