"""The numbers in compressed run lengths: groups of five bits, lowest first, one character a group.

A character is ``chr(48 + group)``; its sixth bit says that another group of the number follows. The form is that of
``rleToString``/``rleFrString`` of https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c; those read any
bytes they are given, so that a broken string makes them read or write out of bounds. All is checked here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints, offsets_of

TOO_LARGE = 2**31
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


def read_numbers(data: npt.NDArray[np.uint8], offsets: Ints, *, small: bool) -> tuple[Ints, Ints]:
    """Read the numbers of some strings.

    Args:
        data: uint8 (B,): the bytes of all strings, one after the other.
        offsets: int64 (N + 1,): where each begins, and the last ends; none is empty.
        small: Whether int32 is enough for all but faulty numbers.

    Returns:
        The numbers, (R,), int32 where they are small and int64 elsewhere; and where those of each string begin and the
        last end, int64 (N + 1,).

    Raises:
        RleError: A character is none, a number stops in its middle or is too long.
    """
    codes = data - np.uint8(48)
    if int(codes.max()) > 63:
        index, place = first_of(codes > 63, offsets)
        raise RleError(f"character {place} of the run lengths is not one of {_ALPHABET}", index=index)
    goes_on = codes >= 32
    refuse(goes_on[offsets[1:] - 1], "the run lengths stop in the middle of a number")
    more = np.flatnonzero(goes_on)
    number_offsets = offsets - np.searchsorted(more, offsets)
    return _joined(codes, goes_on, more, number_offsets, np.int32 if small else np.int64), number_offsets


def _joined(
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
    is_first = np.ones(len(more), bool)
    np.not_equal(number[1:], number[:-1], out=is_first[1:])
    first = np.flatnonzero(is_first)
    counts = np.diff(np.append(first, len(more)))
    longer = number[first]
    if int(counts.max()) >= _MAX_GROUPS:
        wrong = np.zeros(len(numbers), bool)
        wrong[longer] = counts >= _MAX_GROUPS
        index, place = first_of(wrong, run_offsets)
        raise RleError(f"run length {place} is larger than any image", index=index)
    place_in_number = np.arange(len(more)) - np.repeat(first, counts)
    low = np.add.reduceat((codes[more] & np.uint8(31)).astype(np.int64) << (5 * place_in_number), first)
    joined = (numbers[longer].astype(np.int64) << (5 * counts)) | low
    if not are_within(joined, TOO_LARGE - 1):
        numbers = numbers.astype(np.int64)
    numbers[longer] = joined
    return numbers


def are_within(numbers: Ints, bound: int) -> bool:
    """Whether no number is larger than a bound, or smaller than its negative."""
    return -bound <= int(numbers.min()) and int(numbers.max()) <= bound


def codes_of(numbers: Ints) -> tuple[Ints, Ints]:
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


def has_padded_numbers(data: npt.NDArray[np.uint8], offsets: Ints) -> npt.NDArray[np.bool_]:
    """Tell which masks have a number in more groups than an encoder writes, bool (N,).

    Args:
        data: uint8 (B,): strings that `measure_strings` has passed.
        offsets: int64 (N + 1,): as there.
    """
    goes_on = np.flatnonzero(data >= 48 + 32)
    before, last = data[goes_on] - np.uint8(48), data[goes_on + 1] - np.uint8(48)
    # The last of several groups says nothing when it only repeats the sign, the fifth bit of the group before.
    places = goes_on[last == np.where(before & np.uint8(16), np.uint8(31), np.uint8(0))]
    found = np.zeros(len(offsets) - 1, bool)
    found[np.searchsorted(offsets, places, side="right") - 1] = True
    return found


def first_of(wrong: npt.NDArray[np.bool_], offsets: Ints) -> tuple[int, int]:
    """Return the mask of the first wrong element and the element's place in it."""
    element = int(np.argmax(wrong))
    index = int(np.searchsorted(offsets, element, side="right")) - 1
    return index, element - int(offsets[index])


def refuse(wrong: npt.NDArray[np.bool_], reason: str) -> None:
    """Raise an error with this reason that names the first mask that is wrong, bool (N,), if there is one."""
    if wrong.any():
        raise RleError(reason, index=int(np.argmax(wrong)))
