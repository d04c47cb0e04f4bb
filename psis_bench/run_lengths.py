"""Many masks as run lengths: decoding, encoding, areas and IoU without ever making a full image.

COCO's run-length encoding lists, column by column, how many pixels are outside, inside, outside, ...
the mask. In its compressed form each number is written in groups of five bits, lowest first, one
character (``chr(48 + group)``) a group; bit 6 says that another group follows; from the fourth number
on, the difference to the number two places before is written. The form is defined by
``rleToString``/``rleFrString`` of https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c;
those read any bytes they are given, so that a broken string makes them read or write out of bounds.
Everything here is checked first and works on all masks of a batch at once in NumPy.

Shapes: ``N`` masks with ``R`` runs in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MAX_PIXELS = 2**32 - 1
"""Pixels of the largest image whose run lengths the reference implementation can hold (uint32)."""

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
        offsets = _offsets(lengths)
        source = np.repeat(self.offsets[:-1][indices] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return RunLengths(runs=self.runs[source], offsets=offsets)

    def areas(self) -> Ints:
        """Return the number of pixels inside each mask, int64 (N,)."""
        return _segment_sums(np.where(_places(self.offsets) % 2 == 1, self.runs, 0), self.offsets)

    def pixels(self) -> Ints:
        """Return the number of pixels of each mask's image, int64 (N,)."""
        return _segment_sums(self.runs, self.offsets)

    def has_empty_runs(self) -> npt.NDArray[np.bool_]:
        """Tell which masks have a run of no pixels after their first, bool (N,).

        No encoder writes those, and the reference implementation stops at them when it compares masks.
        """
        empty = (self.runs == 0) & (_places(self.offsets) > 0)
        return _segment_sums(empty.astype(np.int64), self.offsets) > 0


def concatenate(masks: list[Ints]) -> RunLengths:
    """Join the run lengths of single masks to a batch."""
    runs = np.concatenate(masks) if masks else np.zeros(0, np.int64)
    return RunLengths(runs=runs, offsets=_offsets(np.array([len(mask) for mask in masks], np.int64)))


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
    offsets = _offsets(lengths)
    edges = np.empty(offsets[-1], np.int64)
    place = 2 * np.arange(len(starts)) + np.repeat(np.arange(len(spans)), spans)
    edges[place], edges[place + 1] = starts, stops
    edges[offsets[1:] - 1] = pixels
    runs = np.diff(edges, prepend=0)
    runs[offsets[:-1]] = edges[offsets[:-1]]
    return RunLengths(runs=runs, offsets=offsets)


def decode_strings(data: npt.NDArray[np.uint8], offsets: Ints, pixels: Ints) -> RunLengths:
    """Decode compressed run lengths after checking every one of them.

    Args:
        data: uint8 (B,): the bytes of all strings, one after the other.
        offsets: int64 (N + 1,): string ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        pixels: int64 (N,): height times width of each mask's image.

    Raises:
        RleError: Of the first fault of the kind that is looked for first; names the mask.
    """
    codes = data[offsets[0] : offsets[-1]] - np.uint8(48)
    offsets = offsets - offsets[0]
    _refuse(np.diff(offsets) == 0, "the run lengths are empty")
    _refuse((pixels < 1) | (pixels > MAX_PIXELS), "the image has no pixels or too many")
    if len(codes) == 0:
        return RunLengths(runs=np.zeros(0, np.int64), offsets=np.zeros(1, np.int64))
    if int(codes.max()) > 63:
        index, place = _first(codes > 63, offsets)
        raise RleError(f"character {place} of the run lengths is not one of {_ALPHABET}", index=index)
    is_last = codes < 32
    _refuse(~is_last[offsets[1:] - 1], "the run lengths stop in the middle of a number")
    last = np.flatnonzero(is_last)
    groups = np.diff(last, prepend=-1)
    run_offsets = np.concatenate([[0], np.cumsum(is_last)[offsets[1:] - 1]]).astype(np.int64)
    if int(groups.max()) > _MAX_GROUPS:
        index, place = _first(groups > _MAX_GROUPS, run_offsets)
        raise RleError(f"run length {place} is larger than any image", index=index)
    runs = _undo_differences(_numbers(codes, last, groups), run_offsets)
    decoded = RunLengths(runs=runs, offsets=run_offsets)
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
    offsets = _offsets(groups)
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
    later = _places(masks.offsets) >= 3
    numbers[later] -= masks.runs[np.flatnonzero(later) - 2]
    codes, groups = _codes(numbers)
    ends = _offsets(groups)[masks.offsets]
    text = (codes + 48).astype(np.uint8).tobytes().decode("ascii")
    return [text[start:stop] for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


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
    inside = _places(first.offsets) % 2 == 1
    stops = np.cumsum(first.runs)[inside]
    starts = stops - first.runs[inside]
    second_inside = _places(second.offsets) % 2 == 1
    second_stops = np.cumsum(second.runs)
    covered = np.cumsum(np.where(second_inside, second.runs, 0))

    def covered_below(position: Ints) -> Ints:
        run = np.searchsorted(second_stops, position, side="left")
        return np.asarray(covered[run] - second_inside[run] * (second_stops[run] - position), np.int64)

    common = np.zeros(len(first.runs), np.int64)
    common[inside] = covered_below(stops) - covered_below(starts)
    intersection = _segment_sums(common, first.offsets)
    union = first.areas() + second.areas() - intersection
    return np.asarray(intersection / np.maximum(union, 1), np.float64)


def _offsets(lengths: Ints) -> Ints:
    return np.append(np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64))


def _places(offsets: Ints) -> Ints:
    """Return the place of each run within its mask, int64 (R,)."""
    return np.asarray(np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets)), np.int64)


def _segment_sums(values: Ints, offsets: Ints) -> Ints:
    below = np.concatenate([[0], np.cumsum(values)]).astype(np.int64)
    return np.asarray(below[offsets[1:]] - below[offsets[:-1]], np.int64)


def _numbers(codes: npt.NDArray[np.uint8], last: Ints, groups: Ints) -> Ints:
    """Join groups of five bits to signed numbers, int64 (R,)."""
    start = last - groups + 1
    numbers: Ints = (codes[start] & 31).astype(np.int64)
    rest = np.flatnonzero(groups > 1)
    place = 1
    while len(rest):
        numbers[rest] |= (codes[start[rest] + place] & 31).astype(np.int64) << (5 * place)
        place += 1
        rest = rest[groups[rest] > place]
    negative = (codes[last] & 16) > 0
    numbers[negative] -= np.int64(1) << (5 * groups[negative])
    return numbers


def _undo_differences(numbers: Ints, offsets: Ints) -> Ints:
    """Add up the numbers at odd places, and those at even places from the third on, mask by mask."""
    runs = numbers.copy()
    places = _places(offsets)
    for chain in (np.flatnonzero(places % 2 == 1), np.flatnonzero((places % 2 == 0) & (places > 0))):
        sums = np.cumsum(numbers[chain])
        first = np.searchsorted(chain, offsets[:-1])
        lengths = np.diff(np.append(first, len(chain)))
        below = np.concatenate([[0], sums])[first]
        runs[chain] = sums - np.repeat(below, lengths)
    return runs


def _check_lengths(decoded: RunLengths, pixels: Ints) -> None:
    lengths = np.diff(decoded.offsets)
    for wrong, reason in (
        (decoded.runs < 0, "is negative"),
        (decoded.runs > np.repeat(pixels, lengths), "is larger than the image"),
    ):
        if wrong.any():
            index, place = _first(wrong, decoded.offsets)
            raise RleError(f"run length {place} {reason} ({decoded[index][place]})", index=index)
    sums = decoded.pixels()
    if not np.array_equal(sums, pixels):
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
