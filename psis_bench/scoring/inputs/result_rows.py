"""One result of a COCO results file, looked at closely: every fault is named with file, row and field.

Results that were made in memory may hold NumPy's numbers, and boxes that are tuples or arrays.
"""

from __future__ import annotations

import numbers
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.rle import check_rle, segmentation_to_rle

Sizes = Mapping[int, tuple[int, int]]
"""Image id -> (height, width) in pixels."""

OTHER_ANNOTATIONS = "score on the annotation file that the predictions were made for"
_NEEDED = "a detection has image_id, category_id, score, and bbox or segmentation"
_POLYGONS = "encode polygons with psis_bench.rle.segmentation_to_rle(polygons, height, width)"
_MOST_CHARACTERS = 200


def refuse_unknown_images(results: Sequence[Any], *, sizes: Sizes, path: Path, annotations: str) -> None:
    """Refuse results of images that the annotation file does not have.

    Args:
        results: All of the file; those without an image id that is a whole number are passed over.
        sizes: The sizes of the images of the annotation file.
        path: What errors call the file.
        annotations: What errors call the annotation file.

    Raises:
        UserError: There are any; names the first row, and how many they are.
    """
    ids = (result.get("image_id") if isinstance(result, Mapping) else None for result in results)
    unknown = [(row, image) for row, image in enumerate(ids) if is_whole(image) and image not in sizes]
    if unknown:
        row, image = unknown[0]
        count = len(unknown)
        more = f" ({count} of {len(results)} rows are of images that it does not have)" if count > 1 else ""
        where = f"{path}: row {row}, image_id"
        raise UserError(f"{annotations} has no image {image}{more}", where=where, cure=OTHER_ANNOTATIONS)


def row_of_result(path: Path, row: int, result: Any, sizes: Sizes) -> dict[str, Any]:
    """Return a result as a row of the columns of ``detections``.

    Args:
        path: What errors call the file.
        row: Its place in the file, from 0.
        result: ``{"image_id", "category_id", "score", "bbox" and/or "segmentation"}``; ids and numbers of any type
            that is whole or real, ``bbox`` any sequence or array of four.
        sizes: The sizes of the images of the annotation file; that of the result is among them.

    Raises:
        UserError: It is malformed; names file, row and field.
    """

    def error(field: str | None, what: str, cure: str | None = None) -> UserError:
        return UserError(what, where=f"{path}: row {row}" + (f", {field}" if field else ""), cure=cure)

    if not isinstance(result, Mapping):
        raise error(None, "a result must be an object", _NEEDED)
    for field, kind, right in (
        ("image_id", "whole number", is_whole),
        ("category_id", "whole number", is_whole),
        ("score", "number", _is_number),
    ):
        value = result.get(field)
        if value is None:
            raise error(field, "is missing", _NEEDED)
        if not right(value):
            raise error(field, f"must be a {kind}, not {_shown(value)}")
    image = int(result["image_id"])
    height, width = sizes[image]
    rle, box = result.get("segmentation"), result.get("bbox")
    if rle is None and box is None:
        raise error(None, "has neither bbox nor segmentation", "give x, y, width, height, an RLE, or both")
    if rle is not None:
        try:
            if not isinstance(rle, Mapping):
                check_rle(rle, height=height, width=width)  # no polygons here
            rle = segmentation_to_rle(rle, height, width)
        except ValueError as reason:
            cure = _POLYGONS if isinstance(rle, list | tuple) else None
            raise error("segmentation", _cut(str(reason)), cure) from reason
        box = _box_around(rle) if box is None else box
    four = _four_numbers(box)
    if four is None:
        raise error("bbox", "must be four numbers x, y, width, height")
    whole = {"image_id": image, "category_id": int(result["category_id"]), "height": height, "width": width}
    return {**whole, "score": float(result["score"]), "bbox": four, "mask": rle["counts"] if rle else None}


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number of at most 64 bits."""
    return not isinstance(value, bool) and isinstance(value, numbers.Integral) and abs(int(value)) < 2**63


def _box_around(rle: Mapping[str, Any]) -> list[float]:
    from pycocotools import mask as coco_mask

    return [float(side) for side in coco_mask.toBbox(rle)]


def _four_numbers(box: Any) -> list[float] | None:
    """Return a box as four floats, or None if it is none."""
    values = box.tolist() if hasattr(box, "tolist") else box  # an array or a tensor
    if not isinstance(values, Sequence) or len(values) != 4 or not all(map(_is_number, values)):
        return None
    return [float(value) for value in values]


def _is_number(value: Any) -> bool:
    # A whole number of hundreds of digits is none that a float can hold.
    return is_whole(value) or (isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral))


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # a whole number of thousands of digits, which Python does not write
        return f"one of type {type(value).__name__} that cannot be shown"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
