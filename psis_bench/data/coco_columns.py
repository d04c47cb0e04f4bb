"""The annotations of a file as columns, checked all at once.

Only a file without a fault is taken here, its values of the exact types of JSON. Of any other,
`psis_bench.data.coco_rules` looks at record after record and names what it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from psis_bench.data.coco_rules import NUMBERS, REACH
from psis_bench.rle import check_rle
from psis_bench.run_length_strings import joined, measure_strings
from psis_bench.run_lengths import Ints, offsets_of

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AnnotationColumns:
    """The ``N`` annotations of a file, in its order.

    Args:
        ids: int64 (N,).
        images: int64 (N,): image ids.
        categories: int64 (N,): category ids.
        boxes: float64 (N, 4): xywh, absolute pixels.
        areas: float64 (N,): square pixels; NaN where the file says nothing.
        crowds: bool (N,).
        polygons: The coordinates of the polygons of each, x and y in turn, float64 (p,), or none; None where
            segmentations were not looked at.
    """

    ids: Ints
    images: Ints
    categories: Ints
    boxes: _Floats
    areas: _Floats
    crowds: npt.NDArray[np.bool_]
    polygons: tuple[Sequence[_Floats], ...] | None


def columns_of(
    annotations: Sequence[Any],
    *,
    sizes: Mapping[int, tuple[int, int]],
    category_ids: Collection[int],
    masks: bool,
) -> AnnotationColumns | None:
    """Return annotations as columns, or None where one of them has to be looked at closely.

    Args:
        annotations: The records.
        sizes: Image id to (height, width).
        category_ids: Ids of the categories.
        masks: Whether segmentations are looked at.
    """
    try:
        return _columns(annotations, sizes, category_ids, masks)
    except (KeyError, TypeError, ValueError, OverflowError):
        # A field or image that is not there, another type, a number that does not fit, a mask that is none.
        return None


def _columns(
    annotations: Sequence[Any], sizes: Mapping[int, tuple[int, int]], category_ids: Collection[int], masks: bool
) -> AnnotationColumns:
    _require({*map(type, annotations)} == {dict})
    ids, images, categories = ([*map(itemgetter(key), annotations)] for key in ("id", "image_id", "category_id"))
    _require({*map(type, chain(ids, images, categories))} == {int})
    _require(len({*ids}) == len(ids) and {*categories} <= {*category_ids})
    sides = np.array([sizes[image] for image in images], np.int64)
    _require(bool((sides > 0).all()))
    crowds = [annotation.get("iscrowd", 0) for annotation in annotations]
    _require({*crowds} <= {0, 1})
    return AnnotationColumns(
        ids=np.array(ids, np.int64),
        images=np.array(images, np.int64),
        categories=np.array(categories, np.int64),
        boxes=_boxes([*map(itemgetter("bbox"), annotations)], sides),
        areas=_areas(annotations),
        crowds=np.array(crowds, bool),
        polygons=_polygons([annotation.get("segmentation") for annotation in annotations], sides) if masks else None,
    )


def _boxes(boxes: list[Any], sides: Ints) -> _Floats:
    _require({*map(type, boxes)} == {list} and {*map(len, boxes)} == {4})
    found = _floats([*chain.from_iterable(boxes)]).reshape(-1, 4)
    low, high, limits = found[:, :2], found[:, :2] + found[:, 2:], sides[:, ::-1]
    reach = REACH * sides.max(axis=1, keepdims=True)
    _require(bool(((found[:, 2:] > 0) & (low < limits) & (high > 0)).all()))
    _require(bool(((low >= -reach) & (high <= limits + reach)).all()))
    return found


def _areas(annotations: Sequence[Any]) -> _Floats:
    there = [place for place, annotation in enumerate(annotations) if "area" in annotation]
    areas = np.full(len(annotations), np.nan)
    areas[there] = _floats([annotations[place]["area"] for place in there])
    _require(bool((areas[there] >= 0).all()))
    return areas


def _polygons(segmentations: list[Any], sides: Ints) -> tuple[Sequence[_Floats], ...]:
    lists = [place for place, form in enumerate(segmentations) if type(form) is list]
    rles = [place for place, form in enumerate(segmentations) if type(form) is dict]
    _require(len(lists) + len(rles) == len(segmentations) - segmentations.count(None))
    _check_rles([segmentations[place] for place in rles], sides[rles])
    polygons = [*chain.from_iterable(segmentations[place] for place in lists)]
    _require({*map(type, polygons)} <= {list})
    counts = np.array([*map(len, polygons)], np.int64)
    _require(bool(((counts >= 6) & (counts % 2 == 0)).all()))
    points, offsets = _floats([*chain.from_iterable(polygons)]), offsets_of(counts)
    of_each = offsets_of(np.array([len(segmentations[place]) for place in lists], np.int64))
    most = np.repeat(np.repeat(sides[lists].max(axis=1), np.diff(of_each)), counts)
    _require(bool(((points >= -REACH * most) & (points <= (1 + REACH) * most)).all()))
    parts = [points[start:stop] for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    found: list[Sequence[_Floats]] = [()] * len(segmentations)
    for place, start, stop in zip(lists, of_each[:-1].tolist(), of_each[1:].tolist(), strict=True):
        found[place] = parts[start:stop]
    return tuple(found)


def _check_rles(rles: list[dict[str, Any]], sides: Ints) -> None:
    compressed = [type(rle["counts"]) is str for rle in rles]
    for place in np.flatnonzero(np.logical_not(compressed)).tolist():
        check_rle(rles[place], height=int(sides[place, 0]), width=int(sides[place, 1]))
    rles, sides = [*compress(rles, compressed)], sides[np.array(compressed, bool)]
    if not rles:
        return
    texts = [*map(itemgetter("counts"), rles)]
    _require([*map(itemgetter("size"), rles)] == sides.tolist())
    _require({*map(type, chain.from_iterable(map(itemgetter("size"), rles)))} == {int})
    measure_strings(*joined(texts), sides.prod(axis=1))


def _floats(values: list[Any]) -> _Floats:
    _require({*map(type, values)} <= NUMBERS)
    found = np.array(values, np.float64)
    _require(bool(np.isfinite(found).all()))
    return found


def _require(right: bool) -> None:
    if not right:
        raise ValueError("an annotation has to be looked at closely")
