"""From a mask crop to the pixels of its box.

A crop is defined on the box: cell (i, j) of S x S is centred at ((j + 0.5) / S, (i + 0.5) / S) of the
box. A pixel belongs to the mask when the bilinear value at its centre, zero outside the crop, is above the
threshold. This is the rule of MMDetection and Detectron2 (``paste_masks_in_image``). Because the value is at
most a half on the box's border and less beyond it, a threshold of 0.5 never marks a pixel whose centre is
outside the box: it is enough to look at the pixels inside.

Values are those of a chain of fused multiply-adds in float32, rows before columns, as a matrix product of weights and
crop gives them on most machines. They are computed in float64, where a product of two float32 numbers is exact, so that
a mask does not depend on the machine. `psis_bench.models.crop_encoding` gives the same masks as run lengths, faster.

That is the grid ``"cells"``. In the grid ``"edges"``, Deep-MAC's, the first and last cells of a crop lie on the box's
edges, and likewise the first and last pixels on the image's: pixel i of L is at i / (L - 1) of the image's side (the
middle when L is 1), and is in the box when that is in [x1 / L, x2 / L]. Outside is zero (official
``reframe_box_masks_to_image_masks`` of ``object_detection/utils/ops.py``).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PlacedMask(NamedTuple):
    """A boolean mask (h, w) whose first pixel is column ``x``, row ``y`` of the image."""

    mask: NDArray[np.bool_]
    x: int
    y: int


class _Taps(NamedTuple):
    """The two cells of a crop that each pixel of an axis lies between; those beyond the crop are zero.

    Args:
        first: The first pixel that can be inside.
        cells: int64 (P,): the cell before each pixel, -1 to S - 1.
        near: float32 (P,): weight of that cell.
        far: float32 (P,): weight of the next one.
    """

    first: int
    cells: NDArray[np.int64]
    near: NDArray[np.float32]
    far: NDArray[np.float32]


def _taps(start: float, stop: float, cells: int, length: int) -> _Taps:
    """Return the taps of the pixels inside [start, stop) of an axis."""
    first = max(0, math.ceil(start - 0.5))
    last = min(length, math.ceil(stop - 0.5))
    centres = np.arange(first, max(first, last), dtype=np.float64) + 0.5
    return _between(first, (centres - start) / max(stop - start, 1e-9) * cells - 0.5)


def _edge_taps(start: float, stop: float, cells: int, length: int) -> _Taps:
    """Return the same for the grid ``"edges"``, where a pixel at ``stop`` is inside too."""
    # Pixels of the image's side from one pixel to the next, and the place of the first.
    step, offset = (length / (length - 1), 0.0) if length > 1 else (1.0, 0.5)
    first = max(0, math.ceil((start - offset) / step))
    last = min(length - 1, math.floor((stop - offset) / step))
    places = np.arange(first, max(first, last + 1), dtype=np.float64) * step + offset
    return _between(first, ((places - start) / max(stop - start, 1e-9) * (cells - 1)).clip(0, cells - 1))


def _between(first: int, position: NDArray[np.float64]) -> _Taps:
    before = np.floor(position)
    near, far = (np.maximum(0.0, 1.0 - np.abs(position - cell)).astype(np.float32) for cell in (before, before + 1))
    return _Taps(first, before.astype(np.int64), near, far)


def _fused(
    first: NDArray[np.float32], weight: NDArray[np.float32], second: NDArray[np.float32], further: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``second * further + (first * weight)``, the sum rounded once to float32."""
    return (second.astype(np.float64) * further + first * weight).astype(np.float32)


def paste_crop(
    crop: NDArray[np.float32],
    box: tuple[float, float, float, float],
    *,
    height: int,
    width: int,
    threshold: float = 0.5,
    grid: str = "cells",
) -> PlacedMask:
    """Resize a mask crop to its box and threshold it.

    Args:
        crop: (S, S) probabilities in [0, 1]; with a value that is not finite the mask is empty.
        box: x1, y1, x2, y2 in pixels of the image; parts outside the image are cut off.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        threshold: Pixels strictly above it belong to the mask; at least 0.5 (see the module's text).
        grid: ``"cells"`` or ``"edges"``: the frame in which the crop was taken.

    Returns:
        The mask of the pixels that lie in the box and the image; possibly empty.

    Raises:
        ValueError: The threshold is below 0.5.
    """
    if threshold < 0.5:
        raise ValueError("a threshold below 0.5 could mark pixels outside the box")
    x1, y1, x2, y2 = box
    taps = {"cells": _taps, "edges": _edge_taps}[grid]
    columns = taps(x1, x2, crop.shape[1], width)
    rows = taps(y1, y2, crop.shape[0], height)
    padded = np.pad(crop if np.isfinite(crop).all() else np.zeros_like(crop), 1)
    y, x = rows.cells + 1, columns.cells + 1
    down = _fused(padded[y], rows.near[:, None], padded[y + 1], rows.far[:, None])
    values = _fused(down[:, x], columns.near, down[:, x + 1], columns.far)
    return PlacedMask(values > threshold, columns.first, rows.first)
