"""The rules that a COCO annotation file is held to, record by record.

Each rule calls ``report(place, what, cure)``, which raises at the first fault or collects all of them, and then goes
on without the faulty value. A file without a fault does not come here (`psis_bench.data.coco_columns`); the common
case of each rule is one or two built-in calls: one fault among 860,000 annotations brings all of them here.

Accepted as they are: a missing ``iscrowd`` (no crowd), ``area`` (that of the mask or else the box stands in) or
``segmentation`` (no mask), an empty segmentation (no mask), a box that is partly outside the image, images without
annotations, and any further key.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection
from typing import Any

import numpy as np

from psis_bench.data.problems import Report
from psis_bench.rle import check_rle
from psis_bench.run_length_numbers import RleError
from psis_bench.run_length_strings import joined, measure_strings

MAX_PIXELS = 2**30
"""Largest image, in pixels: what OpenCV decodes."""

REACH = 4
"""Polygons and boxes may leave the image by this many times its longer side; rasterisers walk every pixel of them."""

NUMBERS = frozenset({int, float})
"""What a number in JSON is read as."""
_RLE_BATCH = 4096


def check_images(images: list[Any], report: Report) -> dict[int, tuple[int, int]]:
    """Check the records of the images.

    Returns:
        Image id to (height, width) in pixels; (0, 0) where they are wrong.
    """
    sizes: dict[int, tuple[int, int]] = {}
    first: dict[int, int] = {}
    for index, image in enumerate(images):
        place = f"images[{index}]"
        if type(image) is not dict:
            report(place, f"{_short(image)} is not an object", "give id, file_name, width and height")
            continue
        name = image.get("file_name")
        if type(name) is not str or not name or "\0" in name:
            report(f"{place}.file_name", _wrong(image, "file_name", "a file name"), "give the name of the image file")
        size = (_side(image, "height", place, report), _side(image, "width", place, report))
        if size[0] * size[1] > MAX_PIXELS:
            report(place, f"{size[1]} x {size[0]} pixels are too many", f"give images of at most {MAX_PIXELS} pixels")
            size = (0, 0)
        if _check_id(image, place, first, index, report):
            sizes[image["id"]] = size if all(size) else (0, 0)
    return sizes


def check_categories(categories: list[Any], report: Report) -> set[int]:
    """Check the records of the categories and return their ids."""
    first: dict[int, int] = {}
    names: dict[str, int] = {}
    for index, category in enumerate(categories):
        place = f"categories[{index}]"
        if type(category) is not dict:
            report(place, f"{_short(category)} is not an object", "give id and name")
            continue
        _check_id(category, place, first, index, report)
        name = category.get("name")
        if type(name) is not str or not name.strip():
            report(f"{place}.name", _wrong(category, "name", "a class name"), "give the name of the class")
        elif names.setdefault(name, index) != index:
            report(f"{place}.name", f"{name!r} is also categories[{names[name]}]", "give each class a name of its own")
    return set(first)


class AnnotationRules:
    """Checks annotations one after the other; call `finish` after the last.

    Args:
        sizes: Image id to (height, width).
        category_ids: Ids of the categories.
        report: Takes the faults.
        masks: Whether segmentations are looked at.
        drop_bad_boxes: Say that an annotation with a bad box is to be dropped, and do not report it.
    """

    def __init__(
        self,
        *,
        sizes: dict[int, tuple[int, int]],
        category_ids: Collection[int],
        report: Report,
        masks: bool,
        drop_bad_boxes: bool,
    ) -> None:
        self._sizes = sizes
        self._category_ids = category_ids
        self._report = report
        self._masks = masks
        self._drop_bad_boxes = drop_bad_boxes
        self._first: dict[int, int] = {}
        self._rles: list[tuple[int, dict[str, Any], tuple[int, int]]] = []

    def check(self, index: int, annotation: Any) -> bool:
        """Check one annotation; return whether it stays (False: its box is bad and such are dropped)."""
        report = self._report
        place = f"annotations[{index}]"
        if type(annotation) is not dict:
            report(place, f"{_short(annotation)} is not an object", "give id, image_id, category_id and bbox")
            return True
        _check_id(annotation, place, self._first, index, report)
        size = self._size_of_image(annotation, place)
        category = annotation.get("category_id")
        if type(category) is not int:
            report(f"{place}.category_id", _wrong(annotation, "category_id", "a whole number"), "give a category's id")
        elif category not in self._category_ids:
            report(f"{place}.category_id", f"there is no category {category}", "give one of the file's categories")
        if annotation.get("iscrowd", 0) not in (0, 1):
            report(f"{place}.iscrowd", _wrong(annotation, "iscrowd", "0 or 1"), "give 1 for a crowd, else 0")
        if "area" in annotation:
            area = annotation["area"]
            if type(area) not in NUMBERS or not _are_finite([area]) or area < 0:
                report(
                    f"{place}.area",
                    _wrong(annotation, "area", "an area"),
                    "give 0 or more square pixels, or leave it out",
                )
        fault = self._fault_of_box(annotation, size, place)
        if fault and self._drop_bad_boxes:
            return False
        if fault:
            report(
                f"{place}.bbox", fault, "mend or remove this annotation (or on_bad_boxes: drop in the data set's YAML)"
            )
        if self._masks and size != (0, 0):
            self._check_segmentation(index, annotation.get("segmentation"), size)
        return True

    def finish(self) -> None:
        """Check what was put off to be checked in one go."""
        self._check_rles()

    def _size_of_image(self, annotation: dict[str, Any], place: str) -> tuple[int, int]:
        image = annotation.get("image_id")
        if type(image) is not int:
            self._report(f"{place}.image_id", _wrong(annotation, "image_id", "a whole number"), "give an image's id")
        elif image in self._sizes:
            return self._sizes[image]
        else:
            self._report(f"{place}.image_id", f"there is no image {image}", "give the id of one of the file's images")
        return (0, 0)

    def _fault_of_box(self, annotation: dict[str, Any], size: tuple[int, int], place: str) -> str | None:
        """Report a box that is none; return what is wrong with one that is no good."""
        box = annotation.get("bbox")
        if type(box) is not list or len(box) != 4 or not NUMBERS.issuperset(map(type, box)):
            what = _wrong(annotation, "bbox", "a list of four numbers")
            self._report(f"{place}.bbox", what, "give [x, y, width, height] in pixels")
            return None
        if not _are_finite(box):
            self._report(f"{place}.bbox", f"{_short(box)} is not finite", "give [x, y, width, height] in pixels")
            return None
        x, y, w, h = box
        if w <= 0 or h <= 0:
            return f"the box {_short(box)} has no area"
        height, width = size
        if not height:
            return None
        if x >= width or y >= height or x + w <= 0 or y + h <= 0:
            return f"the box {_short(box)} lies outside the image of {width} x {height} pixels"
        reach = REACH * max(size)
        if min(x, y) < -reach or x + w > width + reach or y + h > height + reach:
            return f"the box {_short(box)} reaches far outside the image of {width} x {height} pixels"
        return None

    def _check_segmentation(self, index: int, segmentation: Any, size: tuple[int, int]) -> None:
        if segmentation is None:
            return
        place = f"annotations[{index}].segmentation"
        if type(segmentation) is dict:
            counts = segmentation.get("counts")
            if type(counts) is str and counts and counts.isascii() and segmentation.get("size") == list(size):
                self._rles.append((index, segmentation, size))
                if len(self._rles) >= _RLE_BATCH:
                    self._check_rles()
            else:
                self._check_rle(index, segmentation, size)
        elif type(segmentation) is not list:
            self._report(place, f"{_short(segmentation)} is not a mask", "give a list of polygons, or an RLE")
        elif segmentation and type(segmentation[0]) in NUMBERS:
            self._report(
                place, "is one list of numbers", "put each polygon in a list of its own: [[x1, y1, x2, y2, ...]]"
            )
        else:
            reach = REACH * max(size)
            for number, polygon in enumerate(segmentation):
                fault = _fault_of_polygon(polygon, least=-reach, most=max(size) + reach)
                if fault:
                    self._report(f"{place}[{number}]", *fault)

    def _check_rle(self, index: int, rle: dict[str, Any], size: tuple[int, int]) -> None:
        try:
            check_rle(rle, height=size[0], width=size[1])
        except ValueError as error:
            self._report(
                f"annotations[{index}].segmentation", f"RLE: {error}", "encode this mask again, in its image's size"
            )

    def _check_rles(self) -> None:
        batch, self._rles = self._rles, []
        pixels = np.array([height * width for _, _, (height, width) in batch], dtype=np.int64)
        try:
            measure_strings(*joined([rle["counts"] for _, rle, _ in batch]), pixels)
        except RleError:
            for index, rle, size in batch:
                self._check_rle(index, rle, size)


def _fault_of_polygon(polygon: Any, *, least: float, most: float) -> tuple[str, str] | None:
    """Return what is wrong with a polygon and the cure."""
    if type(polygon) is not list:
        return f"{_short(polygon)} is not a polygon", "give a list of numbers [x1, y1, x2, y2, ...]"
    if len(polygon) % 2:
        return f"a polygon of {len(polygon)} numbers", "give x and y for each point"
    if len(polygon) < 6:
        return f"a polygon of {len(polygon) // 2} points", "give three points or more, or remove it"
    if not NUMBERS.issuperset(map(type, polygon)):
        wrong = next(value for value in polygon if type(value) not in NUMBERS)
        return f"{_short(wrong)} is not a number", "give x and y of each point in pixels"
    if not _are_finite(polygon):
        return "a coordinate is not finite", "give x and y of each point in pixels"
    if min(polygon) < least or max(polygon) > most:
        return "lies far outside the image", "give x and y of each point in pixels of this image"
    return None


def _check_id(record: dict[str, Any], place: str, first: dict[int, int], index: int, report: Report) -> bool:
    """Check that a record's id is a whole number and new; return whether it is."""
    identity = record.get("id")
    if type(identity) is not int or not -(2**63) <= identity < 2**63:
        report(f"{place}.id", _wrong(record, "id", "a whole number"), "number the records")
        return False
    if first.setdefault(identity, index) != index:
        before = f"{place.partition('[')[0]}[{first[identity]}]"
        report(f"{place}.id", f"{identity} is also the id of {before}", "give each record an id of its own")
        return False
    return True


def _side(image: dict[str, Any], key: str, place: str, report: Report) -> int:
    value = image.get(key)
    if type(value) is int and value > 0:
        return value
    report(f"{place}.{key}", _wrong(image, key, "a positive whole number"), f"give the {key} of the image in pixels")
    return 0


def _are_finite(values: list[Any]) -> bool:
    # A sum is finite if and only if all of its terms are (or are so large that no image has them).
    try:
        return math.isfinite(sum(values))
    except OverflowError:
        return False


def _wrong(record: dict[str, Any], key: str, wanted: str) -> str:
    return f"{_short(record[key])} is not {wanted}" if key in record else "is missing"


def _short(value: Any) -> str:
    return reprlib.repr(value)
