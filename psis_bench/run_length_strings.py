"""COCO's compressed run lengths: decoding them after checking, and writing them, many at a time.

Each number is written in groups of five bits, lowest first, one character (``chr(48 + group)``) a group; bit 6 says
that another follows; from the fourth number on, the difference to the number two places before is written. The form is
that of ``rleToString``/``rleFrString`` of https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c; those
read any bytes they are given, so that a broken string makes them read or write out of bounds. All is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import (
    Ints,
    RunLengths,
    batches,
    concatenate,
    merge_empty_runs,
    offsets_of,
    places_of,
)

MAX_PIXELS = 2**32 - 1
"""Pixels of the largest image whose run lengths the reference implementation can hold (uint32)."""

_TOO_LARGE = 2**31
"""What int32 cannot hold."""

_MAX_GROUPS = 7  # a difference of two uint32 has 33 bits with its sign, so at most seven groups of five
_ALPHABET = "characters '0' to 'o'"


class RleError(ValueError):
    """A run-length encoding that is not one.

    Args:
        reason: What is wrong, in words.
        index: Which mask of the batch it is.
    """

    def __init__(self, reason: str, *, index: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index


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
    parts = [part for _, part in _decoded(data, offsets, pixels)]
    lengths = [np.diff(part.offsets) for part in parts]
    return RunLengths(
        runs=np.concatenate([np.zeros(0, np.int64), *(part.runs for part in parts)]),
        offsets=offsets_of(np.concatenate([np.zeros(0, np.int64), *lengths])),
    )


def measure_strings(data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Check compressed run lengths as `decode_strings` does, without keeping what they say.

    Returns:
        The pixels inside each mask, int64 (N,), and whether it has empty runs (`RunLengths.has_empty_runs`), bool (N,).

    Raises:
        RleError: As `decode_strings`.
    """
    areas, empty = np.zeros(len(pixels), np.int64), np.zeros(len(pixels), bool)
    for first, part in _decoded(data, offsets, pixels):
        areas[first : first + len(part)] = part.areas_within(pixels[first : first + len(part)])
        empty[first : first + len(part)] = part.has_empty_runs()
    return areas, empty


def has_padded_numbers(data: npt.NDArray[np.uint8], offsets: Ints) -> npt.NDArray[np.bool_]:
    """Tell which masks have a number in more groups than an encoder writes, bool (N,).

    Args:
        data: uint8 (B,): strings that `measure_strings` has passed.
        offsets: int64 (N + 1,): as there.
    """
    codes = data - np.uint8(48)
    # The last of several groups says nothing when it only repeats the sign, the fifth bit of the group before.
    before, last = codes[:-1], codes[1:]
    says_nothing = last == np.where(before & np.uint8(16), np.uint8(31), np.uint8(0))
    places = np.flatnonzero((before >= 32) & says_nothing)
    found = np.zeros(len(offsets) - 1, bool)
    found[np.searchsorted(offsets, places, side="right") - 1] = True
    return found


def _decoded(data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints) -> Iterator[tuple[int, RunLengths]]:
    """Yield some masks at a time, and which is the first of them."""
    for first, stop in batches(offsets):
        try:
            part = _decode(data[offsets[first] : offsets[stop]], offsets[first : stop + 1], pixels[first:stop])
        except RleError as error:
            raise RleError(error.reason, index=first + error.index) from error
        yield first, part


def _decode(data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints) -> RunLengths:
    """Decode some masks; their runs are int32 where nothing that is added up can be too large for it."""
    codes = data - np.uint8(48)
    offsets = offsets - offsets[0]
    lengths = np.diff(offsets)
    _refuse(lengths == 0, "the run lengths are empty")
    _refuse((pixels < 1) | (pixels > MAX_PIXELS), "the image has no pixels or too many")
    if int(codes.max()) > 63:
        index, place = _first(codes > 63, offsets)
        raise RleError(f"character {place} of the run lengths is not one of {_ALPHABET}", index=index)
    goes_on = codes >= 32
    _refuse(goes_on[offsets[1:] - 1], "the run lengths stop in the middle of a number")
    more = np.flatnonzero(goes_on)
    run_offsets = offsets - np.searchsorted(more, offsets)
    small = int(pixels.max()) * int(lengths.max()) < _TOO_LARGE
    numbers = _numbers(codes, goes_on, more, run_offsets, np.int32 if small else np.int64)
    if small and not _are_within(numbers, int(pixels.max())):
        numbers = numbers.astype(np.int64)  # no valid mask has one: which of them is wrong is found out below
    decoded = RunLengths(runs=_undo_differences(numbers, run_offsets), offsets=run_offsets)
    _check_lengths(decoded, pixels)
    return decoded


def check_lengths(runs: Ints, pixels: int) -> None:
    """Check the run lengths of one mask: none negative, together ``pixels``.

    Raises:
        RleError: They are not.
    """
    _refuse(np.array([len(runs) == 0]), "the run lengths are empty")
    _refuse(np.array([not 1 <= pixels <= MAX_PIXELS]), "the image has no pixels or too many")
    _check_lengths(concatenate([runs]), np.array([pixels], np.int64))


def encode_string(runs: Ints) -> str:
    """Return the compressed form of one mask's run lengths: the bytes pycocotools gives, as text.

    Args:
        runs: int64 (r,): run lengths as an encoder makes them.
    """
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    codes, _ = _codes(numbers)
    return bytes((codes + 48).astype(np.uint8)).decode("ascii")


def _codes(numbers: Ints) -> tuple[Ints, Ints]:
    """Split numbers into groups of five bits with the sixth that says that another follows; and how many each has."""
    groups = np.ones(len(numbers), np.int64)
    for count in range(1, _MAX_GROUPS):
        bound = 1 << (5 * count - 1)
        larger = (numbers >= bound) | (numbers < -bound)
        if not larger.any():
            break
        groups += larger
    offsets = offsets_of(groups)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], groups)
    codes = (np.repeat(numbers, groups) >> (5 * place)) & 31
    codes |= (place < np.repeat(groups, groups) - 1) * 32
    return codes, groups


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
    codes, groups = _codes(numbers)
    ends = offsets_of(groups)[masks.offsets]
    text = (codes + 48).astype(np.uint8).tobytes().decode("ascii")
    return [text[start:stop] for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def _numbers(
    codes: npt.NDArray[np.uint8], goes_on: npt.NDArray[np.bool_], more: Ints, run_offsets: Ints, dtype: type
) -> Ints:
    """Join groups of five bits to signed numbers.

    Args:
        codes: uint8 (B,): the groups, with the sixth bit of those that another follows.
        goes_on: bool (B,): where that bit is set.
        more: int64 (C,): places of those; few, since most numbers are one group.
        run_offsets: int64 (N + 1,): where the numbers of each mask begin.
        dtype: Of the result, int32 or int64; a number that it cannot hold is joined in int64.

    Returns:
        (R,)
    """
    # The fifth bit of the last group is the sign.
    last = (codes[~goes_on] if len(more) else codes).view(np.int8)
    numbers: Ints = ((last ^ np.int8(16)) - np.int8(16)).astype(dtype)
    if not len(more):
        return numbers
    number = more - np.arange(len(more))  # the number that each group belongs to
    first = np.flatnonzero(np.diff(number, prepend=-1))
    counts = np.diff(np.append(first, len(more)))
    longer = number[first]
    if int(counts.max()) >= _MAX_GROUPS:
        wrong = np.zeros(len(numbers), bool)
        wrong[longer] = counts >= _MAX_GROUPS
        index, place = _first(wrong, run_offsets)
        raise RleError(f"run length {place} is larger than any image", index=index)
    place_in_number = np.arange(len(more)) - np.repeat(first, counts)
    low = np.add.reduceat((codes[more] & np.uint8(31)).astype(np.int64) << (5 * place_in_number), first)
    joined = (numbers[longer].astype(np.int64) << (5 * counts)) | low
    if not _are_within(joined, _TOO_LARGE - 1):
        numbers = numbers.astype(np.int64)
    numbers[longer] = joined
    return numbers


def _are_within(numbers: Ints, bound: int) -> bool:
    return -bound <= int(numbers.min()) and int(numbers.max()) <= bound


def _undo_differences(numbers: Ints, offsets: Ints) -> Ints:
    """Add up the numbers at odd places, and those at even places from the third on, mask by mask.

    Every other number of all masks is added up at once, and what had come together before a mask taken off again.
    """
    runs = np.empty_like(numbers)
    starts = offsets[:-1]
    for parity in (0, 1):
        sums = np.cumsum(numbers[parity::2], dtype=numbers.dtype)
        # A chain begins after the mask's first number, which is not part of it, or after the last mask's numbers.
        before = (starts - parity) // 2
        taken_off = (
            np.where(before >= 0, sums[before], sums.dtype.type(0)) if len(sums) else np.zeros(len(starts), sums.dtype)
        )
        runs[parity::2] = sums - np.repeat(taken_off, np.diff((offsets - parity + 1) // 2))
    runs[starts] = numbers[starts]
    return runs


def _check_lengths(decoded: RunLengths, pixels: Ints) -> None:
    runs = decoded.runs
    # Only the sums of runs that are no larger than an image are sure to fit into their type.
    if int(runs.min()) >= 0 and int(runs.max()) <= int(pixels.max()) and np.array_equal(decoded.pixels(), pixels):
        return
    decoded = RunLengths(runs=runs.astype(np.int64), offsets=decoded.offsets)
    sums = decoded.pixels()
    lengths = np.diff(decoded.offsets)
    for wrong, reason in (
        (decoded.runs < 0, "is negative"),
        (decoded.runs > np.repeat(pixels, lengths), "is larger than the image"),
    ):
        if wrong.any():
            index, place = _first(wrong, decoded.offsets)
            raise RleError(f"run length {place} {reason} ({decoded[index][place]})", index=index)
    index = int(np.flatnonzero(sums != pixels)[0])
    raise RleError(f"the run lengths add up to {sums[index]}, not to {pixels[index]} pixels", index=index)


def _first(wrong: npt.NDArray[np.bool_], offsets: Ints) -> tuple[int, int]:
    """Return the mask of the first wrong element and the element's place in it."""
    element = int(np.argmax(wrong))
    index = int(np.searchsorted(offsets, element, side="right")) - 1
    return index, element - int(offsets[index])


def _refuse(wrong: npt.NDArray[np.bool_], reason: str) -> None:
    if wrong.any():
        raise RleError(reason, index=int(np.argmax(wrong)))
