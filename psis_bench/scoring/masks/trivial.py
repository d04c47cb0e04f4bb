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
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth

_INSTANCES_AT_A_TIME = 256
"""Few enough for their outlines to stay in a processor's cache."""


class Columns(NamedTuple):
    """The columns of ``N`` boxes, ``C`` of them in all.

    Args:
        first: int64 (N,): the first column of each.
        offsets: int64 (N + 1,): where the columns of each begin among all.
    """

    first: Ints
    offsets: Ints

    @property
    def counts(self) -> Ints:
        """How many columns each box has, int64 (N,)."""
        return np.diff(self.offsets)


class Rows(NamedTuple):
    """The rows of shapes in the columns of their boxes.

    Args:
        top: int64 (C,): the first row in a column.
        bottom: int64 (C,): one after the last row; not below ``top``.
    """

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
    areas = truth.mask_pixels[truth.instances]
    found: list[Floats] = [np.zeros(len(boxes)) for _ in ellipses]
    for first in range(0, len(boxes), _INSTANCES_AT_A_TIME):
        part = slice(first, first + _INSTANCES_AT_A_TIME)
        columns = _columns(boxes[part], sizes[part])
        shapes = [
            (_rows_of_ellipses if ellipse else _rows_of_boxes)(boxes[part], sizes[part], columns)
            for ellipse in ellipses
        ]
        pieces = column_pieces(truth.masks_at(truth.instances[part]), sizes[part, 0])
        for values, rows, common in zip(found, shapes, _common_pixels(pieces, columns, shapes), strict=True):
            shape_areas = np.diff(offsets_of(rows.bottom - rows.top)[columns.offsets])
            values[part] = common / np.maximum(areas[part] + shape_areas - common, 1)
    return found


def _common_pixels(pieces: tuple[Ints, Ints, Ints, Ints], columns: Columns, shapes: list[Rows]) -> list[Ints]:
    """Return how many pixels masks, cut into pieces of columns, have in common with their shapes, each int64 (N,)."""
    owners, column, tops, bottoms = pieces
    nth = column - columns.first[owners]
    there = np.flatnonzero((nth >= 0) & (nth < columns.counts[owners]))
    owners, tops, bottoms = owners[there], tops[there], bottoms[there]
    place = columns.offsets[owners] + nth[there]
    bounds = np.searchsorted(owners, np.arange(len(columns.first) + 1))
    found = []
    for rows in shapes:
        heights = np.minimum(rows.bottom[place], bottoms) - np.maximum(rows.top[place], tops)
        found.append(np.diff(offsets_of(np.maximum(heights, 0))[bounds]))
    return found


def box_masks(boxes: Floats, sizes: Ints, *, ellipse: bool) -> RunLengths:
    """Rasterise boxes, or the ellipses inscribed in them.

    Args:
        boxes: float64 (N, 4): xywh, absolute pixels.
        sizes: int64 (N, 2): height and width of each one's image.
        ellipse: The inscribed ellipse instead of the box.

    Returns:
        N masks; runs of no pixels may lie between others.
    """
    columns = _columns(boxes, sizes)
    rows = _rows(boxes, sizes, columns, ellipse=ellipse)
    above = _numbers_of(columns) * np.repeat(sizes[:, 0], columns.counts)
    return from_spans(above + rows.top, above + rows.bottom, columns.counts, sizes[:, 0] * sizes[:, 1])


def _columns(boxes: Floats, sizes: Ints) -> Columns:
    """Return the columns of the image that boxes have."""
    first = np.clip(np.ceil(boxes[:, 0] - 0.5), 0, sizes[:, 1]).astype(np.int64)
    stop = np.clip(np.ceil(boxes[:, 0] + boxes[:, 2] - 0.5), 0, sizes[:, 1]).astype(np.int64)
    return Columns(first, offsets_of(np.maximum(stop - first, 0)))


def _numbers_of(columns: Columns) -> Ints:
    """Return the number of each column in its image, int64 (C,)."""
    return np.asarray(np.arange(columns.offsets[-1]) + np.repeat(columns.first - columns.offsets[:-1], columns.counts))


def _rows(boxes: Floats, sizes: Ints, columns: Columns, *, ellipse: bool) -> Rows:
    """Return the rows of boxes, or of the ellipses inscribed in them, in each of their columns."""
    return (_rows_of_ellipses if ellipse else _rows_of_boxes)(boxes, sizes, columns)


def _rows_of_boxes(boxes: Floats, sizes: Ints, columns: Columns) -> Rows:
    y, height = boxes[:, 1], boxes[:, 3]
    top, bottom = (np.clip(np.ceil(end - 0.5), 0, sizes[:, 0]).astype(np.int64) for end in (y, y + height))
    return Rows(np.repeat(top, columns.counts), np.repeat(np.maximum(bottom, top), columns.counts))


def _rows_of_ellipses(boxes: Floats, sizes: Ints, columns: Columns) -> Rows:
    counts = columns.counts
    x, y, width, height = boxes.T
    half_width, half_height = np.repeat(width / 2, counts), np.repeat(height / 2, counts)
    across = (_numbers_of(columns) + 0.5 - np.repeat(x, counts) - half_width) / half_width
    reach = half_height * np.sqrt(np.maximum(1 - across**2, 0))
    middle, rows = np.repeat(y + height / 2, counts), np.repeat(sizes[:, 0], counts)
    top = np.clip(np.ceil(middle - reach - 0.5), 0, rows).astype(np.int64)
    bottom = np.clip(np.floor(middle + reach - 0.5) + 1, 0, rows).astype(np.int64)
    return Rows(top, np.maximum(bottom, top))
