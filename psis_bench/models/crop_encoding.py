"""From mask crops to run lengths, all instances at once, without ever making an image: on any device.

The masks are those of `psis_bench.models.paste.paste_crop`, bit for bit. In a column of pixels the value between two
rows of cells is linear. Where both ends are clearly above the threshold all pixels between them are inside, where both
are clearly below it none is, and only between ends that disagree, or come near the threshold, are pixels looked at one
by one: work grows with the outline of a mask, not with its area.

Near the threshold a pixel gets the value that a chain of fused multiply-adds in float32 gives, rows before columns. It
is computed in float64, where a product of two float32 numbers is exact, and so is the same on every device.

Shapes: N instances, S cells a side, C columns of pixels and P pixels of all instances together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from psis_bench.run_length_strings import encode_strings
from psis_bench.run_lengths import Ints, from_spans

_CLEARLY = 1e-5
"""By how much a cell is clearly on one side of the threshold: float32 is off by less than a hundredth of that."""

_PIXELS_AT_ONCE = 2**21
"""Pixels of boxes that are worked on at once, which bounds memory: about 100 bytes each where all are near 0.5."""


class _Axis(NamedTuple):
    """Where the pixels of one axis of all boxes lie in their crops; ``P`` of them, instance by instance.

    Args:
        first: long (N,): the first pixel that can be inside.
        counts: long (N,): how many there are from there on.
        instances: long (P,): the instance of each.
        cells: long (P,): the cell before it, -1 to S - 1; cells -1 and S are zero.
        near: float32 (P,): weight of that cell.
        far: float32 (P,): weight of the next one.
    """

    first: Tensor
    counts: Tensor
    instances: Tensor
    cells: Tensor
    near: Tensor
    far: Tensor


class _Spans(NamedTuple):
    """Spans of pixels inside masks, counted down the columns of the image, in their order.

    Args:
        instances: long (n,).
        starts: long (n,): the first pixel.
        stops: long (n,): one after the last.
    """

    instances: Tensor
    starts: Tensor
    stops: Tensor


def encode_crops(
    crops: Tensor, boxes: Tensor, *, height: int, width: int, threshold: float = 0.5, grid: str = "cells"
) -> list[str]:
    """Return the compressed run lengths of mask crops pasted at their boxes.

    Each is what ``pycocotools.mask.encode`` gives for the image with the mask of `paste_crop` in it, byte for byte.

    Args:
        crops: float (N, S, S) probabilities in [0, 1]; one with a value that is not finite is an empty mask.
        boxes: float (N, 4): x1, y1, x2, y2 in pixels of the image; parts outside it are cut off.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        threshold: Pixels strictly above it belong to the mask; at least 0.5.
        grid: ``"cells"`` or ``"edges"``, see `psis_bench.models.paste`.

    Raises:
        ValueError: The threshold is below 0.5, or a box is not finite.
    """
    if threshold < 0.5:
        raise ValueError("a threshold below 0.5 could mark pixels outside the box")
    if not len(crops):
        return []
    crops = crops.detach().to("cpu" if crops.device.type == "mps" else crops.device, torch.float32)  # mps: no float64
    boxes = boxes.detach().to(crops.device, torch.float64)
    if not bool(torch.isfinite(boxes).all()):
        raise ValueError("a box is not finite")
    finite = torch.isfinite(crops).flatten(1).all(dim=1)
    padded = functional.pad(torch.where(finite[:, None, None], crops, 0.0), (1, 1, 1, 1))
    rows = _axis(boxes[:, 1], boxes[:, 3], cells=crops.shape[1], length=height, grid=grid)
    columns = _axis(boxes[:, 0], boxes[:, 2], cells=crops.shape[2], length=width, grid=grid)
    found: list[tuple[Ints, ...]] = []
    for start, stop in _chunks((columns.counts * rows.counts.clamp(min=padded.shape[1])).tolist()):
        part = _spans(
            padded[start:stop],
            _part(rows, start, stop),
            _part(columns, start, stop),
            height=height,
            threshold=threshold,
        )
        found.append((part.instances.cpu().numpy() + start, part.starts.cpu().numpy(), part.stops.cpu().numpy()))
    instances, starts, stops = (np.concatenate(parts) for parts in zip(*found, strict=True))
    pixels = np.full(len(crops), height * width, np.int64)
    return encode_strings(from_spans(starts, stops, np.bincount(instances, minlength=len(crops)), pixels))


def _axis(start: Tensor, stop: Tensor, *, cells: int, length: int, grid: str) -> _Axis:
    """Return what `psis_bench.models.paste` computes for one axis of one box, for that of all boxes (N,)."""
    side = (stop - start).clamp(min=1e-9)
    if grid == "edges":
        step, offset = (length / (length - 1), 0.0) if length > 1 else (1.0, 0.5)
        first = torch.ceil((start - offset) / step).clamp(min=0, max=length)
        last = torch.floor((stop - offset) / step).clamp(min=-1, max=length - 1) + 1
    else:
        step, offset = 1.0, 0.5
        first = torch.ceil(start - 0.5).clamp(min=0, max=length)
        last = torch.ceil(stop - 0.5).clamp(min=0, max=length)
    first, counts = first.long(), (last - first).clamp(min=0).long()
    instances, places = _ragged(counts)
    centres = (first[instances] + places).double() * step + offset
    position = (centres - start[instances]) / side[instances]
    position = (position * (cells - 1)).clamp(0, cells - 1) if grid == "edges" else position * cells - 0.5
    before = torch.floor(position)
    near = (1.0 - (position - before).abs()).float()
    far = (1.0 - (position - (before + 1.0)).abs()).clamp(min=0).float()
    return _Axis(first, counts, instances, before.long(), near, far)


def _ragged(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each of ``counts.sum()`` elements whose it is, and which of its own."""
    owners = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    return owners, torch.arange(len(owners), device=counts.device) - _before(counts).index_select(0, owners)


def _chunks(areas: list[int]) -> Iterator[tuple[int, int]]:
    """Yield ranges of instances whose boxes have `_PIXELS_AT_ONCE` pixels or less, and at least one instance."""
    start, together = 0, 0
    for place, area in enumerate(areas):
        if place > start and together + area > _PIXELS_AT_ONCE:
            yield start, place
            start, together = place, 0
        together += area
    yield start, len(areas)


def _part(axis: _Axis, start: int, stop: int) -> _Axis:
    """Return the instances from ``start`` to ``stop``, numbered from 0."""
    low, high = int(axis.counts[:start].sum()), int(axis.counts[:stop].sum())
    return _Axis(
        axis.first[start:stop], axis.counts[start:stop], axis.instances[low:high] - start,
        axis.cells[low:high], axis.near[low:high], axis.far[low:high],
    )  # fmt: skip


def _spans(padded: Tensor, rows: _Axis, columns: _Axis, *, height: int, threshold: float) -> _Spans:
    """Return the spans inside the masks of crops (N, S + 2, S + 2) that are zero all around."""
    if not len(rows.instances) or not len(columns.instances):
        return _Spans(*(torch.zeros(0, dtype=torch.long, device=padded.device) for _ in _Spans._fields))
    cells = padded.shape[1] - 1  # gaps between rows of cells, those to the zeros around included
    along = _values_at_cells(padded, columns)
    above, below = along > threshold + _CLEARLY, along < threshold - _CLEARLY
    inside = functional.pad(above[:, :-1] & above[:, 1:], (1, 1))
    # How many pixels of a column each gap of its instance has, and where in the column they end.
    gaps = torch.bincount(rows.instances * cells + rows.cells + 1, minlength=len(padded) * cells).view(-1, cells)
    ends = torch.cumsum(gaps, 1)
    own = columns.instances
    unclear = ~(inside[:, 1:-1] | (below[:, :-1] & below[:, 1:])) & (gaps > 0).index_select(0, own)
    opening = inside[:, 1:-1] & ~inside[:, :-2]
    closing = inside[:, 1:-1] & ~inside[:, 2:]

    # In the order of their pixels: gaps that are looked into, and runs of gaps that are all inside.
    column, place = _nonzero(unclear | opening)
    looked_into = _at(unclear.view(-1), column * cells + place)
    gap = _at(own, column) * cells + place
    lengths = _at(gaps.view(-1), gap)
    first = _at(ends.view(-1), gap) - lengths
    column_closing, place_closing = _nonzero(closing)
    closed = _at(ends.view(-1), _at(own, column_closing) * cells + place_closing)
    lengths[~looked_into] = closed - first[~looked_into]

    # One element for a run of gaps, one for each pixel of the other gaps.
    element, nth = _ragged(torch.where(looked_into, lengths, 1))
    row = _at(first, element) + nth
    values = _values(padded, rows, columns, row, (column, place, element), along, threshold=threshold)
    lengths = torch.where(looked_into, 1, lengths)
    certain = _at(~looked_into & (lengths > 0), element)
    kept = torch.nonzero((values > threshold) & _at(looked_into, element) | certain).flatten()
    row, element = _at(row, kept), _at(element, kept)
    column = _at(column, element)
    across = torch.arange(len(own), device=own.device) - _before(columns.counts)[own] + columns.first[own]
    starts = _at(across * height + rows.first[own], column) + row
    return _joined(_Spans(_at(own, column), starts, starts + _at(lengths, element)))


def _values_at_cells(padded: Tensor, columns: _Axis) -> Tensor:
    """Return the values of each column of pixels at the rows of cells (C, S + 2), to about 1e-7."""
    side = padded.shape[2]
    lines = padded.transpose(1, 2).reshape(-1, padded.shape[1])
    line = columns.instances * side + columns.cells + 1
    near = lines.index_select(0, line).mul_(columns.near[:, None])
    return near.add_(lines.index_select(0, line + 1).mul_(columns.far[:, None]))


def _values(  # noqa: PLR0917 - one table of pixels, column by column
    padded: Tensor,
    rows: _Axis,
    columns: _Axis,
    row: Tensor,
    gaps: tuple[Tensor, Tensor, Tensor],
    along: Tensor,
    *,
    threshold: float,
) -> Tensor:
    """Return the values of pixels, float32 (n,): exact where they are near the threshold, elsewhere to about 1e-7.

    Args:
        padded: (N, S + 2, S + 2).
        rows: Of all instances.
        columns: Of all instances.
        row: long (n,): each pixel's row within the box.
        gaps: The column of each of m gaps between rows of cells, its place there, and the gap of each pixel (n,).
        along: (C, S + 2), see `_values_at_cells`.
        threshold: What values are compared with.
    """
    column, place, element = gaps
    corner = column * along.shape[1] + place
    ends = _at(torch.stack([_at(along.view(-1), corner), _at(along.view(-1), corner + 1)], dim=1), element)
    before = _at(_before(rows.counts), _at(columns.instances, column))
    row = (_at(before, element) + row).clamp(max=len(rows.near) - 1)  # runs of no pixels reach beyond
    weights = _at(torch.stack([rows.near, rows.far], dim=1), row)
    values = torch.addcmul(ends[:, 0] * weights[:, 0], ends[:, 1], weights[:, 1])
    close = torch.nonzero((values - threshold).abs() <= _CLEARLY).flatten()
    if len(close):
        values[close] = _exact_values(padded, rows, columns, row[close], column[element[close]])
    return values


def _exact_values(padded: Tensor, rows: _Axis, columns: _Axis, row: Tensor, column: Tensor) -> Tensor:
    """Return the values, float32 (n,), of pixels given by their row and column among those of all instances."""
    own = columns.instances[column]
    y, x = rows.cells[row] + 1, columns.cells[column] + 1
    near, far = rows.near[row], rows.far[row]
    left = _fused(padded[own, y, x], near, padded[own, y + 1, x], far)
    right = _fused(padded[own, y, x + 1], near, padded[own, y + 1, x + 1], far)
    return _fused(left, columns.near[column], right, columns.far[column])


def _fused(first: Tensor, weight: Tensor, second: Tensor, further: Tensor) -> Tensor:
    """Return ``second * further + (first * weight)``, the sum rounded once to float32."""
    return (second.double() * further.double() + (first * weight).double()).float()


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Return ``values[places]``, faster on a CPU."""
    return values.index_select(0, places)


def _before(counts: Tensor) -> Tensor:
    """Return the sum of the counts before each."""
    return torch.cumsum(counts, 0) - counts


def _nonzero(flags: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows and columns where a matrix is True, row by row; faster than ``torch.nonzero`` of a matrix."""
    places = torch.nonzero(flags.flatten()).flatten()
    row = torch.div(places, flags.shape[1], rounding_mode="floor")
    return row, places - row * flags.shape[1]


def _joined(spans: _Spans) -> _Spans:
    """Join spans that touch, also from the bottom of a column to the top of the next."""
    if not len(spans.starts):
        return spans
    apart = (spans.starts[1:] != spans.stops[:-1]) | (spans.instances[1:] != spans.instances[:-1])
    edge = torch.ones(1, dtype=torch.bool, device=apart.device)
    begins, ends = torch.cat([edge, apart]), torch.cat([apart, edge])
    begins, ends = torch.nonzero(begins).flatten(), torch.nonzero(ends).flatten()
    return _Spans(_at(spans.instances, begins), _at(spans.starts, begins), _at(spans.stops, ends))
