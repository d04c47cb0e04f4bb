"""From a mask crop to the pixels of its box.

A crop is defined on the box: cell (i, j) of S x S is centred at ((j + 0.5) / S, (i + 0.5) / S) of the
box. A pixel belongs to the mask when the bilinear value at its centre, zero outside the crop, is above the
threshold. This is the rule of MMDetection and Detectron2 (``paste_masks_in_image``). Because the value is at
most a half on the box's border and less beyond it, a threshold of 0.5 never marks a pixel whose centre is
outside the box: it is enough to look at the pixels inside.

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


def _interpolation(start: float, stop: float, cells: int, length: int) -> tuple[int, NDArray[np.float32]]:
    """Return the first pixel inside [start, stop) of an axis and the matrix (pixels, cells) of linear weights."""
    first = max(0, math.ceil(start - 0.5))
    last = min(length, math.ceil(stop - 0.5))
    centres = np.arange(first, max(first, last), dtype=np.float64) + 0.5
    position = (centres - start) / max(stop - start, 1e-9) * cells - 0.5
    return first, _linear_weights(position, cells)


def _edge_interpolation(start: float, stop: float, cells: int, length: int) -> tuple[int, NDArray[np.float32]]:
    """Return the same for the grid ``"edges"``, where a pixel at ``stop`` is inside too."""
    # Pixels of the image's side from one pixel to the next, and the place of the first.
    step, offset = (length / (length - 1), 0.0) if length > 1 else (1.0, 0.5)
    first = max(0, math.ceil((start - offset) / step))
    last = min(length - 1, math.floor((stop - offset) / step))
    places = np.arange(first, max(first, last + 1), dtype=np.float64) * step + offset
    position = (places - start) / max(stop - start, 1e-9) * (cells - 1)
    return first, _linear_weights(position.clip(0, cells - 1), cells)


def _linear_weights(position: NDArray[np.float64], cells: int) -> NDArray[np.float32]:
    distance = np.abs(position[:, None] - np.arange(cells)[None, :])
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)


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
        crop: (S, S) probabilities in [0, 1].
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
    interpolation = {"cells": _interpolation, "edges": _edge_interpolation}[grid]
    first_column, columns = interpolation(x1, x2, crop.shape[1], width)
    first_row, rows = interpolation(y1, y2, crop.shape[0], height)
    return PlacedMask(rows @ crop @ columns.T > threshold, first_column, first_row)
