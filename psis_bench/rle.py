"""Single masks in COCO's run-length encoding (RLE): checking, decoding, encoding and IoU.

An RLE is ``{"size": [height, width], "counts": ...}`` with ``counts`` as a list of run lengths or in
the compressed form (text or bytes). pycocotools reads and writes out of bounds when the run lengths do
not add up to height times width, so that no RLE reaches it before `check_rle` has seen it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from psis_bench.run_length_numbers import RleError
from psis_bench.run_length_strings import check_lengths, decode_strings, encode_string
from psis_bench.run_lengths import Ints, concatenate, merge_empty_runs, pairwise_iou

_POLYGON_REACH = 4
"""Polygons may leave the image by this many times its longer side; the rasteriser walks every pixel."""


def check_rle(rle: Mapping[str, Any], *, height: int, width: int) -> None:
    """Check that an RLE describes a mask of ``height`` x ``width`` pixels.

    Args:
        rle: ``{"size": [height, width], "counts": list of int | str | bytes}``.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Raises:
        ValueError: It does not; says why in words.
    """
    _checked_counts(rle, height=height, width=width)


def counts_of(rle: Mapping[str, Any]) -> Ints:
    """Return the run lengths of an RLE, int64 (r,): pixels outside, inside, outside, ... the mask.

    Raises:
        ValueError: The RLE is malformed.
    """
    height, width = _size_of(rle)
    return _checked_counts(rle, height=height, width=width)


def area_of(rle: Mapping[str, Any]) -> int:
    """Return the number of pixels inside the mask.

    Raises:
        ValueError: The RLE is malformed.
    """
    return int(counts_of(rle)[1::2].sum())


def segmentation_to_rle(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Turn a COCO segmentation of any kind into a checked, compressed RLE.

    Polygons are rasterised by pycocotools, which defines their pixels, and their parts joined. Runs of
    no pixels, on which pycocotools stops when it compares masks, are merged into their neighbours.

    Args:
        segmentation: List of polygons ``[x1, y1, x2, y2, ...]`` in absolute pixels, or an RLE.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        ``{"size": [height, width], "counts": str}``.

    Raises:
        ValueError: The segmentation is malformed; says why in words.
    """
    if isinstance(segmentation, Mapping):
        runs = _checked_counts(segmentation, height=height, width=width)
        return {"size": [height, width], "counts": encode_string(merge_empty_runs(runs))}
    check_polygons(segmentation, height=height, width=width)
    return {"size": [height, width], "counts": encode_polygons([segmentation], height=height, width=width)[0]}


def encode_polygons(segmentations: Sequence[Sequence[Sequence[float]]], *, height: int, width: int) -> list[str]:
    """Rasterise the polygons of many objects in images of one size, and join the parts of each.

    Args:
        segmentations: Lists of polygons as `check_polygons` passes them.
        height: Height of the images in pixels.
        width: Width of the images in pixels.

    Returns:
        Compressed run lengths.
    """
    from pycocotools import mask as coco_mask

    parts = coco_mask.frPyObjects([part for polygons in segmentations for part in polygons], height, width)
    found: list[str] = []
    first = 0
    for polygons in segmentations:
        own = parts[first : first + len(polygons)]
        first += len(polygons)
        found.append((own[0] if len(own) == 1 else coco_mask.merge(own))["counts"].decode("ascii"))
    return found


def encode_crop(mask: npt.NDArray[np.bool_], *, x: int, y: int, height: int, width: int) -> str:
    """Return the compressed run lengths of a small mask placed in an image, without making the image.

    The result is what ``pycocotools.mask.encode`` gives for the image, byte for byte. What lies outside
    the image is cut off.

    Args:
        mask: bool (h, w): the crop.
        x: Column of the image in which the crop's first column lies; may be negative.
        y: Row of the image in which the crop's first row lies; may be negative.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    top, left = max(-y, 0), max(-x, 0)
    crop = mask[top : max(height - y, 0), left : max(width - x, 0)]
    x, y = x + left, y + top
    rows, columns = crop.shape
    if not crop.any():
        return encode_string(np.array([height * width], np.int64))
    # A row of False above and below each column makes every run of a column begin and end inside it.
    padded = np.zeros((columns, rows + 2), np.int8)
    padded[:, 1:-1] = crop.T
    edges = np.flatnonzero(np.diff(padded.ravel()))
    column, row = np.divmod(edges, rows + 2)
    places = (x + column) * height + y + row
    # A run that reaches the bottom of the image goes on where the next column begins at its top.
    starts, stops = places[0::2], places[1::2]
    apart = starts[1:] != stops[:-1]
    starts, stops = starts[np.append(True, apart)], stops[np.append(apart, True)]
    runs = np.diff(np.stack([starts, stops], axis=1).ravel(), prepend=0)
    rest = height * width - int(stops[-1])
    return encode_string(np.append(runs, rest) if rest else runs)


def intersection_over_union(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """Return the IoU of two masks, in [0, 1]; 0 when both are empty.

    Raises:
        ValueError: An RLE is malformed or the two have different sizes.
    """
    if _size_of(first) != _size_of(second):
        raise RleError(f"masks of sizes {_size_of(first)} and {_size_of(second)} cannot be compared")
    return float(pairwise_iou(concatenate([counts_of(first)]), concatenate([counts_of(second)]))[0])


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _size_of(rle: Mapping[str, Any]) -> tuple[int, int]:
    if not isinstance(rle, Mapping):
        raise RleError(f"an RLE is an object with size and counts, not {type(rle).__name__}")
    size = rle.get("size")
    if not isinstance(size, Sequence) or len(size) != 2 or not all(_is_int(side) and side > 0 for side in size):
        raise RleError("size must be two positive whole numbers [height, width]")
    return int(size[0]), int(size[1])


def _checked_counts(rle: Mapping[str, Any], *, height: int, width: int) -> Ints:
    size = _size_of(rle)
    if size != (height, width):
        raise RleError(f"size [{size[0]}, {size[1]}] is not the image's [{height}, {width}]")
    counts = rle.get("counts")
    if isinstance(counts, str):
        if not counts.isascii():
            raise RleError("the run lengths have characters that are not ASCII")
        counts = counts.encode("ascii")
    if isinstance(counts, bytes):
        data = np.frombuffer(counts, np.uint8)
        offsets = np.array([0, len(data)], np.int64)
        return decode_strings(data, offsets, np.array([height * width], np.int64)).runs
    if not isinstance(counts, list | tuple):
        raise RleError(f"counts must be a list of whole numbers or text, not {type(counts).__name__}")
    for place, count in enumerate(counts):
        if not _is_int(count):
            raise RleError(f"run length {place} is not a whole number ({count!r})")
        if not 0 <= count <= height * width:
            raise RleError(f"run length {place} is negative or larger than the image ({count})")
    if not counts:
        raise RleError("the run lengths are empty")
    masks = concatenate([np.array(counts, np.int64)])
    check_lengths(masks, np.array([height * width], np.int64))
    return masks.runs


def check_polygons(segmentation: Any, *, height: int, width: int) -> None:
    """Check that a segmentation is a list of polygons in or near an image.

    Raises:
        ValueError: It is not; says why in words.
    """
    if not isinstance(segmentation, list | tuple) or not segmentation:
        raise RleError("a segmentation is a list of polygons or an RLE, and not empty")
    reach = _POLYGON_REACH * max(height, width)
    for index, polygon in enumerate(segmentation):
        if not isinstance(polygon, list | tuple):
            raise RleError(f"polygon {index} is not a list of numbers")
        if len(polygon) < 6 or len(polygon) % 2:
            raise RleError(f"polygon {index} has {len(polygon)} numbers; three points x, y or more are needed")
        if (
            {*map(type, polygon)} <= {int, float}
            and -reach <= min(polygon)
            and max(polygon) <= max(height, width) + reach
            and math.isfinite(sum(polygon))  # comparisons pass a NaN over
        ):
            continue  # nearly all
        for value in polygon:
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
                raise RleError(f"polygon {index} has a coordinate that is not a number ({value!r})")
            if not -reach <= value <= max(height, width) + reach:
                raise RleError(f"polygon {index} lies far outside the image (coordinate {value!r})")
