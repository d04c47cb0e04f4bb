"""Box AP and mask AP of any groups of classes from one COCO evaluation.

One evaluation over all classes gives ``precision[T, R, K, A, M]``; the AP of a group is the mean over
its slice of K, bit-identical to an evaluation with ``params.catIds`` restricted to the group. pycocotools
is the definition. `hotcoco <https://github.com/derekallman/hotcoco>`_ gives the same arrays much faster
and is used where it is installed. It differs from pycocotools on four points, which are taken care of here:

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
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from psis_bench.errors import UserError
from psis_bench.run_lengths import Ints
from psis_bench.scoring.detections import Detections
from psis_bench.scoring.ground_truth import Floats, GroundTruth
from psis_bench.scoring.results import AveragePrecision

Engine = Literal["auto", "hotcoco", "pycocotools"]
IouType = Literal["bbox", "segm"]

_IOU_50, _IOU_75 = 0, 5  # places in the ten IoU thresholds 0.50, 0.55, ..., 0.95
_ALL, _SMALL, _MEDIUM, _LARGE = range(4)  # places in pycocotools' area ranges
_process_of_hotcoco: int | None = None


@dataclass(frozen=True, kw_only=True)
class DetectionTables:
    """The arrays of one COCO evaluation over all classes; -1 where a class has no ground truth.

    Args:
        category_ids: int64 (K,), ascending.
        precision: float64 (T, R, K, A, M): 10 IoU thresholds, 101 recalls, K classes, areas
            all/small/medium/large, M detection limits.
        recall: float64 (T, K, A, M).
        limits: The M detection limits per image and class, ascending.
    """

    category_ids: Ints
    precision: Floats
    recall: Floats
    limits: tuple[int, ...]

    def summary(self, category_ids: Collection[int]) -> AveragePrecision:
        """Return AP and AR of a group of classes, equal to pycocotools with ``catIds`` restricted to it."""
        classes = np.flatnonzero(np.isin(self.category_ids, list(category_ids)))
        precision = self.precision[:, :, classes, :, -1]
        recall = self.recall[:, classes, :, self.limits.index(100)]
        return AveragePrecision(
            ap=_mean(precision[..., _ALL]),
            ap50=_mean(precision[[_IOU_50]][..., _ALL]),
            ap75=_mean(precision[[_IOU_75]][..., _ALL]),
            ap_small=_mean(precision[..., _SMALL]),
            ap_medium=_mean(precision[..., _MEDIUM]),
            ap_large=_mean(precision[..., _LARGE]),
            ar100=_mean(recall[..., _ALL]),
        )

    def per_class(self) -> dict[int, AveragePrecision]:
        """Return AP and AR of every class by its category id."""
        return {int(category): self.summary([int(category)]) for category in self.category_ids}


def evaluate_detections(
    truth: GroundTruth,
    detections: Detections,
    *,
    iou_type: IouType,
    max_detections: int = 100,
    engine: Engine = "auto",
) -> DetectionTables:
    """Evaluate detections as COCO does, over all classes and images of the annotation file.

    Crowd regions are COCO's: a detection on one is neither right nor wrong.

    Args:
        truth: The annotations. With ``segm``, those without a mask are left out.
        detections: Checked detections. With ``segm``, those without a mask are left out.
        iou_type: ``bbox`` compares boxes, ``segm`` masks.
        max_detections: The limit per image and class for AP. Limits 1, 10 and 100 are there for AR.
        engine: ``auto`` is hotcoco where it can be used and pycocotools elsewhere.

    Raises:
        UserError: ``engine="hotcoco"`` cannot be used here.
    """
    limits = tuple(sorted({1, 10, 100, max_detections}))
    ids = truth.category_ids
    if not len(ids) or not len(truth.image_ids):
        shape = (10, 101, len(ids), 4, len(limits))
        precision, recall = np.full(shape, -1.0), np.full((10, *shape[2:]), -1.0)
    else:
        run = _run_hotcoco if _hotcoco_is_usable(engine) else _run_pycocotools
        precision, recall = run(truth, detections, iou_type, limits)
    # Limits above max_detections are there for AR100 only.
    kept = limits.index(max_detections) + 1
    if max_detections < 100:
        precision = precision[..., :kept]
    return DetectionTables(category_ids=ids, precision=precision, recall=recall, limits=limits)


def _mean(values: Floats) -> float | None:
    there = values[values > -1]
    return float(np.mean(there)) if there.size else None


def _hotcoco_is_usable(engine: Engine) -> bool:
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


def _run_hotcoco(
    truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]
) -> tuple[Floats, Floats]:
    import hotcoco

    chosen = np.flatnonzero(truth.has_mask) if iou_type == "segm" else np.arange(len(truth.annotation_ids))
    sizes = truth.sizes_of(truth.images[chosen]).tolist()
    coco_truth = hotcoco.COCO.from_arrays(
        _images(truth),
        _categories(truth),
        truth.images[chosen],
        truth.categories[chosen],
        truth.boxes[chosen],
        ids=np.arange(1, len(chosen) + 1),
        area=truth.areas[chosen],
        iscrowd=truth.is_crowd[chosen].astype(np.int64),
        segmentation=_rles([truth.strings[place] for place in chosen], sizes) if iou_type == "segm" else None,
    )
    rows = np.column_stack([detections.images, detections.boxes, detections.scores, detections.categories])
    if iou_type == "segm":
        masks = _rles(detections.strings, detections.sizes[detections.has_mask].tolist())
        found = coco_truth.load_res(rows[detections.has_mask], segmentation=masks)
        found.update_anns(ids=np.arange(1, len(masks) + 1), area=detections.mask_areas.astype(np.float64))
    else:
        found = coco_truth.load_res(rows)
    evaluation = hotcoco.COCOeval(coco_truth, found, iou_type)
    evaluation.params.img_ids = truth.image_ids.tolist()
    evaluation.params.cat_ids = truth.category_ids.tolist()
    evaluation.params.max_dets = list(limits)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    arrays = evaluation.eval
    return np.asarray(arrays["precision"], np.float64), np.asarray(arrays["recall"], np.float64)


def _run_pycocotools(
    truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]
) -> tuple[Floats, Floats]:
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco_truth = _pycocotools_index(truth, _truth_records(truth, iou_type))
        found = _pycocotools_index(truth, _detection_records(detections, iou_type))
        evaluation = COCOeval(coco_truth, found, iou_type)
        evaluation.params.imgIds = truth.image_ids.tolist()
        evaluation.params.catIds = truth.category_ids.tolist()
        evaluation.params.maxDets = list(limits)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"], evaluation.eval["recall"]


def _pycocotools_index(truth: GroundTruth, annotations: list[dict[str, Any]]) -> Any:
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {"images": _images(truth), "categories": _categories(truth), "annotations": annotations}
    coco.createIndex()
    return coco


def _truth_records(truth: GroundTruth, iou_type: IouType) -> list[dict[str, Any]]:
    sizes = truth.sizes_of(truth.images).tolist()
    rles = _rles(truth.strings, sizes)
    columns = (truth.images, truth.categories, truth.boxes, truth.areas, truth.is_crowd.astype(int), truth.has_mask)
    rows = zip(*(column.tolist() for column in columns), rles, strict=True)
    records = [
        {"image_id": image, "category_id": category, "bbox": box, "area": area, "iscrowd": crowd, "segmentation": rle}
        for image, category, box, area, crowd, masked, rle in rows
        if masked or iou_type == "bbox"
    ]
    return [{**record, "id": place} for place, record in enumerate(records, 1)]


def _detection_records(detections: Detections, iou_type: IouType) -> list[dict[str, Any]]:
    chosen = detections.has_mask if iou_type == "segm" else np.ones(len(detections), bool)
    areas = detections.mask_areas if iou_type == "segm" else detections.boxes[:, 2] * detections.boxes[:, 3]
    rles: list[dict[str, Any]] | list[None] = [None] * len(detections)
    if iou_type == "segm":
        rles = _rles(detections.strings, detections.sizes[chosen].tolist())
    columns = (detections.images, detections.categories, detections.scores, detections.boxes)
    rows = zip(*(column[chosen].tolist() for column in columns), areas.tolist(), rles, strict=True)
    return [
        {"id": place, "image_id": image, "category_id": category, "score": score, "bbox": box, "area": area,
         "segmentation": rle, "iscrowd": 0}
        for place, (image, category, score, box, area, rle) in enumerate(rows, 1)
    ]  # fmt: skip


def _images(truth: GroundTruth) -> list[dict[str, Any]]:
    return [{"id": image, "height": height, "width": width} for image, (height, width) in truth.sizes.items()]


def _categories(truth: GroundTruth) -> list[dict[str, Any]]:
    return [{"id": category, "name": str(category)} for category in truth.category_ids.tolist()]


def _rles(strings: Any, sizes: list[list[int]]) -> list[dict[str, Any]]:
    return [{"size": size, "counts": string} for string, size in zip(strings, sizes, strict=True)]
