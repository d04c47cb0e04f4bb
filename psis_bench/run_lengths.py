"""Many masks as run lengths: areas, IoU and making them from spans, without ever making a full image.

COCO's run-length encoding lists, column by column, how many pixels are outside, inside, outside, ... the mask.
`psis_bench.run_length_strings` has its compressed form. Everything works on all masks of a batch at once in NumPy, some
at a time where that keeps them in a processor's cache.

Shapes: ``N`` masks with ``R`` runs in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_AT_ONCE = 2**17
"""Runs or characters that are worked on at once: few enough for a processor's cache."""


@dataclass(frozen=True, kw_only=True)
class RunLengths:
    """The run lengths of ``N`` masks, one after the other.

    Args:
        runs: int64 (R,): pixels outside, inside, outside, ... for each mask; none negative.
        offsets: int64 (N + 1,): mask ``i`` has ``runs[offsets[i]:offsets[i + 1]]``, at least one run.
    """

    runs: Ints
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ints:
        """Return the run lengths of one mask, int64 (r,)."""
        return self.runs[self.offsets[index] : self.offsets[index + 1]]

    def take(self, indices: Ints) -> RunLengths:
        """Return the masks at ``indices``, in that order."""
        lengths = np.diff(self.offsets)[indices]
        offsets = offsets_of(lengths)
        source = np.repeat(self.offsets[:-1][indices] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return RunLengths(runs=self.runs[source], offsets=offsets)

    def between(self, start: int, stop: int) -> RunLengths:
        """Return the masks from ``start`` to ``stop``, without copying their runs."""
        low, high = self.offsets[start], self.offsets[stop]
        return RunLengths(runs=self.runs[low:high], offsets=self.offsets[start : stop + 1] - low)

    def areas(self) -> Ints:
        """Return the number of pixels inside each mask, int64 (N,)."""
        return self.areas_within(self.pixels())

    def areas_within(self, pixels: Ints) -> Ints:
        """Return what `areas` does where the pixels of each mask's image are known, int64 (N,)."""
        alternating = self.runs.copy()
        np.negative(alternating[1::2], out=alternating[1::2])
        outside_less_inside = np.where(self.offsets[:-1] % 2, -1, 1) * _segment_sums(alternating, self.offsets)
        return np.asarray((pixels - outside_less_inside) // 2, np.int64)

    def pixels(self) -> Ints:
        """Return the number of pixels of each mask's image, int64 (N,)."""
        return _segment_sums(self.runs, self.offsets)

    def has_empty_runs(self) -> npt.NDArray[np.bool_]:
        """Tell which masks have a run of no pixels after their first, bool (N,).

        No encoder writes those, and the reference implementation stops at them when it compares masks.
        """
        empty = np.flatnonzero(self.runs == 0)
        masks = np.searchsorted(self.offsets, empty, side="right") - 1
        found = np.zeros(len(self), bool)
        found[masks[empty > self.offsets[masks]]] = True
        return found


def concatenate(masks: list[Ints]) -> RunLengths:
    """Join the run lengths of single masks to a batch."""
    runs = np.concatenate(masks) if masks else np.zeros(0, np.int64)
    return RunLengths(runs=runs, offsets=offsets_of(np.array([len(mask) for mask in masks], np.int64)))


def from_spans(starts: Ints, stops: Ints, spans: Ints, pixels: Ints) -> RunLengths:
    """Make masks from the spans of pixels inside them.

    Args:
        starts: int64 (S,): the first pixel of each span, counted down the columns of its image.
        stops: int64 (S,): one after its last pixel.
        spans: int64 (N,): how many consecutive, ascending spans mask i has.
        pixels: int64 (N,): height times width of each image.

    Returns:
        N masks; where spans touch, or reach the last pixel, a run of no pixels lies between or behind them.
    """
    lengths = 2 * spans + 1
    offsets = offsets_of(lengths)
    edges = np.empty(offsets[-1], np.int64)
    place = 2 * np.arange(len(starts)) + np.repeat(np.arange(len(spans)), spans)
    edges[place], edges[place + 1] = starts, stops
    edges[offsets[1:] - 1] = pixels
    runs = np.diff(edges, prepend=0)
    runs[offsets[:-1]] = edges[offsets[:-1]]
    return RunLengths(runs=runs, offsets=offsets)


def batches(offsets: Ints) -> Iterator[tuple[int, int]]:
    """Yield ranges of masks whose parts, given by their offsets (N + 1,), have about `_AT_ONCE` entries together."""
    first, count = 0, len(offsets) - 1
    while first < count:
        stop = int(np.searchsorted(offsets, offsets[first] + _AT_ONCE, side="right")) - 1
        stop = min(max(stop, first + 1), count)
        yield first, stop
        first = stop


def merge_empty_runs(runs: Ints) -> Ints:
    """Return the same mask's run lengths without runs of no pixels (but for the first)."""
    edges = np.cumsum(runs)
    inside = np.arange(len(runs)) % 2 == 1
    kept = runs > 0
    kept_inside, kept_edges = inside[kept], edges[kept]
    ends = np.append(kept_inside[1:] != kept_inside[:-1], True)
    lengths = np.diff(kept_edges[ends], prepend=0)
    return np.asarray(np.concatenate([[0], lengths]) if kept_inside[0] else lengths, np.int64)


def pairwise_iou(first: RunLengths, second: RunLengths) -> npt.NDArray[np.float64]:
    """Return the IoU of the i-th mask of ``first`` with the i-th of ``second``, float64 (N,).

    The masks of all pairs are laid end to end on one line; the intersection is how much of ``second``
    lies below the end minus below the start of each run of ``first``. Two empty masks have IoU 0.

    Raises:
        ValueError: The two batches differ in length or in the sizes of their images.
    """
    if len(first) != len(second) or (len(first) and not np.array_equal(first.pixels(), second.pixels())):
        raise ValueError("masks can be compared in pairs of one image size only")
    intersection = np.zeros(len(first), np.int64)
    for start, stop in batches(first.offsets):
        intersection[start:stop] = _intersections(first.between(start, stop), second.between(start, stop))
    union = first.areas() + second.areas() - intersection
    return np.asarray(intersection / np.maximum(union, 1), np.float64)


def _intersections(first: RunLengths, second: RunLengths) -> Ints:
    """Return the number of pixels that pairs of masks have in common, int64 (N,)."""
    inside = _inside(first)
    stops = np.cumsum(first.runs)[inside]
    starts = stops - first.runs[inside]
    ends = np.cumsum(second.runs)
    second_inside = _inside(second)
    covered = np.cumsum(np.where(second_inside, second.runs, 0))
    # How much of the second masks lies below each end of a run of the first: what ends before, and a part of one run.
    position = np.concatenate([stops, starts])
    run = np.searchsorted(ends, position, side="left")
    below = covered[run] - second_inside[run] * (ends[run] - position)
    common = np.zeros(len(first.runs), np.int64)
    common[inside] = below[: len(stops)] - below[len(stops) :]
    return _segment_sums(common, first.offsets)


def column_pieces(masks: RunLengths, heights: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Cut the runs inside masks at the ends of the image's columns.

    Args:
        masks: N masks.
        heights: int64 (N,): of the images.

    Returns:
        Of each piece, in their order: its mask, its column, its first row and one after its last row, int64 (P,); a
        run of no pixels is a piece of no rows.
    """
    inside = np.flatnonzero(_inside(masks))
    owners = np.repeat(np.arange(len(masks)), np.diff(masks.offsets) // 2)
    ends = np.cumsum(masks.runs)
    before = np.append(0, ends)[masks.offsets[:-1]]
    lengths, height = masks.runs[inside], heights[owners]
    starts = ends[inside] - lengths - before[owners]
    columns = (starts / height).astype(np.int64)  # exact: no such quotient is near enough to the next integer
    tops = starts - columns * height
    bottoms = tops + lengths
    if (bottoms > height).any():
        counts = np.maximum(-(-bottoms // height), 1)
        nth = places_of(offsets_of(counts))
        owners, columns, height = (np.repeat(values, counts) for values in (owners, columns, height))
        columns += nth
        tops = np.where(nth, 0, np.repeat(tops, counts))
        bottoms = np.minimum(np.repeat(bottoms, counts) - nth * height, height)
    return owners, columns, tops, bottoms


def row_extents(masks: RunLengths, heights: Ints) -> tuple[Ints, Ints]:
    """Return between which rows each mask lies.

    Args:
        masks: N masks.
        heights: int64 (N,): of the images.

    Returns:
        The first row and one after the last, each int64 (N,), 0 and 0 of an empty mask; of a mask with empty runs
        perhaps more rows than its own.
    """
    tops, bottoms = np.zeros((2, len(masks)), np.int64)
    inside = np.flatnonzero(_inside(masks))
    counts = np.diff(masks.offsets) // 2
    there = counts > 0
    if not len(inside):
        return tops, bottoms
    ends = np.cumsum(masks.runs)
    height = np.repeat(heights, counts)
    lengths = masks.runs[inside]
    starts = ends[inside] - lengths - np.repeat(np.append(0, ends)[masks.offsets[:-1]], counts)
    top = starts - (starts / height).astype(np.int64) * height  # exact: as in column_pieces
    bottom = top + lengths
    goes_on = bottom > height
    top[goes_on], bottom[goes_on] = 0, height[goes_on]
    first = offsets_of(counts)[:-1][there]
    tops[there], bottoms[there] = np.minimum.reduceat(top, first), np.maximum.reduceat(bottom, first)
    return tops, bottoms


def _inside(masks: RunLengths) -> npt.NDArray[np.bool_]:
    """Tell which runs are inside their mask, bool (R,)."""
    flags = np.zeros(len(masks.runs), bool)
    flags[1::2] = True
    odd = masks.offsets[:-1] % 2 == 1
    if odd.any():
        flags ^= np.repeat(odd, np.diff(masks.offsets))
    return flags


def offsets_of(lengths: Ints) -> Ints:
    """Return where each of consecutive parts begins and the last ends, int64 (N + 1,)."""
    return np.append(np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64))


def places_of(offsets: Ints) -> Ints:
    """Return the place of each run within its mask, int64 (R,)."""
    return np.asarray(np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets)), np.int64)


def _segment_sums(values: Ints, offsets: Ints) -> Ints:
    """Return the sum of each part, int64 (N,); no part is empty."""
    return np.add.reduceat(values, offsets[:-1], dtype=values.dtype) if len(offsets) > 1 else np.zeros(0, np.int64)
