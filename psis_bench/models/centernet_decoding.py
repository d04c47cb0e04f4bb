"""From CenterNet's heat map, sizes and offsets to boxes, without non-maximum suppression.

Source: official ``top_k_feature_map_locations`` and ``prediction_tensors_to_boxes`` of ``center_net_meta_arch.py``.

Shapes: K classes, H x W cells, M detections.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

# Two neighbours whose scores differ by less are both peaks (official ``PEAK_EPSILON``).
_SAME = 1e-6


class Decoded(NamedTuple):
    """Boxes (M, 4) xyxy in cells of the map, scores (M,) in descending order, labels (M,) long."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def peaks(scores: Tensor) -> Tensor:
    """Return ``scores`` (K, H, W) where they are the greatest of their 3 x 3 neighbourhood, and 0 elsewhere."""
    greatest = functional.max_pool2d(scores, 3, stride=1, padding=1)
    return torch.where((scores - greatest).abs() < _SAME, scores, 0.0)


def decode(heat: Tensor, sizes: Tensor, offsets: Tensor, *, max_detections: int) -> Decoded:
    """Return the boxes of one image's highest peaks over all classes.

    Args:
        heat: (K, H, W) logits.
        sizes: (2, H, W): height and width in cells; negative ones count as 0.
        offsets: (2, H, W): y and x from a cell to the centre.
        max_detections: Most detections to return; only peaks are detections.
    """
    _, height, width = heat.shape
    flat = peaks(heat.float().sigmoid()).flatten()
    scores, indices = flat.topk(min(max_detections, len(flat)))
    found = scores > 0
    scores, indices = scores[found], indices[found]
    labels = indices.div(height * width, rounding_mode="floor")
    rows = indices.div(width, rounding_mode="floor") % height
    columns = indices % width
    offset = offsets[:, rows, columns].float()
    half = sizes[:, rows, columns].float().clamp(min=0) / 2
    y, x = rows + offset[0], columns + offset[1]
    boxes = torch.stack([x - half[1], y - half[0], x + half[1], y + half[0]], dim=1)
    limits = boxes.new_tensor([width, height, width, height])
    return Decoded(boxes.clamp(min=0).minimum(limits), scores, labels)
