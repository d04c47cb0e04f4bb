"""What was computed from predictions, by instance and by class, and its averages over groups of classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.detection.average_precision import DetectionTables
from psis_bench.scoring.detection.class_agnostic import AgnosticEvaluation
from psis_bench.scoring.detection.detection_scores import DetectionScores
from psis_bench.scoring.detection.limits import LimitTables
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth
from psis_bench.scoring.masks.gt_box_iou import mean_iou
from psis_bench.scoring.masks.jittered_scores import JitteredIous, jittered_means
from psis_bench.scoring.masks.quality import aspects_of, quality_by_part, sizes_of
from psis_bench.scoring.results.details import PartQuality
from psis_bench.scoring.results.scores import AgnosticRecall, AveragePrecision, GroupScores, MeanIou


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

    @property
    def categories(self) -> Ints:
        """Category ids of the scored instances, int64 (n,)."""
        return self.truth.categories[self.truth.instances]

    def by_class(self) -> Evaluation:
        """Return the same without class-agnostic recall, which is of groups alone."""
        return replace(self, detected=replace(self.detected, agnostic_box=None, agnostic_mask=None))

    def group(self, category_ids: Collection[int]) -> GroupScores:
        """Return all scores of a group of classes."""

        def mean(ious: Floats | None) -> MeanIou | None:
            return None if ious is None else mean_iou(ious, self.categories, category_ids)

        def average(tables: DetectionTables | None) -> AveragePrecision | None:
            return tables.summary(category_ids) if tables else None

        def recall(evaluation: AgnosticEvaluation | None) -> AgnosticRecall | None:
            return evaluation.recall(category_ids) if evaluation else None

        mask = average(self.detected.mask)
        return GroupScores(
            classes=len(category_ids),
            instances=int(np.isin(self.categories, list(category_ids)).sum()),
            box=average(self.detected.box),
            mask=mask,
            gt_box_miou=mean(self.ious),
            full_box=mean_iou(self.full_box, self.categories, category_ids),
            ellipse=mean_iou(self.ellipse, self.categories, category_ids),
            boundary_miou=mean(self.boundaries),
            boundary=average(self.detected.boundary),
            agnostic_box=recall(self.detected.agnostic_box),
            agnostic_mask=recall(self.detected.agnostic_mask),
            limits=self.limits.of(mask.ap, category_ids) if self.limits and mask else None,
            jittered=jittered_means(self.jittered, self.truth, category_ids),
        )


def quality_of(
    evaluation: Evaluation, groups: Mapping[str, Sequence[int]], categories: Sequence[Mapping[str, Any]]
) -> tuple[PartQuality, ...]:
    """Average the masks on boxes of an evaluation by size, aspect and supercategory; nothing where there are none.

    Args:
        evaluation: What was computed.
        groups: Group -> its category ids.
        categories: The annotation file's ``categories``.
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
    return tuple(quality_by_part(values, categories=evaluation.categories, axes=axes, groups=groups))
