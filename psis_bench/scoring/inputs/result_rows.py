"""One result of a COCO results file, looked at closely: every fault is named with file, row and field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.rle import check_rle, segmentation_to_rle

Sizes = Mapping[int, tuple[int, int]]
"""Image id -> (height, width) in pixels."""


def row_of_result(path: Path, row: int, result: Any, sizes: Sizes) -> dict[str, Any]:
    """Return a result as a row of the columns of ``detections``.

    Args:
        path: What errors call the file.
        row: Its place in the file, from 0.
        result: ``{"image_id", "category_id", "score", "bbox" and/or "segmentation"}``.
        sizes: The sizes of the images of the annotation file.

    Raises:
        UserError: It is malformed; names file, row and field.
    """

    def error(field: str, what: str) -> UserError:
        return UserError(what, where=f"{path}: row {row}, {field}")

    if not isinstance(result, dict):
        raise UserError("a result must be an object", where=f"{path}: row {row}")
    for field in ("image_id", "category_id"):
        if not _is_whole(result.get(field)) or abs(result[field]) >= 2**63:
            raise error(field, f"must be a whole number, not {result.get(field)!r}")
    if not _is_number(result.get("score")):
        raise error("score", f"must be a number, not {result.get('score')!r}")
    if result["image_id"] not in sizes:
        raise error("image_id", f"the annotation file has no image {result['image_id']}")
    height, width = sizes[result["image_id"]]
    rle, box = result.get("segmentation"), result.get("bbox")
    if rle is not None:
        try:
            if not isinstance(rle, Mapping):
                check_rle(rle, height=height, width=width)  # no polygons here
            rle = segmentation_to_rle(rle, height, width)
        except ValueError as reason:
            raise error("segmentation", str(reason)) from reason
        box = _box_around(rle) if box is None else box
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        raise error("bbox", "must be four numbers x, y, width, height")
    whole = {"image_id": result["image_id"], "category_id": result["category_id"], "height": height, "width": width}
    return {**whole, "score": result["score"], "bbox": box, "mask": rle["counts"] if rle else None}


def _box_around(rle: Mapping[str, Any]) -> list[float]:
    from pycocotools import mask as coco_mask

    return [float(side) for side in coco_mask.toBbox(rle)]


def _is_number(value: Any) -> bool:
    # A whole number of hundreds of digits is none that a float can hold.
    return isinstance(value, float) or (_is_whole(value) and abs(value) < 2**63)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
