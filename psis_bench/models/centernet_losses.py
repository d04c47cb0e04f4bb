"""CenterNet's losses: penalty-reduced focal loss on heat maps, L1 on sizes and offsets at centres.

Source: Zhou et al., Objects as Points (2019), equations 1 to 3; official ``PenaltyReducedLogisticFocalLoss`` of
``object_detection/core/losses.py`` and ``_compute_box_scale_and_offset_loss`` of ``center_net_meta_arch.py``. All are
sums; the caller divides by the number of boxes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def penalty_reduced_focal_loss(
    logits: Tensor, targets: Tensor, weights: Tensor, *, alpha: float, beta: float, clip: float
) -> Tensor:
    """Sum over all cells of the focal loss whose negatives count less the nearer they are to a centre.

    Args:
        logits: (B, K, H, W).
        targets: (B, K, H, W) in [0, 1]; exactly 1 is a centre, all else a negative.
        weights: (B, 1, H, W) of cells.
        alpha: Exponent by which well classified cells count less.
        beta: Exponent by which cells near a centre count less.
        clip: Probabilities are kept inside [clip, 1 - clip], beyond which there is no gradient.
    """
    probability = logits.float().sigmoid().clamp(clip, 1 - clip)
    centre = (1 - probability) ** alpha * probability.log()
    other = (1 - targets) ** beta * probability**alpha * (1 - probability).log()
    return -(torch.where(targets == 1, centre, other) * weights).sum()


def l1_at_places(predictions: Tensor, places: Tensor, targets: Tensor) -> Tensor:
    """Sum of absolute differences at places.

    Args:
        predictions: (B, C, H, W).
        places: (N, 3) long: image, row, column.
        targets: (N, C).
    """
    found = predictions[places[:, 0], :, places[:, 1], places[:, 2]]
    return (found.float() - targets).abs().sum()
