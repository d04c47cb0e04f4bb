"""What CenterNet's heads are trained towards: heat maps of Gaussians, sizes and offsets at the centres of boxes.

Source: official ``object_detection/core/target_assigner.py`` (``CenterNetCenterHeatmapTargetAssigner``,
``CenterNetBoxTargetAssigner``) and ``utils/target_assigner_utils.py``. MMDetection's CenterNet differs in the radius
(the corrected formula, overlap 0.3), in cutting Gaussians off at the radius, and in knowing no padding.

Shapes: B images, K classes, H x W cells of stride s, N boxes of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CentreTargets:
    """Targets of a batch.

    Attributes:
        heat: (B, K, H, W) in [0, 1], 1 at the centre of a box.
        valid: (B, 1, H, W), 1 on the image and 0 on its padding.
        places: (N, 3) long: image, row and column of each box's centre.
        sizes: (N, 2): height and width of each box in cells.
        offsets: (N, 2): y and x from the cell of the centre to the centre, in [0, 1).
    """

    heat: Tensor
    valid: Tensor
    places: Tensor
    sizes: Tensor
    offsets: Tensor


def gaussian_radius(heights: Tensor, widths: Tensor, *, min_overlap: float) -> Tensor:
    """Return how far corners may lie apart for boxes to overlap by ``min_overlap``, as CenterNet reckons it.

    Of three quadratics (corners moved alike, box inside, box outside) it takes (-b + sqrt(b^2 - 4ac)) / 2, which is a
    times the greater root. The official code notes that CornerNet has since corrected the formula and stays with it.

    Args:
        heights: (N,) heights of boxes.
        widths: (N,) widths, in the same unit.
        min_overlap: IoU in (0, 1).
    """
    total, area = heights + widths, heights * widths
    quadratics = (
        (1.0, -total, area * (1 - min_overlap) / (1 + min_overlap)),
        (4.0, -2 * total, area * (1 - min_overlap)),
        (4 * min_overlap, 2 * min_overlap * total, area * (min_overlap - 1)),
    )
    roots = [(-b + (b**2 - 4 * a * c).sqrt()) / 2 for a, b, c in quadratics]
    return torch.stack(roots).amin(dim=0)


def gaussian_sigma(heights: Tensor, widths: Tensor, *, min_overlap: float) -> Tensor:
    """Return the standard deviation of each box's Gaussian: a sixth of 2 * whole radius + 1."""
    radius = gaussian_radius(heights, widths, min_overlap=min_overlap).floor().clamp(min=0)
    return (2 * radius + 1) / 6


def centre_targets(
    samples: Sequence[Any], *, num_classes: int, cells: tuple[int, int], stride: int, min_overlap: float, like: Tensor
) -> CentreTargets:
    """Return the targets of a batch.

    Args:
        samples: Data samples whose ``gt_instances`` have ``bboxes`` (N, 4) xyxy in input pixels and ``labels`` (N,);
            ``img_shape`` is the size of the image without padding.
        num_classes: K.
        cells: H and W.
        stride: Input pixels of one cell.
        min_overlap: See `gaussian_radius`.
        like: Gives device; targets are float32.
    """
    height, width = cells
    device = like.device
    rows = torch.arange(height, device=device, dtype=torch.float32)
    columns = torch.arange(width, device=device, dtype=torch.float32)
    heat = torch.zeros((len(samples), num_classes, height, width), device=device)
    valid = torch.zeros((len(samples), 1, height, width), device=device)
    places, sizes, offsets = [], [], []
    for image, sample in enumerate(samples):
        instances = sample.gt_instances
        boxes = getattr(instances.bboxes, "tensor", instances.bboxes).to(device, torch.float32) / stride
        size = boxes[:, [3, 2]] - boxes[:, [1, 0]]
        centre = boxes[:, [1, 0]] + size / 2
        # A box of no width on the last edge would lie in a cell beyond the map.
        place = torch.minimum(centre.floor().long(), torch.tensor(cells, device=device) - 1).clamp(min=0)
        sigma = gaussian_sigma(size[:, 0], size[:, 1], min_overlap=min_overlap)[:, None]
        by_row = torch.exp(-((rows - place[:, :1]) ** 2) / (2 * sigma**2))
        by_column = torch.exp(-((columns - place[:, 1:]) ** 2) / (2 * sigma**2))
        for label, vertical, horizontal in zip(instances.labels.tolist(), by_row, by_column, strict=True):
            torch.maximum(heat[image, label], torch.outer(vertical, horizontal), out=heat[image, label])
        shape = sample.img_shape
        valid[image, :, : -(-shape[0] // stride), : -(-shape[1] // stride)] = 1
        places.append(torch.cat([torch.full_like(place[:, :1], image), place], dim=1))
        sizes.append(size)
        offsets.append(centre - place)
    return CentreTargets(
        heat=heat, valid=valid, places=torch.cat(places), sizes=torch.cat(sizes), offsets=torch.cat(offsets)
    )
