"""IoU of pairs of boxes, to the last bit that of pycocotools."""

from __future__ import annotations

import numpy as np

from psis_bench.scoring.inputs.ground_truth import Flags, Floats


def box_ious(found: Floats, drawn: Floats, *, crowds: Flags) -> Floats:
    """Return the IoU of pairs of boxes, as ``bbIou`` of pycocotools computes it.

    Args:
        found: float64 (P, 4): xywh of the detections.
        drawn: float64 (P, 4): xywh of the objects.
        crowds: bool (P,): divide by the detection's area in place of the union.

    Returns:
        float64 (P,).
    """
    across, down = (
        np.minimum(found[:, 2 + axis] + found[:, axis], drawn[:, 2 + axis] + drawn[:, axis])
        - np.maximum(found[:, axis], drawn[:, axis])
        for axis in (0, 1)
    )
    meet = (across > 0) & (down > 0)
    common = np.where(meet, across * down, 0.0)
    area = found[:, 2] * found[:, 3]
    union = np.where(crowds, area, area + drawn[:, 2] * drawn[:, 3] - common)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(meet, common / union, 0.0)
