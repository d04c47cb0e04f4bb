"""Box AP, mask AP and boundary AP of any groups of classes from one COCO evaluation.

One evaluation over all classes gives ``precision[T, R, K, A, M]``; the AP of a group is the mean over
its slice of K, bit-identical to an evaluation with ``params.catIds`` restricted to the group. pycocotools
is the definition; who computes it: `psis_bench.scoring.engine`.

Boundary AP (Cheng et al., *Boundary IoU*, CVPR 2021) is the same evaluation with the smaller of mask IoU and
boundary IoU in the place of mask IoU; neither engine has it, so it is computed here:
`psis_bench.scoring.detection.curves`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.detection.class_parts import by_classes
from psis_bench.scoring.detection.curves import RECALLS, Curves, curves_of
from psis_bench.scoring.detection.hotcoco_engine import by_hotcoco
from psis_bench.scoring.detection.matching import IOU_THRESHOLDS
from psis_bench.scoring.detection.numbered import IouType
from psis_bench.scoring.detection.pycocotools_engine import by_pycocotools
from psis_bench.scoring.detection.sides import AREA_RANGES, detections_side, objects_side
from psis_bench.scoring.engine import Engine, hotcoco_is_usable
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth
from psis_bench.scoring.results.scores import AveragePrecision

_IOU_50, _IOU_75 = 0, 5  # places in the ten IoU thresholds 0.50, 0.55, ..., 0.95
_ALL, _SMALL, _MEDIUM, _LARGE = range(4)  # places in pycocotools' area ranges


@dataclass(frozen=True, kw_only=True)
class DetectionTables:
    """The arrays of one COCO evaluation over all classes; -1 where a class has no ground truth.

    Args:
        category_ids: int64 (K,), ascending.
        precision: float64 (T, R, K, A, M): 10 IoU thresholds, 101 recalls, K classes, areas
            all/small/medium/large, M detection limits.
        recall: float64 (T, K, A, M).
        scores: float64 (T, R, K, A, M): the score at which that precision is reached.
        limits: The M detection limits per image and class, ascending.
        max_detections: The limit at which AP is taken, one of them.
    """

    category_ids: Ints
    precision: Floats
    recall: Floats
    scores: Floats
    limits: tuple[int, ...]
    max_detections: int

    def summary(self, category_ids: Collection[int]) -> AveragePrecision:
        """Return AP and AR of a group of classes, equal to pycocotools with ``catIds`` restricted to it.

        AR of small, medium and large objects is taken at 100 detections, or at the only limit there is.
        """
        classes = np.flatnonzero(np.isin(self.category_ids, list(category_ids)))
        precision = self.precision[..., self.limits.index(self.max_detections)][:, :, classes]

        def recall(limit: int, area: int = _ALL) -> float | None:
            if limit not in self.limits:
                return None
            return _mean(self.recall[..., self.limits.index(limit)][:, classes][..., area])

        by_size = 100 if 100 in self.limits else self.max_detections
        return AveragePrecision(
            ap=_mean(precision[..., _ALL]),
            ap50=_mean(precision[[_IOU_50]][..., _ALL]),
            ap75=_mean(precision[[_IOU_75]][..., _ALL]),
            ap_small=_mean(precision[..., _SMALL]),
            ap_medium=_mean(precision[..., _MEDIUM]),
            ap_large=_mean(precision[..., _LARGE]),
            ar1=recall(1),
            ar10=recall(10),
            ar100=recall(100),
            ar300=recall(300) if self.limits == (300,) else None,
            ar_small=recall(by_size, _SMALL),
            ar_medium=recall(by_size, _MEDIUM),
            ar_large=recall(by_size, _LARGE),
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
        truth: The annotations. With ``segm``, those without a segmentation are left out.
        detections: Checked detections. With ``segm``, those without a mask are left out.
        iou_type: ``bbox`` compares boxes, ``segm`` masks.
        max_detections: The limit per image and class for AP. Limits 1, 10 and 100 are there for AR.
        engine: ``auto`` is hotcoco where it can be used and pycocotools elsewhere.

    Raises:
        UserError: ``engine="hotcoco"`` cannot be used here.
    """
    limits = _limits(max_detections)
    if len(truth.category_ids) and len(truth.image_ids):
        detections = detections.without_masks() if iou_type == "bbox" else detections
        by_engine = by_hotcoco if hotcoco_is_usable(engine) else by_pycocotools
        curves = by_classes(truth, detections, lambda part, found: by_engine(part, found, iou_type, limits))
    else:
        curves = no_curves(len(truth.category_ids), len(limits))
    return tables_of(truth, curves, limits=limits, max_detections=max_detections)


def evaluate_boundaries(truth: GroundTruth, detections: Detections, *, max_detections: int = 100) -> DetectionTables:
    """Evaluate masks as COCO does, by the smaller of mask IoU and boundary IoU: boundary AP.

    Args:
        truth: The annotations; those without a segmentation are left out.
        detections: Checked detections; those without a mask are left out.
        max_detections: As for `evaluate_detections`.
    """
    limits = _limits(max_detections)
    curves = curves_of(
        detections_side(truth, detections, masks=True, by_class=True, limit=limits[-1]),
        objects_side(truth, masks=True, by_class=True),
        measure="boundary",
        classes=len(truth.category_ids),
        images=len(truth.image_ids),
        limits=limits,
    )
    return tables_of(truth, curves, limits=limits, max_detections=max_detections)


def tables_of(truth: GroundTruth, curves: Curves, *, limits: tuple[int, ...], max_detections: int) -> DetectionTables:
    """Put the arrays of an evaluation over all classes of ``truth`` together with what they are of."""
    return DetectionTables(
        category_ids=truth.category_ids, **curves._asdict(), limits=limits, max_detections=max_detections
    )


def no_curves(classes: int, limits: int) -> Curves:
    """Return the arrays of an evaluation in which no class has ground truth."""
    shape = (classes, len(AREA_RANGES), limits)
    whole = (len(IOU_THRESHOLDS), len(RECALLS), *shape)
    return Curves(np.full(whole, -1.0), np.full((len(IOU_THRESHOLDS), *shape), -1.0), np.full(whole, -1.0))


def _limits(max_detections: int) -> tuple[int, ...]:
    return tuple(sorted({1, 10, 100, max_detections}))


def _mean(values: Floats) -> float | None:
    there = values[values > -1]
    return float(np.mean(there)) if there.size else None
