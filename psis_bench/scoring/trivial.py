"""The two rows every mask head has to beat: fill the ground-truth box, or the ellipse inscribed in it.

Pixel (row r, column c) has its centre at (c + 0.5, r + 0.5). With a box x, y, w, h in absolute pixels,
a pixel belongs to

* the full box when ``x <= c + 0.5 < x + w`` and ``y <= r + 0.5 < y + h``;
* the ellipse when ``((c + 0.5 - x - w / 2) / (w / 2))² + ((r + 0.5 - y - h / 2) / (h / 2))² <= 1``.

What lies outside the image is cut off. A box between the pixel centres has no pixel, so its IoU is 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psis_bench.run_lengths import Ints, RunLengths, column_pieces, from_spans, offsets_of
from psis_bench.scoring.ground_truth import Floats, GroundTruth

_INSTANCES_AT_A_TIME = 512
"""Few enough for their outlines to stay in a processor's cache."""


class Columns(NamedTuple):
    """Shapes that have one span of pixels in each of some consecutive columns, ``N`` of them with ``C`` columns in all.

    Args:
        first: int64 (N,): the first column of each.
        offsets: int64 (N + 1,): where the columns of each begin among all.
        top: int64 (C,): the first row of the span in a column.
        bottom: int64 (C,): one after its last row; not below ``top``.
    """

    first: Ints
    offsets: Ints
    top: Ints
    bottom: Ints


def trivial_ious(truth: GroundTruth) -> tuple[Floats, Floats]:
    """Return the IoU of the full box and of the inscribed ellipse with every scored instance's mask.

    Returns:
        Full box and ellipse, each float64 (n,) in [0, 1], in the order of ``truth.instances``.
    """
    found = _shape_ious(truth, truth.boxes[truth.instances], ellipses=(False, True))
    return found[0], found[1]


def full_box_ious(truth: GroundTruth, boxes: Floats) -> Floats:
    """Return the IoU of masks that fill given boxes with every scored instance's mask.

    Args:
        truth: The annotations.
        boxes: float64 (n, 4): xywh, one for each of ``truth.instances``.

    Returns:
        float64 (n,) in [0, 1].
    """
    return _shape_ious(truth, boxes, ellipses=(False,))[0]


def _shape_ious(truth: GroundTruth, boxes: Floats, *, ellipses: tuple[bool, ...]) -> list[Floats]:
    """Return the IoU of boxes, or of ellipses in them, with every scored instance's mask, each float64 (n,)."""
    sizes = truth.sizes_of(truth.images[truth.instances])
    areas = truth.instance_masks.areas()
    found: list[Floats] = [np.zeros(len(boxes)) for _ in ellipses]
    for first in range(0, len(boxes), _INSTANCES_AT_A_TIME):
        stop = min(first + _INSTANCES_AT_A_TIME, len(boxes))
        part = slice(first, stop)
        pieces = column_pieces(truth.instance_masks.between(first, stop), sizes[part, 0])
        for row, ellipse in zip(found, ellipses, strict=True):
            shapes = box_columns(boxes[part], sizes[part], ellipse=ellipse)
            common = _common_pixels(pieces, shapes)
            shape_areas = np.diff(offsets_of(shapes.bottom - shapes.top)[shapes.offsets])
            row[part] = common / np.maximum(areas[part] + shape_areas - common, 1)
    return found


def _common_pixels(pieces: tuple[Ints, Ints, Ints, Ints], shapes: Columns) -> Ints:
    """Return how many pixels masks, cut into pieces of columns, have in common with a shape each, int64 (N,)."""
    owners, columns, tops, bottoms = pieces
    place = columns - shapes.first[owners]
    there = np.flatnonzero((place >= 0) & (place < np.diff(shapes.offsets)[owners]))
    owners, column = owners[there], shapes.offsets[owners[there]] + place[there]
    rows = np.minimum(shapes.bottom[column], bottoms[there]) - np.maximum(shapes.top[column], tops[there])
    so_far = offsets_of(np.maximum(rows, 0))
    return np.diff(so_far[np.searchsorted(owners, np.arange(len(shapes.first) + 1))])


def box_masks(boxes: Floats, sizes: Ints, *, ellipse: bool) -> RunLengths:
    """Rasterise boxes, or the ellipses inscribed in them.

    Args:
        boxes: float64 (N, 4): xywh, absolute pixels.
        sizes: int64 (N, 2): height and width of each one's image.
        ellipse: The inscribed ellipse instead of the box.

    Returns:
        N masks; runs of no pixels may lie between others.
    """
    first, offsets, top, bottom = box_columns(boxes, sizes, ellipse=ellipse)
    columns = np.diff(offsets)
    box = np.repeat(np.arange(len(boxes)), columns)
    above = (np.arange(len(box)) - offsets[box] + first[box]) * sizes[box, 0]
    return from_spans(above + top, above + bottom, columns, sizes[:, 0] * sizes[:, 1])


def box_columns(boxes: Floats, sizes: Ints, *, ellipse: bool) -> Columns:
    """Return the columns of boxes, or of the ellipses inscribed in them; the arguments are those of `box_masks`."""
    x, y, width, height = boxes.T
    first = np.clip(np.ceil(x - 0.5), 0, sizes[:, 1]).astype(np.int64)
    stop = np.clip(np.ceil(x + width - 0.5), 0, sizes[:, 1]).astype(np.int64)
    columns = np.maximum(stop - first, 0)
    offsets = offsets_of(columns)
    half_width, half_height, rows = (np.repeat(side, columns) for side in (width / 2, height / 2, sizes[:, 0]))
    if ellipse:
        column = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], columns)
        across = (column + 0.5 - np.repeat(x, columns) - half_width) / half_width
        reach = half_height * np.sqrt(np.maximum(1 - across**2, 0))
        middle = np.repeat(y, columns) + half_height
        top, bottom = np.ceil(middle - reach - 0.5), np.floor(middle + reach - 0.5) + 1
    else:
        top, bottom = (np.repeat(np.ceil(end - 0.5), columns) for end in (y, y + height))
    top = np.clip(top, 0, rows).astype(np.int64)
    bottom = np.maximum(np.clip(bottom, 0, rows).astype(np.int64), top)
    return Columns(first, offsets, top, bottom)
