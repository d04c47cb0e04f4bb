"""COCO's compressed run lengths: decoding them after checking, and writing them, many at a time.

How a number is written: `psis_bench.run_length_numbers`. From the fourth number on it is the difference to the run two
places before, so that the runs at odd places are one sum that goes on, those at even places from the
third on another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from psis_bench.run_length_numbers import TOO_LARGE, RleError, are_within, codes_of, first_of, read_numbers, refuse
from psis_bench.run_lengths import (
    Ints,
    RunLengths,
    batches,
    concatenate,
    merge_empty_runs,
    offsets_of,
    places_of,
    row_extents,
)

MAX_PIXELS = 2**32 - 1
"""Pixels of the largest image whose run lengths the reference implementation can hold (uint32)."""


def joined(strings: Sequence[str]) -> tuple[npt.NDArray[np.uint8], Ints]:
    """Return the characters of N ASCII texts one after the other, and where each begins and the last ends.

    Returns:
        uint8 (B,) and int64 (N + 1,), as `decode_strings` and `measure_strings` take them.

    Raises:
        ValueError: A character is not ASCII.
    """
    data = np.frombuffer("".join(strings).encode("ascii"), np.uint8)
    return data, offsets_of(np.array([*map(len, strings)], np.int64))


def decode_strings(data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints) -> RunLengths:
    """Decode compressed run lengths after checking every one of them.

    Args:
        data: uint8 (B,): the bytes of all strings, one after the other.
        offsets: int64 (N + 1,): string ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        pixels: int64 (N,): height times width of each mask's image.

    Raises:
        RleError: Of the first fault of the kind that is looked for first, in the first some masks that have any; names
            the mask.
    """
    parts = [chains.joined() for _, chains in _checked(data, offsets, pixels)]
    lengths = [np.diff(part.offsets) for part in parts]
    return RunLengths(
        runs=np.concatenate([np.zeros(0, np.int64), *(part.runs for part in parts)]),
        offsets=offsets_of(np.concatenate([np.zeros(0, np.int64), *lengths])),
    )


class Measured(NamedTuple):
    """What is known of ``N`` masks without keeping their run lengths.

    Args:
        areas: int64 (N,): the pixels inside each.
        has_empty_runs: bool (N,): as `RunLengths.has_empty_runs`.
        starts: uint32 (N,): the first pixel inside, counted down the columns of the image. With empty runs perhaps one
            before it.
        stops: uint32 (N,): one after the last pixel inside, or after a later one; of an empty mask ``starts`` or more.
        rows: int64 (2, N): `row_extents`, where the heights of the images were given.
    """

    areas: Ints
    has_empty_runs: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.uint32]
    stops: npt.NDArray[np.uint32]
    rows: Ints | None


def measure_strings(
    data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints, *, heights: Ints | None = None
) -> Measured:
    """Check compressed run lengths as `decode_strings` does, without keeping what they say.

    Args:
        data: As there.
        offsets: As there.
        pixels: As there.
        heights: int64 (N,): of the images, when it is also to be told between which rows each mask lies.

    Raises:
        RleError: As `decode_strings`.
    """
    count = len(pixels)
    starts, stops = np.zeros((2, count), np.uint32)
    rows = None if heights is None else np.zeros((2, count), np.int64)
    found = Measured(np.zeros(count, np.int64), np.zeros(count, bool), starts, stops, rows)
    for part, chains in _checked(data, offsets, pixels):
        starts_odd = chains.offsets[:-1] % 2
        found.areas[part] = np.where(starts_odd, chains.even.sums, chains.odd.sums)
        found.has_empty_runs[part] = chains.has_empty_runs()
        first, last = chains.outer_runs()
        starts[part], stops[part] = first, pixels[part] - last
        if rows is not None and heights is not None:
            rows[:, part] = row_extents(chains.joined(), heights[part])
    return found


class _Chain(NamedTuple):
    """Every other run of some masks, one mask after the other.

    Args:
        runs: int32 or int64 (C,).
        bounds: int64 (N + 1,): mask i has ``runs[bounds[i]:bounds[i + 1]]``, perhaps none.
        sums: (N,): of each mask's runs; right where no run is negative or larger than an image.
    """

    runs: Ints
    bounds: Ints
    sums: Ints


class _Chains(NamedTuple):
    """The runs of some masks: those at even and those at odd places of all, counted from the first mask's first run.

    Args:
        even: Those at even places.
        odd: Those at odd places.
        offsets: int64 (N + 1,): where the runs of each mask begin among all, and the last ends.
    """

    even: _Chain
    odd: _Chain
    offsets: Ints

    def has_empty_runs(self) -> npt.NDArray[np.bool_]:
        """Tell which masks have a run of no pixels after their first, bool (N,)."""
        found = np.zeros(len(self.offsets) - 1, bool)
        for parity, chain in enumerate((self.even, self.odd)):
            places = np.flatnonzero(chain.runs == 0)
            masks = np.searchsorted(chain.bounds, places, side="right") - 1
            found[masks[2 * places + parity != self.offsets[masks]]] = True
        return found

    def outer_runs(self) -> tuple[Ints, Ints]:
        """Return how many pixels lie before and after the inside of each mask, int64 (N,); of an empty one all, 0."""
        first, last = self.offsets[:-1], self.offsets[1:] - 1
        ends_outside = ((last - first) % 2 == 0) & (last > first)
        return self._at(first), np.where(ends_outside, self._at(last), 0)

    def _at(self, places: Ints) -> Ints:
        found = np.empty(len(places), np.int64)
        for parity, chain in enumerate((self.even, self.odd)):
            own = places % 2 == parity
            found[own] = chain.runs[places[own] // 2]
        return found

    def joined(self) -> RunLengths:
        """Return the masks with their runs in order."""
        runs = np.empty(self.offsets[-1], self.even.runs.dtype)
        runs[0::2], runs[1::2] = self.even.runs, self.odd.runs
        return RunLengths(runs=runs, offsets=self.offsets)

    def fit(self, pixels: Ints) -> bool:
        """Whether no run is negative or larger than an image, and those of each mask add up to its image."""
        most = int(pixels.max())
        within = all(
            int(chain.runs.min(initial=0)) >= 0 and int(chain.runs.max(initial=0)) <= most
            for chain in (self.even, self.odd)
        )
        return within and np.array_equal(self.even.sums + self.odd.sums, pixels)


def _checked(data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints) -> Iterator[tuple[slice, _Chains]]:
    """Yield the runs of some masks at a time, and which these are."""
    for first, stop in batches(offsets):
        try:
            chains = _read(data[offsets[first] : offsets[stop]], offsets[first : stop + 1], pixels[first:stop])
            if not chains.fit(pixels[first:stop]):
                check_lengths(chains.joined(), pixels[first:stop])
        except RleError as error:
            raise RleError(error.reason, index=first + error.index) from error
        yield slice(first, stop), chains


def _read(data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints) -> _Chains:
    """Read the runs of some masks; they are int32 where nothing that is added up can be too large for it."""
    lengths = np.diff(offsets)
    refuse(lengths == 0, "the run lengths are empty")
    refuse((pixels < 1) | (pixels > MAX_PIXELS), "the image has no pixels or too many")
    small = int(pixels.max()) * int(lengths.max()) < TOO_LARGE
    numbers, run_offsets = read_numbers(data, offsets - offsets[0], small=small)
    if small and not are_within(numbers, int(pixels.max())):
        numbers = numbers.astype(np.int64)  # no valid mask has one: which of them is wrong is found out later
    even, odd = (_undo_differences(numbers, run_offsets, parity) for parity in (0, 1))
    return _Chains(even, odd, run_offsets)


def _undo_differences(numbers: Ints, offsets: Ints, parity: int) -> _Chain:
    """Add up the numbers at places of one parity, mask by mask; what is in their places in ``numbers`` is lost.

    All are added up at once; where a sum begins anew, what the one before has come to is taken off first.
    """
    # NumPy adds up every other number of an array four times as fast as the same numbers in a row.
    chain = numbers[parity::2]
    bounds = (offsets - parity + 1) // 2
    starts, lengths = bounds[:-1], np.diff(bounds)
    so_far = np.cumsum(chain, dtype=chain.dtype)
    ends = np.diff(np.where(bounds > 0, so_far[bounds - 1], 0)) if len(chain) else np.zeros(len(lengths), chain.dtype)
    # A mask's first number begins no sum: the third does, which is the next one here.
    first = starts[(offsets[:-1] % 2 == parity) & (lengths > 1)]
    ends[(offsets[:-1] % 2 == parity) & (lengths > 1)] -= chain[first]
    chain[first + 1] -= chain[first]
    there = lengths > 0
    chain[starts[there][1:]] -= ends[there][:-1]
    runs = np.cumsum(chain, dtype=chain.dtype)
    return _Chain(runs, bounds, _sums(runs, bounds))


def _sums(values: Ints, bounds: Ints) -> Ints:
    """Return the sum of each part, (N,), 0 of one without values."""
    sums = np.zeros(len(bounds) - 1, values.dtype)
    there = bounds[1:] > bounds[:-1]  # reduceat does not know parts without values
    if there.any():
        sums[there] = np.add.reduceat(values, bounds[:-1][there], dtype=values.dtype)
    return sums


def check_lengths(masks: RunLengths, pixels: Ints) -> None:
    """Check that no run is negative and that those of each mask add up to its image.

    Args:
        masks: N masks.
        pixels: int64 (N,): height times width of each one's image.

    Raises:
        RleError: Of the first fault of the kind that is looked for first.
    """
    refuse((pixels < 1) | (pixels > MAX_PIXELS), "the image has no pixels or too many")
    masks = RunLengths(runs=masks.runs.astype(np.int64), offsets=masks.offsets)
    lengths = np.diff(masks.offsets)
    for wrong, reason in (
        (masks.runs < 0, "is negative"),
        (masks.runs > np.repeat(pixels, lengths), "is larger than the image"),
    ):
        if wrong.any():
            index, place = first_of(wrong, masks.offsets)
            raise RleError(f"run length {place} {reason} ({masks[index][place]})", index=index)
    sums = masks.pixels()
    if not np.array_equal(sums, pixels):
        index = int(np.flatnonzero(sums != pixels)[0])
        raise RleError(f"the run lengths add up to {sums[index]}, not to {pixels[index]} pixels", index=index)


def encode_string(runs: Ints) -> str:
    """Return the compressed form of one mask's run lengths: the bytes pycocotools gives, as text.

    Args:
        runs: int64 (r,): run lengths as an encoder makes them.
    """
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    codes, _ = codes_of(numbers)
    return bytes((codes + 48).astype(np.uint8)).decode("ascii")


def encode_strings(masks: RunLengths) -> list[str]:
    """Return the compressed form of many masks' run lengths, the bytes pycocotools gives, as texts.

    Args:
        masks: N masks; runs of no pixels after the first are merged into their neighbours.
    """
    empty = masks.has_empty_runs()
    if empty.any():
        masks = concatenate([merge_empty_runs(masks[i]) if empty[i] else masks[i] for i in range(len(masks))])
    numbers = masks.runs.copy()
    later = places_of(masks.offsets) >= 3
    numbers[later] -= masks.runs[np.flatnonzero(later) - 2]
    codes, groups = codes_of(numbers)
    ends = offsets_of(groups)[masks.offsets]
    text = (codes + 48).astype(np.uint8).tobytes().decode("ascii")
    return [text[start:stop] for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
