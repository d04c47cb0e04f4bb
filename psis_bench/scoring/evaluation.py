"""What was computed from predictions, by instance and by class, and its averages over groups of classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from psis_bench.console import Bar
from psis_bench.data.lvis import Federation
from psis_bench.run_lengths import Ints, RunLengths
from psis_bench.scoring.detection.average_precision import DetectionTables
from psis_bench.scoring.detection.class_agnostic import AgnosticEvaluation
from psis_bench.scoring.detection.detection_scores import DetectionScores, detection_scores
from psis_bench.scoring.detection.limits import LimitTables, evaluate_limits
from psis_bench.scoring.engine import Engine
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth
from psis_bench.scoring.inputs.predictions import Opened
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.scoring.masks.annotators import Agreement
from psis_bench.scoring.masks.coco_folders import folders_of
from psis_bench.scoring.masks.gt_box_iou import gt_box_and_boundary_ious, gt_box_ious, masks_and_ious, mean_iou
from psis_bench.scoring.masks.jittered_scores import JitteredIous, jittered_ious, jittered_means
from psis_bench.scoring.masks.quality import aspects_of, quality_by_part, sizes_of
from psis_bench.scoring.results.details import PartQuality
from psis_bench.scoring.results.mean_iou import MeanIou
from psis_bench.scoring.results.scores import AgnosticRecall, AveragePrecision, ClassScores, GroupScores
from psis_bench.splits.protocol import ResolvedSplit

NO_GT_BOX_MASKS = "GT-box mIoU left out: there are no masks predicted on ground-truth boxes"
NO_DETAILS = (
    "details left out: what detection and what masks cost of mask AP, and masks by kind of object, needs masks on "
    "ground-truth boxes (gt_box_masks/ of a prediction folder)"
)


class _OnBoxes(NamedTuple):
    """IoU and boundary IoU of the masks on boxes, float64 (n,), and those masks; None for what is not needed."""

    ious: Floats
    boundaries: Floats | None = None
    masks: RunLengths | None = None


class Asked(NamedTuple):
    """What is asked for beyond the usual scores, and of whom.

    Args:
        boundary: Also boundary AP, and boundary IoU of the masks on ground-truth boxes.
        class_agnostic: Also class-agnostic recall.
        details: Also mask AP with the best masks and with ground-truth boxes, and masks by kind of object.
        engine: Evaluator for detection AP.
    """

    boundary: bool = False
    class_agnostic: bool = False
    details: bool = False
    engine: Engine = "auto"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was computed, before it is averaged over groups; None for what the predictions do not have.

    Args:
        truth: The annotations.
        detected: The evaluations of the detections.
        ious: float64 (n,): IoU of the masks on ground-truth boxes, in the order of ``truth.instances``.
        full_box: float64 (n,): the same of the trivial row that fills the box.
        ellipse: float64 (n,): the same of the trivial row that fills the inscribed ellipse.
        boundaries: float64 (n,): boundary IoU of the masks on ground-truth boxes, where it was asked for.
        notes: What a reader has to know, one sentence each.
        limits: Mask AP with the best masks and with ground-truth boxes, where they were asked for.
        jittered: The masks on boxes that are not tight, where there are any.
        agreement: Objects that another annotation has too, where one was given.
    """

    truth: GroundTruth
    detected: DetectionScores
    ious: Floats | None
    full_box: Floats
    ellipse: Floats
    boundaries: Floats | None
    notes: tuple[str, ...]
    limits: LimitTables | None = None
    jittered: tuple[JitteredIous, ...] = ()
    agreement: Agreement | None = None

    @cached_property
    def categories(self) -> Ints:
        """Category ids of the scored instances, int64 (n,)."""
        return self.truth.categories[self.truth.instances]

    def group(self, category_ids: Collection[int]) -> GroupScores:
        """Return all scores of a group of classes."""
        return self._scores_of(category_ids, np.flatnonzero(np.isin(self.categories, list(category_ids))))

    def classes(self, resolved: ResolvedSplit) -> tuple[ClassScores, ...]:
        """Return the scores of every class, ascending ids; class-agnostic recall is of groups alone."""
        alone = replace(self, detected=replace(self.detected, agnostic_box=None, agnostic_mask=None))
        order = np.argsort(self.categories, kind="stable")
        ids = sorted(resolved.names)
        bounds = np.searchsorted(self.categories[order], ids, side="right")[:-1]
        return tuple(
            ClassScores(
                category_id=category,
                name=resolved.names[category],
                group=resolved.group_of(category),
                scores=alone._scores_of([category], places),
            )
            for category, places in zip(ids, np.split(order, bounds), strict=True)
        )

    def _scores_of(self, category_ids: Collection[int], places: Ints) -> GroupScores:
        """Return all scores of a group of classes whose instances are at ``places``, ascending."""
        categories = self.categories[places]

        def mean(ious: Floats) -> MeanIou:
            return mean_iou(ious[places], categories, category_ids)

        def mean_if_there(ious: Floats | None) -> MeanIou | None:
            return None if ious is None else mean(ious)

        def average(tables: DetectionTables | None) -> AveragePrecision | None:
            return tables.summary(category_ids) if tables else None

        def recall(evaluation: AgnosticEvaluation | None) -> AgnosticRecall | None:
            return evaluation.recall(category_ids) if evaluation else None

        mask = average(self.detected.mask)
        return GroupScores(
            classes=len(category_ids),
            instances=len(places),
            box=average(self.detected.box),
            mask=mask,
            gt_box_miou=mean_if_there(self.ious),
            full_box=mean(self.full_box),
            ellipse=mean(self.ellipse),
            boundary_miou=mean_if_there(self.boundaries),
            boundary=average(self.detected.boundary),
            agnostic_box=recall(self.detected.agnostic_box),
            agnostic_mask=recall(self.detected.agnostic_mask),
            limits=self.limits.of(mask.ap, category_ids) if self.limits and mask else None,
            jittered=jittered_means(self.jittered, mean),
            annotators=self.agreement.of(self.categories, category_ids, self.ious) if self.agreement else None,
        )


def evaluate(
    opened: Opened,
    boxes: GroundTruth,
    masks: Callable[[], GroundTruth],
    *,
    trivial_ious: Callable[[], tuple[Floats, Floats]],
    asked: Asked,
    max_detections: int = 100,
    federation: Federation | None = None,
    bar: Bar | None = None,
) -> Evaluation:
    """Hold predictions against annotations, over all classes at once.

    Args:
        opened: The predictions.
        boxes: The annotations, perhaps without their masks.
        masks: Returns them with masks.
        trivial_ious: Returns `psis_bench.scoring.masks.trivial.trivial_ious` of the annotations.
        asked: What is asked for.
        max_detections: Detections per image that count, over all classes together.
        federation: What an LVIS file says beyond COCO format; None: the rules are COCO's.
        bar: To be advanced by three steps.

    Raises:
        UserError: Predictions are malformed, or of other annotations.
    """
    detections, notes = opened.detections(boxes)
    detected = DetectionScores()
    if detections is not None:
        detected = detection_scores(
            boxes,
            masks,
            detections,
            max_detections=max_detections,
            federation=federation,
            boundary=asked.boundary,
            class_agnostic=asked.class_agnostic,
            engine=asked.engine,
        )
        notes += detected.notes
    truth = masks()
    step(bar, 1, "masks on boxes")
    limited = asked.details and detections is not None and detected.mask is not None
    on_boxes = _on_boxes(opened.folder, truth, asked, keep=limited)
    if on_boxes is None:
        notes += [NO_GT_BOX_MASKS, *([NO_DETAILS] if asked.details else [])]
    limits = None
    if limited and detections is not None:
        limits = evaluate_limits(
            truth,
            detections.best_of_each_image(max_detections),
            on_boxes.masks if on_boxes else None,
            max_detections=max_detections,
            federation=federation,
            engine=asked.engine,
        )
    step(bar, 1, "trivial rows")
    full_box, ellipse = trivial_ious()
    step(bar, 1, "")
    return Evaluation(
        truth=truth,
        detected=detected,
        ious=on_boxes.ious if on_boxes else None,
        full_box=full_box,
        ellipse=ellipse,
        boundaries=on_boxes.boundaries if on_boxes else None,
        notes=tuple(notes),
        limits=limits,
        jittered=jittered_ious(opened.folder, truth) if opened.folder is not None else (),
    )


def quality_of(
    evaluation: Evaluation,
    groups: Mapping[str, Sequence[int]],
    categories: Sequence[Mapping[str, Any]],
    folders: Mapping[int, str],
) -> tuple[PartQuality, ...]:
    """Average the masks on boxes of an evaluation by size, aspect and supercategory; nothing where there are none.

    Args:
        evaluation: What was computed.
        groups: Group -> its category ids.
        categories: The annotation file's ``categories``.
        folders: Image id -> COCO's folder of the image, where that matters; it is then told by folder, too.
    """
    if evaluation.ious is None:
        return ()
    truth, places = evaluation.truth, evaluation.truth.instances
    values = {"iou": evaluation.ious, "full_box_iou": evaluation.full_box, "ellipse_iou": evaluation.ellipse}
    if evaluation.boundaries is not None:
        values["boundary_iou"] = evaluation.boundaries
    above = {int(category["id"]): str(category.get("supercategory") or "") for category in categories}
    axes = {
        "size": sizes_of(truth.mask_pixels[truth.instances].astype(np.float64)),
        "aspect": aspects_of(truth.boxes[places, 2], truth.boxes[places, 3]),
        "supercategory": np.array([above[category] for category in evaluation.categories.tolist()], np.str_),
    }
    if folders:
        axes["coco_folder"] = folders_of(evaluation.truth, folders)
    return tuple(quality_by_part(values, categories=evaluation.categories, axes=axes, groups=groups))


def step(bar: Bar | None, steps: int, note: str) -> None:
    """Advance a progress bar, if there is one, and say what comes next."""
    if bar is not None:
        bar.advance(steps, note=note)


def _on_boxes(folder: Path | None, truth: GroundTruth, asked: Asked, *, keep: bool) -> _OnBoxes | None:
    """Compare the masks on boxes with those of the annotations; None where there are none.

    Args:
        folder: The prediction folder, if it is one.
        truth: The annotations.
        asked: Whether boundary IoU is asked for, and of whom IoU is.
        keep: Whether the masks themselves are needed.
    """
    if folder is None or not (folder / "gt_box_masks").is_dir():
        return None
    batches = read_parts(folder / "gt_box_masks", kind="gt_box_masks")
    if keep:
        masks, ious, boundaries = masks_and_ious(batches, truth, boundary=asked.boundary)
        return _OnBoxes(ious, boundaries, masks)
    if asked.boundary:
        return _OnBoxes(*gt_box_and_boundary_ious(batches, truth))
    return _OnBoxes(gt_box_ious(batches, truth, engine=asked.engine))
