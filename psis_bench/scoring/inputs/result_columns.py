"""Thousands of results of a COCO results file as columns, checked all at once.

Only what is of the usual form and without a fault is taken here: exact types of JSON, compressed run lengths. Anything
else is left to `psis_bench.scoring.inputs.result_rows`, which looks at row after row and names what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from psis_bench.rle import segmentation_to_rle
from psis_bench.run_length_numbers import has_padded_numbers
from psis_bench.run_length_strings import Measured, joined, measure_strings
from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.mask_texts import rles_of
from psis_bench.scoring.inputs.result_rows import Sizes

_NUMBERS = {int, float}


@dataclass(frozen=True, kw_only=True)
class ResultColumns:
    """Results that have no fault but perhaps numbers that are not finite, boxes of negative size, unknown categories.

    Args:
        columns: One for each field of ``detections``: int64 (n,), float64 (n,), ``bbox`` float64 (n, 4), or lists.
        measured: Of the masks that there are.
    """

    columns: dict[str, Any]
    measured: Measured


def columns_of_results(results: Sequence[Any], sizes: Sizes) -> ResultColumns | None:
    """Return results as columns, or None where one of them has to be looked at closely.

    Args:
        results: The detections.
        sizes: The sizes of the images of the annotation file.
    """
    try:
        return _columns(results, sizes)
    except (KeyError, TypeError, ValueError, OverflowError):
        # A field or image that is not there, another form, a number or mask that does not fit.
        return None


def _columns(results: Sequence[Any], sizes: Sizes) -> ResultColumns:
    _require({*map(type, results)} == {dict})
    images: list[int] = [*map(itemgetter("image_id"), results)]
    categories: list[int] = [*map(itemgetter("category_id"), results)]
    _require({*map(type, images), *map(type, categories)} == {int})
    sides = [sizes[image] for image in images]
    masks = [result.get("segmentation") for result in results]
    there = [place for place, mask in enumerate(masks) if mask is not None]
    boxes = [result.get("bbox") for result in results]
    own_sides = np.array([sides[place] for place in there], np.int64).reshape(-1, 2)
    texts, measured = _texts([masks[place] for place in there], own_sides)
    if None in boxes:
        _fill_in(boxes, texts, there, own_sides)
    _require({*map(type, boxes)} == {list} and {*map(len, boxes)} == {4})
    strings: list[str | None] = [None] * len(results)
    for place, text in zip(there, texts, strict=True):
        strings[place] = text
    columns = {
        "image_id": _whole(images),
        "category_id": _whole(categories),
        "score": _floats([*map(itemgetter("score"), results)]),
        "bbox": _floats([*chain.from_iterable(boxes)]).reshape(-1, 4),
        "height": [height for height, _ in sides],
        "width": [width for _, width in sides],
        "mask": strings,
    }
    return ResultColumns(columns=columns, measured=measured)


def _texts(masks: Sequence[Any], sides: Ints) -> tuple[list[str], Measured]:
    """Return the compressed run lengths of masks, as an encoder writes them, and what is measured of them."""
    _require({*map(type, masks)} <= {dict})
    stated = [*map(itemgetter("size"), masks)]
    _require({*map(type, stated)} <= {list} and {*map(type, chain.from_iterable(stated))} <= {int})
    _require(stated == sides.tolist())
    texts = [*map(itemgetter("counts"), masks)]
    if {*map(type, texts)} == {bytes}:
        texts = [text.decode("ascii") for text in texts]
    measured, padded = _measured(texts, sides)
    odd = np.flatnonzero(measured.has_empty_runs | padded)
    if len(odd):
        for place in odd.tolist():
            texts[place] = segmentation_to_rle(masks[place], *sides[place].tolist())["counts"]
        measured, _ = _measured(texts, sides)
    return texts, measured


def _measured(texts: Sequence[str], sides: Ints) -> tuple[Measured, npt.NDArray[np.bool_]]:
    data, offsets = joined(texts)
    measured = measure_strings(data, offsets, sides.prod(axis=1))
    return measured, has_padded_numbers(data, offsets)


def _fill_in(boxes: list[Any], texts: Sequence[str], there: Sequence[int], sides: Ints) -> None:
    """Give each result without a box the one around its mask."""
    from pycocotools import mask as coco_mask

    chosen = [nth for nth, place in enumerate(there) if boxes[place] is None]
    _require(len(chosen) == boxes.count(None))
    around = coco_mask.toBbox(rles_of([texts[nth] for nth in chosen], sides[chosen]))
    for nth, box in zip(chosen, around.tolist(), strict=True):
        boxes[there[nth]] = box


def _whole(values: list[int]) -> Ints:
    column = np.array(values, np.int64)
    _require(column.min() > np.iinfo(np.int64).min)
    return column


def _floats(values: list[Any]) -> npt.NDArray[np.float64]:
    types = {*map(type, values)}
    _require(types <= _NUMBERS)
    column = np.array(values, np.float64)
    # A whole number of more than 64 bits is a fault, a float as large is none.
    _require(int not in types or bool((np.abs(column) < 2**63).all()))
    return column


def _require(right: bool | np.bool_) -> None:
    if not right:
        raise ValueError("a result is not of the usual form")
