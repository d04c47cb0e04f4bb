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
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from psis_bench.errors import UserError
from psis_bench.run_lengths import Ints
from psis_bench.scoring.checked_detections import Detections
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
        limits: The M detection limits per image and class, ascending; 100 is among them.
        max_detections: The limit at which AP is taken, one of them.
    """

    category_ids: Ints
    precision: Floats
    recall: Floats
    limits: tuple[int, ...]
    max_detections: int

    def summary(self, category_ids: Collection[int]) -> AveragePrecision:
        """Return AP and AR of a group of classes, equal to pycocotools with ``catIds`` restricted to it."""
        classes = np.flatnonzero(np.isin(self.category_ids, list(category_ids)))
        precision = self.precision[..., self.limits.index(self.max_detections)][:, :, classes]
        recall = self.recall[..., self.limits.index(100)][:, classes]
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
    classes = len(truth.category_ids)
    precision: Floats = np.full((10, 101, classes, 4, len(limits)), -1.0)
    recall: Floats = np.full((10, classes, 4, len(limits)), -1.0)
    if classes and len(truth.image_ids):
        run = _run_hotcoco if _hotcoco_is_usable(engine) else _run_pycocotools
        precision, recall = run(truth, detections, iou_type, limits)
    return DetectionTables(
        category_ids=truth.category_ids,
        precision=precision,
        recall=recall,
        limits=limits,
        max_detections=max_detections,
    )


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
    masks: Any = None
    if iou_type == "segm":
        masks = _rles([truth.strings[place] for place in chosen], truth.sizes_of(truth.images[chosen]))
    coco_truth = hotcoco.COCO.from_arrays(
        _images(truth),
        _categories(truth),
        _numbers(truth.image_ids, truth.images[chosen]),
        _numbers(truth.category_ids, truth.categories[chosen]),
        truth.boxes[chosen],
        ids=np.arange(1, len(chosen) + 1),
        area=truth.areas[chosen],
        iscrowd=truth.is_crowd[chosen].astype(np.int64),
        segmentation=masks,
    )
    images, categories = _detection_numbers(truth, detections)
    rows = np.column_stack([images, detections.boxes, detections.scores, categories])
    if iou_type == "segm":
        masks = _rles(detections.strings, detections.sizes[detections.has_mask])
        found = coco_truth.load_res(rows[detections.has_mask], segmentation=masks)
        if masks:
            found.update_anns(ids=np.arange(1, len(masks) + 1), area=detections.mask_areas.astype(np.float64))
    else:
        found = coco_truth.load_res(rows)
    evaluation = hotcoco.COCOeval(coco_truth, found, iou_type)
    _evaluate(evaluation, truth, limits)
    arrays: Any = evaluation.eval
    return np.asarray(arrays["precision"], np.float64), np.asarray(arrays["recall"], np.float64)


def _run_pycocotools(
    truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]
) -> tuple[Floats, Floats]:
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco_truth = _pycocotools_index(truth, _truth_records(truth, iou_type))
        found = _pycocotools_index(truth, _detection_records(truth, detections, iou_type))
        evaluation = COCOeval(coco_truth, found, iou_type)
        _evaluate(evaluation, truth, limits)
    return evaluation.eval["precision"], evaluation.eval["recall"]


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
    columns = (images, categories, truth.boxes, truth.areas, truth.is_crowd.astype(int), truth.has_mask)
    rows = zip(*(column.tolist() for column in columns), rles, strict=True)
    records = [
        {"image_id": image, "category_id": category, "bbox": box, "area": area, "iscrowd": crowd, "segmentation": rle}
        for image, category, box, area, crowd, masked, rle in rows
        if masked or iou_type == "bbox"
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


def _rles(strings: Sequence[str], sizes: Ints) -> list[dict[str, Any]]:
    return [{"size": size, "counts": string} for string, size in zip(strings, sizes.tolist(), strict=True)]
