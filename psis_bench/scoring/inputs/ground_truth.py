"""The annotations that predictions are held against, as arrays.

Every segmentation becomes a checked, compressed RLE once; box AP, mask AP, GT-box mIoU and the trivial
rows all read those. A segmentation without a single pixel (a polygon thinner than the pixel grid) is no mask to
compare with, but an object that mask AP counts, as pycocotools does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from psis_bench.data.coco_columns import AnnotationColumns
from psis_bench.errors import UserError
from psis_bench.rle import check_polygons, encode_polygons, segmentation_to_rle
from psis_bench.run_length_numbers import RleError
from psis_bench.run_length_strings import Measured, decode_strings, joined, measure_strings
from psis_bench.run_lengths import Ints, RunLengths

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Masks(NamedTuple):
    """The masks of ``N`` annotations.

    Args:
        strings: (N,) compressed run lengths; empty text without a segmentation.
        pixels: int64 (N,): pixels of each, 0 without one.
        extents: int32 (N, 4): as in `GroundTruth`.
    """

    strings: tuple[str, ...]
    pixels: Ints
    extents: npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class GroundTruth:
    """Images, categories and annotations of one COCO-format file, annotations in the file's order.

    Args:
        path: The file.
        sha256: Hash of its bytes.
        image_ids: int64 (I,), ascending.
        heights: int64 (I,), pixels.
        widths: int64 (I,), pixels.
        category_ids: int64 (K,), ascending.
        annotation_ids: int64 (N,).
        images: int64 (N,): each annotation's image id.
        categories: int64 (N,): each annotation's category id.
        boxes: float64 (N, 4): xywh, absolute pixels.
        areas: float64 (N,): ``area`` of the file, in pixels; of the mask (of the box when there is no mask)
            where the file has none.
        is_crowd: bool (N,).
        has_segmentation: bool (N,): there is a segmentation, be it without a pixel.
        has_mask: bool (N,): there is a mask of at least one pixel.
        mask_pixels: int64 (N,): pixels of the mask, 0 without one.
        extents: int32 (N, 4): the mask's first column, one after its last, first row, one after its last; zeros without
            a mask.
        strings: (N,) compressed run lengths; empty text where ``has_segmentation`` is False.
    """

    path: Path
    sha256: str
    image_ids: Ints
    heights: Ints
    widths: Ints
    category_ids: Ints
    annotation_ids: Ints
    images: Ints
    categories: Ints
    boxes: Floats
    areas: Floats
    is_crowd: Flags
    has_segmentation: Flags
    has_mask: Flags
    mask_pixels: Ints
    extents: npt.NDArray[np.int32]
    strings: tuple[str, ...]

    @cached_property
    def instances(self) -> Ints:
        """Places of the annotations that GT-box mIoU is taken over: with a mask and no crowd, int64 (n,)."""
        return np.flatnonzero(self.has_mask & ~self.is_crowd)

    @cached_property
    def instance_masks(self) -> RunLengths:
        """The masks of `instances`, in that order."""
        return self.masks_at(self.instances)

    def masks_at(self, places: Ints) -> RunLengths:
        """Return the masks of annotations that have one."""
        sizes = self.sizes_of(self.images[places])
        return decode_masks([self.strings[place] for place in places.tolist()], sizes[:, 0] * sizes[:, 1])

    @cached_property
    def sizes(self) -> dict[int, tuple[int, int]]:
        """Image id -> (height, width)."""
        columns = (self.image_ids.tolist(), self.heights.tolist(), self.widths.tolist())
        return {image: (height, width) for image, height, width in zip(*columns, strict=True)}

    def with_masks(self, masks: Masks) -> GroundTruth:
        """Return the same with masks, from which areas are taken that were not known."""
        of_boxes = self.boxes[:, 2] * self.boxes[:, 3]
        return replace(
            self,
            areas=np.where(np.isnan(self.areas), np.where(masks.pixels > 0, masks.pixels, of_boxes), self.areas),
            has_segmentation=np.array([bool(string) for string in masks.strings], bool),
            has_mask=masks.pixels > 0,
            mask_pixels=masks.pixels,
            extents=masks.extents,
            strings=masks.strings,
        )

    def where(self, kept: Flags) -> GroundTruth:
        """Return the same images and categories with the annotations where ``kept``, bool (N,), is True."""
        return replace(
            self,
            annotation_ids=self.annotation_ids[kept],
            images=self.images[kept],
            categories=self.categories[kept],
            boxes=self.boxes[kept],
            areas=self.areas[kept],
            is_crowd=self.is_crowd[kept],
            has_segmentation=self.has_segmentation[kept],
            has_mask=self.has_mask[kept],
            mask_pixels=self.mask_pixels[kept],
            extents=self.extents[kept],
            strings=tuple(string for string, keep in zip(self.strings, kept.tolist(), strict=True) if keep),
        )

    def sizes_of(self, images: Ints) -> Ints:
        """Return height and width of images known to be there, int64 (n, 2)."""
        places = np.searchsorted(self.image_ids, images)
        return np.stack([self.heights[places], self.widths[places]], axis=1)


def places_in(ascending: Ints, wanted: Ints) -> tuple[Ints, Flags]:
    """Find ids in an ascending array.

    Returns:
        Their places, int64 (n,), and which of them are there at all, bool (n,).
    """
    if not len(ascending):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return places, ascending[places] == wanted


def read_ground_truth(coco: Any) -> GroundTruth:
    """Turn a checked annotation file into arrays.

    Args:
        coco: A ``CocoFile`` of `psis_bench.data.coco_format.read_coco`: ``.path``, ``.sha256``,
            ``.images``, ``.annotations``, ``.categories``. Polygons that it has checked are not checked again.

    Raises:
        UserError: A segmentation is malformed, or an annotation is of an unknown image.
    """
    boxes = read_boxes(coco)
    return boxes.with_masks(read_masks(coco, boxes))


def read_boxes(coco: Any) -> GroundTruth:
    """Turn what a checked annotation file says beside its masks into arrays, which takes a third of the time.

    Args:
        coco: As for `read_ground_truth`.

    Returns:
        No object has a segmentation, and an area is NaN where it is that of the mask.
    """
    images = sorted(coco.images, key=lambda image: int(image["id"]))
    columns = getattr(coco, "columns", None) or _extracted(coco.annotations)
    nothing = np.zeros(len(columns.ids), bool)
    return GroundTruth(
        path=coco.path,
        sha256=coco.sha256,
        image_ids=np.array([int(image["id"]) for image in images], np.int64),
        heights=np.array([int(image["height"]) for image in images], np.int64),
        widths=np.array([int(image["width"]) for image in images], np.int64),
        category_ids=np.array(sorted(int(category["id"]) for category in coco.categories), np.int64),
        annotation_ids=columns.ids,
        images=columns.images,
        categories=columns.categories,
        boxes=columns.boxes,
        areas=columns.areas,
        is_crowd=columns.crowds,
        has_segmentation=nothing,
        has_mask=nothing,
        mask_pixels=np.zeros(len(nothing), np.int64),
        extents=np.zeros((len(nothing), 4), np.int32),
        strings=("",) * len(nothing),
    )


def _extracted(annotations: Sequence[dict[str, Any]]) -> AnnotationColumns:
    def column(name: str, dtype: type) -> npt.NDArray[Any]:
        return np.array([record[name] for record in annotations], dtype)

    areas = [record.get("area") for record in annotations]
    return AnnotationColumns(
        ids=column("id", np.int64),
        images=column("image_id", np.int64),
        categories=column("category_id", np.int64),
        boxes=column("bbox", np.float64).reshape(-1, 4),
        areas=np.array([math.nan if area is None else area for area in areas], np.float64),
        crowds=np.array([bool(record.get("iscrowd", 0)) for record in annotations], bool),
        polygons=None,
    )


def read_masks(coco: Any, boxes: GroundTruth) -> Masks:
    """Turn the masks of a checked annotation file into run lengths.

    Args:
        coco: As for `read_ground_truth`.
        boxes: What `read_boxes` gave for it.

    Raises:
        UserError: A segmentation is malformed, or an annotation is of an unknown image.
    """
    strings = _texts(coco, boxes)
    there = [place for place, string in enumerate(strings) if string]
    sides = boxes.sizes_of(boxes.images[there])
    data, offsets = joined([strings[place] for place in there])
    try:
        measured = measure_strings(data, offsets, sides.prod(axis=1), heights=sides[:, 0])
    except RleError as error:
        where = f"{coco.path}: annotations[{there[error.index]}].segmentation"
        raise UserError(error.reason, where=where) from error
    pixels, extents = np.zeros(len(strings), np.int64), np.zeros((len(strings), 4), np.int32)
    pixels[there], extents[there] = measured.areas, _extents(measured, sides[:, 0])
    for nth in np.flatnonzero(measured.has_empty_runs).tolist():
        place, size = there[nth], sides[nth].tolist()
        strings[place] = segmentation_to_rle({"size": size, "counts": strings[place]}, *size)["counts"]
    return Masks(tuple(strings), pixels, extents)


def _texts(coco: Any, boxes: GroundTruth) -> list[str]:
    """Return the compressed run lengths of every annotation, '' without a segmentation; RLEs are not checked."""
    sizes, columns = boxes.sizes, getattr(coco, "columns", None)
    checked = getattr(coco, "masks_checked", False)
    strings = [""] * len(coco.annotations)
    polygons: dict[tuple[int, int], list[int]] = {}
    for place, (record, image) in enumerate(zip(coco.annotations, boxes.images.tolist(), strict=True)):
        if image not in sizes:
            raise UserError(f"there is no image {image}", where=f"{coco.path}: annotations[{place}].image_id")
        form, size = record.get("segmentation"), sizes[image]
        text = _compressed(form, size)
        try:
            if text is not None:
                strings[place] = text
            elif isinstance(form, Mapping):
                strings[place] = segmentation_to_rle(form, *size)["counts"]
            elif form:
                if not checked:
                    check_polygons(form, height=size[0], width=size[1])
                polygons.setdefault(size, []).append(place)
        except ValueError as error:
            raise UserError(str(error), where=f"{coco.path}: annotations[{place}].segmentation") from error
    forms: Sequence[Any] | None = columns.polygons if columns else None
    forms = forms or [record.get("segmentation") for record in coco.annotations]
    for (height, width), places in polygons.items():
        own = encode_polygons([forms[place] for place in places], height=height, width=width)
        for place, string in zip(places, own, strict=True):
            strings[place] = string
    return strings


def _extents(measured: Measured, heights: Ints) -> npt.NDArray[np.int32]:
    columns = columns_between(measured.starts, measured.stops, heights)
    return np.stack([*columns, *(() if measured.rows is None else measured.rows)], axis=1).astype(np.int32)


def columns_between(starts: npt.NDArray[np.uint32], stops: npt.NDArray[np.uint32], heights: Ints) -> tuple[Ints, Ints]:
    """Return the first column with a pixel of a range, and one after the last, each int64 (n,).

    Args:
        starts: uint32 (n,): the first pixel, counted down the columns of the image.
        stops: uint32 (n,): one after the last.
        heights: int64 (n,): of the images.
    """
    return starts // heights, -(-stops.astype(np.int64) // heights)


def _compressed(form: Any, size: tuple[int, int]) -> str | None:
    """Return the text of compressed run lengths for an image of this height and width, unless it is something else."""
    counts, sides = (form.get("counts"), form.get("size")) if isinstance(form, dict) else (None, None)
    if not isinstance(counts, str) or not counts or not counts.isascii() or not isinstance(sides, list):
        return None
    return counts if tuple(sides) == size and all(type(side) is int for side in sides) else None


def decode_masks(strings: Sequence[str], pixels: Ints) -> RunLengths:
    """Decode compressed run lengths of masks.

    Args:
        strings: N texts.
        pixels: int64 (N,): height times width of each one's image.

    Raises:
        RleError: One is malformed; names the first.
    """
    return decode_strings(*joined(strings), pixels)
