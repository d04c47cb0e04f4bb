"""COCO's evaluation by pycocotools, which defines it.

Mask results are handed over without boxes, so that the area of the mask (not of the box) decides what is
small, medium and large, as MMDetection does.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from psis_bench.scoring.detection.curves import Curves
from psis_bench.scoring.detection.numbered import (
    IouType,
    category_records,
    detection_numbers,
    image_records,
    numbers_of,
    run_evaluation,
)
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth
from psis_bench.scoring.inputs.mask_texts import rles_of


def by_pycocotools(
    truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]
) -> Callable[[], Curves]:
    """Return what evaluates both sides with pycocotools; ``limits`` ascend."""
    return lambda: _run(truth, detections, iou_type, limits)


def _run(truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]) -> Curves:
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco_truth = _pycocotools_index(truth, _truth_records(truth, iou_type))
        found = _pycocotools_index(truth, _detection_records(truth, detections, iou_type))
        evaluation = COCOeval(coco_truth, found, iou_type)
        return run_evaluation(evaluation, truth, limits)


def _pycocotools_index(truth: GroundTruth, annotations: list[dict[str, Any]]) -> Any:
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {"images": image_records(truth), "categories": category_records(truth), "annotations": annotations}
    coco.createIndex()
    return coco


def _truth_records(truth: GroundTruth, iou_type: IouType) -> list[dict[str, Any]]:
    rles = rles_of(truth.strings, truth.sizes_of(truth.images))
    images, categories = numbers_of(truth.image_ids, truth.images), numbers_of(truth.category_ids, truth.categories)
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
        rles = rles_of(detections.strings, detections.sizes[chosen])
    columns = (*detection_numbers(truth, detections), detections.scores, detections.boxes)
    rows = zip(*(column[chosen].tolist() for column in columns), areas.tolist(), rles, strict=True)
    return [
        {"id": place, "image_id": image, "category_id": category, "score": score, "bbox": box, "area": area,
         "segmentation": rle, "iscrowd": 0}
        for place, (image, category, score, box, area, rle) in enumerate(rows, 1)
    ]  # fmt: skip
