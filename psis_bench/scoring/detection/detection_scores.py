"""Every detection score of a set of detections: by box, mask and boundary, class-agnostic; as COCO or LVIS has it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from psis_bench.data.lvis import Federation
from psis_bench.scoring.detection.average_precision import DetectionTables, evaluate_boundaries, evaluate_detections
from psis_bench.scoring.detection.class_agnostic import AgnosticEvaluation
from psis_bench.scoring.detection.lvis import LIMIT, evaluate_lvis
from psis_bench.scoring.detection.pairs import Measure
from psis_bench.scoring.engine import Engine, hotcoco_is_usable
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth

_BESIDE = 2_000_000
"""Detections up to which boxes and masks are evaluated at once; of more, both choices would take too much memory."""

NO_MASKS = "mask AP left out: the detections have no masks"


@dataclass(frozen=True, kw_only=True)
class DetectionScores:
    """The evaluations of one set of detections; None for what it does not have or what was not asked for.

    Args:
        box: By box IoU.
        mask: By mask IoU.
        boundary: By the smaller of mask IoU and boundary IoU.
        agnostic_box: Recall by box IoU, whatever the classes.
        agnostic_mask: Recall by mask IoU, whatever the classes.
        notes: What a reader has to know, one sentence each.
    """

    box: DetectionTables | None = None
    mask: DetectionTables | None = None
    boundary: DetectionTables | None = None
    agnostic_box: AgnosticEvaluation | None = None
    agnostic_mask: AgnosticEvaluation | None = None
    notes: tuple[str, ...] = ()


def detection_scores(
    boxes: GroundTruth,
    masks: Callable[[], GroundTruth],
    detections: Detections,
    *,
    max_detections: int,
    federation: Federation | None = None,
    boundary: bool = False,
    class_agnostic: bool = False,
    engine: Engine = "auto",
) -> DetectionScores:
    """Hold detections against annotations, over all classes at once.

    Args:
        boxes: The annotations, perhaps without their masks.
        masks: Returns them with masks; not waited for before it has to be.
        detections: Checked detections, all of them.
        max_detections: Detections of an image that count for AP, over all classes together.
        federation: What an LVIS file says beyond COCO format: LVIS's rules; None: COCO's.
        boundary: Also take boundary AP.
        class_agnostic: Also take class-agnostic recall, of all detections.
        engine: Evaluator for box AP and mask AP; the scores are the same.

    Raises:
        UserError: ``engine="hotcoco"`` cannot be used here.
    """
    best = detections.best_of_each_image(max_detections)
    notes = _notes(detections, best, max_detections, federation)
    with_masks = bool(best.has_mask.any()) or not len(best)
    if not with_masks:
        notes.append(NO_MASKS)
    elif without := int(np.count_nonzero(~best.has_mask)):
        notes.append(f"{without} of {len(best)} detections have no mask and do not count in mask AP")

    def tables(truth: GroundTruth, measure: Measure) -> DetectionTables:
        if federation is not None:
            return evaluate_lvis(truth, best, federation, measure=measure, max_detections=max_detections, engine=engine)
        if measure == "boundary":
            return evaluate_boundaries(truth, best, max_detections=max_detections)
        return evaluate_detections(truth, best, iou_type=measure, max_detections=max_detections, engine=engine)

    with ThreadPoolExecutor(max_workers=1) as other:
        box = other.submit(tables, boxes, "bbox")
        if len(best) > _BESIDE or not hotcoco_is_usable(engine):
            box.result()  # pycocotools turns the output of the whole process off while it evaluates
        truth = masks()
        mask = tables(truth, "segm") if with_masks else None
    return DetectionScores(
        box=box.result(),
        mask=mask,
        boundary=tables(truth, "boundary") if with_masks and boundary else None,
        agnostic_box=AgnosticEvaluation(truth, detections, measure="bbox") if class_agnostic else None,
        agnostic_mask=AgnosticEvaluation(truth, detections, measure="segm") if with_masks and class_agnostic else None,
        notes=tuple(notes),
    )


def _notes(detections: Detections, best: Detections, limit: int, federation: Federation | None) -> list[str]:
    dropped = len(detections) - len(best)
    notes = [f"{dropped} detections left out: only the {limit} highest scored of an image count"] if dropped else []
    if federation is not None and limit != LIMIT:
        notes.append(f"not LVIS's own number: {limit} detections of an image count, {LIMIT} there (max_detections)")
    return notes
