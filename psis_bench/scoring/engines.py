"""COCO's evaluation by hotcoco, and by pycocotools, which defines it.

`hotcoco <https://github.com/derekallman/hotcoco>`_ gives the same arrays much faster, and is used where it is
installed. It differs from pycocotools in what it makes of unusual input (docs/exactness.md); here both get the same:

* it does not sort category ids, image ids and detection limits: they are handed over sorted;
* its summary uses other detection limits: the summary is taken from the arrays by pycocotools' rule;
* it hangs in a process forked from one that has used it: pycocotools takes over there;
* pycocotools loses matches to an annotation of id 0: annotations are numbered from 1 for both.

Mask results are handed over without boxes, so that the area of the mask (not of the box) decides what is
small, medium and large, as MMDetection does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from psis_bench.data.json_file import without_garbage_collection
from psis_bench.data.lvis import Federation
from psis_bench.data.lvis_images import ABSENT, NOT_EXHAUSTIVE
from psis_bench.errors import UserError
from psis_bench.run_length_strings import encode_string
from psis_bench.run_lengths import Ints
from psis_bench.scoring.checked_detections import Detections
from psis_bench.scoring.comparable import can_find
from psis_bench.scoring.curves import Curves
from psis_bench.scoring.ground_truth import Floats, GroundTruth
from psis_bench.scoring.mask_texts import texts_as_bytes

Engine = Literal["auto", "hotcoco", "pycocotools"]
IouType = Literal["bbox", "segm"]

_process_of_hotcoco: int | None = None


def hotcoco_is_usable(engine: Engine) -> bool:
    """Tell whether hotcoco is to be used; where it is, note that this process has used it.

    Raises:
        UserError: ``engine="hotcoco"`` cannot be used here.
    """
    global _process_of_hotcoco  # noqa: PLW0603 - the thread pool it stands for belongs to the process
    if engine == "pycocotools":
        return False
    installed = importlib.util.find_spec("hotcoco") is not None
    forked = _process_of_hotcoco not in (None, os.getpid())
    if engine == "hotcoco" and not installed:
        raise UserError("the evaluator hotcoco is not installed", cure="pip install 'hotcoco>=1.3,<2'")
    if engine == "hotcoco" and forked:
        raise UserError("hotcoco was used before this process was forked", cure="use the engine pycocotools here")
    if not installed or forked:
        return False
    _process_of_hotcoco = os.getpid()
    return True


def run_hotcoco(truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]) -> Curves:
    """Evaluate with hotcoco; ``limits`` ascend."""
    import hotcoco

    sides = _hotcoco_sides(truth, detections, iou_type, _images(truth), _categories(truth))
    evaluation = hotcoco.COCOeval(*sides, iou_type)
    _evaluate(evaluation, truth, limits)
    return _curves(evaluation.eval)


def federated_by_hotcoco(
    truth: GroundTruth, detections: Detections, iou_type: IouType, federation: Federation
) -> Curves:
    """Evaluate as the ``lvis`` package does, with hotcoco; the only limit is 300 detections an image."""
    import hotcoco

    images, categories = _images(truth), _categories(truth)
    for key, pairs in ((ABSENT, federation.absent), (NOT_EXHAUSTIVE, federation.not_exhaustive)):
        for image in images:
            image[key] = []
        numbers = zip(_numbers(truth.image_ids, pairs[:, 0]), _numbers(truth.category_ids, pairs[:, 1]), strict=True)
        for image_number, category_number in numbers:
            images[image_number - 1][key].append(int(category_number))
    for category in categories:
        category["frequency"] = "f"  # its summary is not used, but wants one
    sides = _hotcoco_sides(truth, detections, iou_type, images, categories)
    evaluation = hotcoco.COCOeval(*sides, iou_type, lvis_style=True)
    evaluation.evaluate()
    evaluation.accumulate()
    return _curves(evaluation.eval)


def paired_ious(first: Sequence[str], second: Sequence[str], sizes: Ints) -> Floats:
    """Return the IoU of pairs of masks by hotcoco, float64 (n,); to be called where `hotcoco_is_usable`.

    Args:
        first: Compressed run lengths that have been checked, of masks that have pixels.
        second: Those of the other masks.
        sizes: int64 (n, 2): height and width of each pair's image.
    """
    import hotcoco

    iou = hotcoco.mask.iou
    pairs = zip(_rles(first, sizes), _rles(second, sizes), strict=True)
    return np.array([iou([one], [other], [0])[0, 0] for one, other in pairs], np.float64)


def _hotcoco_sides(
    truth: GroundTruth,
    detections: Detections,
    iou_type: IouType,
    images: list[dict[str, Any]],
    categories: list[dict[str, Any]],
) -> tuple[Any, Any]:
    import hotcoco

    chosen = np.flatnonzero(truth.has_segmentation) if iou_type == "segm" else np.arange(len(truth.annotation_ids))
    masks: Any = None
    if iou_type == "segm":
        masks = _rles([truth.strings[place] for place in chosen], truth.sizes_of(truth.images[chosen]))
    coco_truth = hotcoco.COCO.from_arrays(
        images,
        categories,
        _numbers(truth.image_ids, truth.images[chosen]),
        _numbers(truth.category_ids, truth.categories[chosen]),
        truth.boxes[chosen],
        ids=np.arange(1, len(chosen) + 1),
        area=truth.areas[chosen],
        iscrowd=truth.is_crowd[chosen].astype(np.int64),
        segmentation=masks,
    )
    numbers = _detection_numbers(truth, detections)
    rows = np.column_stack([numbers[0], detections.boxes, detections.scores, numbers[1]])
    if iou_type == "bbox":
        return coco_truth, coco_truth.load_res(rows)
    masks = _compared_masks(truth, detections)
    found = coco_truth.load_res(rows[detections.has_mask], segmentation=masks)
    if masks:
        found.update_anns(ids=np.arange(1, len(masks) + 1), area=detections.mask_areas.astype(np.float64))
    return coco_truth, found


def _compared_masks(truth: GroundTruth, detections: Detections) -> list[dict[str, Any]]:
    """Return the masks of the detections that have one: no pixels in place of those that cannot find any object."""
    sizes = detections.sizes[detections.has_mask]
    sides, which = _distinct(sizes)
    without_pixels = [{"size": pair, "counts": encode_string(np.array([pair[0] * pair[1]]))} for pair in sides]
    masks = [without_pixels[place] for place in which]
    compared = can_find(truth, detections)
    rles = _rles(texts_as_bytes(detections.strings, compared), sizes[compared])
    for place, rle in zip(compared.tolist(), rles, strict=True):
        masks[place] = rle
    return masks


def run_pycocotools(truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]) -> Curves:
    """Evaluate with pycocotools; ``limits`` ascend."""
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco_truth = _pycocotools_index(truth, _truth_records(truth, iou_type))
        found = _pycocotools_index(truth, _detection_records(truth, detections, iou_type))
        evaluation = COCOeval(coco_truth, found, iou_type)
        _evaluate(evaluation, truth, limits)
    return _curves(evaluation.eval)


def _curves(arrays: Any) -> Curves:
    return Curves(*(np.asarray(arrays[name], np.float64) for name in Curves._fields))


def _evaluate(evaluation: Any, truth: GroundTruth, limits: tuple[int, ...]) -> None:
    evaluation.params.imgIds = list(range(1, len(truth.image_ids) + 1))
    evaluation.params.catIds = list(range(1, len(truth.category_ids) + 1))
    evaluation.params.maxDets = list(limits)
    evaluation.evaluate()
    evaluation.accumulate()


def _pycocotools_index(truth: GroundTruth, annotations: list[dict[str, Any]]) -> Any:
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {"images": _images(truth), "categories": _categories(truth), "annotations": annotations}
    coco.createIndex()
    return coco


def _truth_records(truth: GroundTruth, iou_type: IouType) -> list[dict[str, Any]]:
    rles = _rles(truth.strings, truth.sizes_of(truth.images))
    images, categories = _numbers(truth.image_ids, truth.images), _numbers(truth.category_ids, truth.categories)
    columns = (images, categories, truth.boxes, truth.areas, truth.is_crowd.astype(int), truth.has_segmentation)
    rows = zip(*(column.tolist() for column in columns), rles, strict=True)
    records = [
        {"image_id": image, "category_id": category, "bbox": box, "area": area, "iscrowd": crowd, "segmentation": rle}
        for image, category, box, area, crowd, segmented, rle in rows
        if segmented or iou_type == "bbox"
    ]
    return [{**record, "id": place} for place, record in enumerate(records, 1)]


def _detection_records(truth: GroundTruth, detections: Detections, iou_type: IouType) -> list[dict[str, Any]]:
    chosen = detections.has_mask if iou_type == "segm" else np.ones(len(detections), bool)
    areas = detections.mask_areas if iou_type == "segm" else detections.boxes[:, 2] * detections.boxes[:, 3]
    rles: list[Any] = [None] * len(detections)
    if iou_type == "segm":
        rles = _rles(detections.strings, detections.sizes[chosen])
    columns = (*_detection_numbers(truth, detections), detections.scores, detections.boxes)
    rows = zip(*(column[chosen].tolist() for column in columns), areas.tolist(), rles, strict=True)
    return [
        {"id": place, "image_id": image, "category_id": category, "score": score, "bbox": box, "area": area,
         "segmentation": rle, "iscrowd": 0}
        for place, (image, category, score, box, area, rle) in enumerate(rows, 1)
    ]  # fmt: skip


def _numbers(ascending: Ints, ids: Ints) -> Ints:
    """Number ids from 1 in their order: they go through float64 columns, which cannot hold every int64."""
    return np.asarray(np.searchsorted(ascending, ids) + 1, np.int64)


def _detection_numbers(truth: GroundTruth, detections: Detections) -> tuple[Ints, Ints]:
    return _numbers(truth.image_ids, detections.images), _numbers(truth.category_ids, detections.categories)


def _images(truth: GroundTruth) -> list[dict[str, Any]]:
    sizes = zip(truth.heights.tolist(), truth.widths.tolist(), strict=True)
    return [{"id": number, "height": height, "width": width} for number, (height, width) in enumerate(sizes, 1)]


def _categories(truth: GroundTruth) -> list[dict[str, Any]]:
    return [{"id": number, "name": str(number)} for number in range(1, len(truth.category_ids) + 1)]


def _rles(strings: Sequence[str | bytes], sizes: Ints) -> list[dict[str, Any]]:
    sides, which = _distinct(sizes)
    with without_garbage_collection():
        return [{"size": sides[place], "counts": string} for string, place in zip(strings, which, strict=True)]


def _distinct(sizes: Ints) -> tuple[list[list[int]], list[int]]:
    """Return the few sizes that there are, and which of them each is."""
    _, first, which = np.unique(sizes[:, 0] * 2**32 + sizes[:, 1], return_index=True, return_inverse=True)
    return sizes[first].tolist(), which.tolist()
