"""An evaluation of many detections, some classes at a time, so that an evaluator's memory stays bounded.

COCO and LVIS match the detections of a class with the objects of that class alone, so that nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from psis_bench.scoring.ahead import ahead
from psis_bench.scoring.detection.curves import Curves
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth

_AT_ONCE = 125_000
"""Detections with masks that are evaluated together."""

_BOXES_FOR_A_MASK = 4
"""How many boxes take the memory of one mask, or less."""


def by_classes(
    truth: GroundTruth, detections: Detections, evaluation: Callable[[GroundTruth, Detections], Callable[[], Curves]]
) -> Curves:
    """Evaluate about `_AT_ONCE` detections at a time, more where one class has more.

    Args:
        truth: The annotations.
        detections: Checked detections.
        evaluation: Gets annotations, whose ``category_ids`` are consecutive ones of the file, and their detections,
            makes them ready, in another thread, and returns what evaluates them.
    """
    found = [evaluate() for evaluate in ahead(evaluation(*part) for part in _parts(truth, detections))]
    return Curves(
        precision=np.concatenate([curves.precision for curves in found], axis=2),
        recall=np.concatenate([curves.recall for curves in found], axis=1),
        scores=np.concatenate([curves.scores for curves in found], axis=2),
    )


def _parts(truth: GroundTruth, detections: Detections) -> Iterator[tuple[GroundTruth, Detections]]:
    parts = -(-len(detections) // (_AT_ONCE if detections.has_mask.any() else _AT_ONCE * _BOXES_FOR_A_MASK))
    if parts <= 1:
        yield truth, detections
        return
    classes = np.searchsorted(truth.category_ids, detections.categories)
    objects = np.searchsorted(truth.category_ids, truth.categories)
    so_far = np.cumsum(np.bincount(classes, minlength=len(truth.category_ids)))
    bounds = np.searchsorted(so_far, np.linspace(0, len(detections), parts + 1)[1:-1], side="right")
    bounds = np.unique(bounds[(bounds > 0) & (bounds < len(so_far))])
    for low, high in zip([0, *bounds.tolist()], [*bounds.tolist(), len(so_far)], strict=True):
        own = replace(truth.where((low <= objects) & (objects < high)), category_ids=truth.category_ids[low:high])
        yield own, detections.where((low <= classes) & (classes < high))
