"""IoU of the masks that were predicted on boxes moved by several strengths, beside those on tight boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from psis_bench.scoring.box_iou import box_ious
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.scoring.masks.box_jitter import jittered_boxes, strength_of
from psis_bench.scoring.masks.gt_box_iou import gt_box_ious
from psis_bench.scoring.masks.trivial import full_box_ious
from psis_bench.scoring.results.details import Jittered, JitteredMean
from psis_bench.scoring.results.mean_iou import MeanIou


@dataclass(frozen=True, kw_only=True)
class JitteredIous:
    """The masks on boxes of one strength, n in the order of ``truth.instances``.

    Args:
        strength: Of the jitter.
        ious: float64 (n,): IoU of the predicted masks with those of the annotations.
        boxes: float64 (n,): IoU of the moved boxes with the tight ones.
        full_box: float64 (n,): IoU of a mask that fills the moved box.
    """

    strength: float
    ious: Floats
    boxes: Floats
    full_box: Floats


def jittered_ious(predictions: Path, truth: GroundTruth) -> tuple[JitteredIous, ...]:
    """Read the masks on moved boxes of a prediction folder, if it has any; ascending strengths.

    Raises:
        UserError: As `psis_bench.scoring.masks.gt_box_iou.gt_box_ious`; a folder's name has no strength in it.
    """
    children = sorted(child for child in predictions.iterdir() if child.is_dir())
    folders = {strength: child for child in children if (strength := strength_of(child)) is not None}
    places = truth.instances
    tight, sizes = truth.boxes[places], truth.sizes_of(truth.images[places])
    found = []
    for strength, folder in sorted(folders.items()):
        moved = jittered_boxes(tight, truth.annotation_ids[places], sizes, strength=strength)
        found.append(
            JitteredIous(
                strength=strength,
                ious=gt_box_ious(read_parts(folder, kind="gt_box_masks"), truth),
                boxes=box_ious(moved, tight, crowds=np.zeros(len(tight), bool)),
                full_box=full_box_ious(truth, moved),
            )
        )
    return tuple(found)


def jittered_means(found: Sequence[JitteredIous], mean: Callable[[Floats], MeanIou]) -> Jittered | None:
    """Average them by ``mean``, which is of a group of classes; None where there are none."""
    means = {}
    for one in found:
        iou = mean(one.ious)
        means[repr(one.strength)] = JitteredMean(
            box_iou=mean(one.boxes).instance_mean,
            class_mean=iou.class_mean,
            instance_mean=iou.instance_mean,
            full_box=mean(one.full_box).class_mean,
        )
    return Jittered(strengths=means) if means else None
