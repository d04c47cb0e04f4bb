"""Deep-MAC's crop operator: one bilinear sample a cell, on a grid that includes both edges of the box.

Source: official ``matmul_crop_and_resize`` of ``object_detection/utils/spatial_transform_ops.py`` (there
``multilevel_roi_align`` with ``align_corners=True``), the sampling of ``tf.image.crop_and_resize`` with zeros around
the map. A coordinate v of the box, as a part of the input's side in [0, 1], is the place v * (cells - 1) of a map: the
map's first cell lies on the input's first edge and its last cell on the last. A crop must be pasted in the same frame:
``psis_bench.models.paste.paste_crop`` with ``grid="edges"``.

Shapes: B maps, T boxes, S side of a crop.
"""

from __future__ import annotations

import torch
from mmdet.structures.mask import BitmapMasks
from torch import Tensor
from torchvision.ops import roi_align


def sample_points(first: Tensor, last: Tensor, count: int) -> Tensor:
    """Return (T, count) points from ``first`` (T,) to ``last`` (T,), both included; the middle when count is 1."""
    if count == 1:
        return ((first + last) / 2)[:, None]
    steps = torch.linspace(0, 1, count, device=first.device, dtype=first.dtype)
    return torch.lerp(first[:, None], last[:, None], steps)


def crop_and_resize(maps: Tensor, rois: Tensor, size: int, *, input_shape: tuple[int, int]) -> Tensor:
    """Crop boxes from maps.

    Args:
        maps: (B, C, H, W).
        rois: (T, 5): index of the map, then xyxy in pixels of the input.
        size: Side S of the crops.
        input_shape: Height and width of the input, padding included, which the maps cover.

    Returns:
        (T, C, S, S).

    RoIAlign computes it: of bins that are wider by one step than the box, the centres are the wanted points. It repeats
    the map's border for one cell beyond it; the official operator fades to zero there, which the weights do.
    """
    cells = rois.new_tensor([maps.shape[3], maps.shape[2]])
    sides = rois.new_tensor([input_shape[1], input_shape[0]])
    first = rois[:, 1:3] / sides * (cells - 1)
    last = rois[:, 3:5] / sides * (cells - 1)
    spread = (last - first) / (2 * (size - 1)) if size > 1 else torch.zeros_like(first)
    # RoIAlign takes the place of a cell's centre to be a half; here it is a whole number.
    bins = torch.cat([rois[:, :1], first - spread + 0.5, last + spread + 0.5], dim=1)
    crops = roi_align(maps, bins, (size, size), spatial_scale=1.0, sampling_ratio=1, aligned=True)
    columns = _inside(sample_points(first[:, 0], last[:, 0], size), maps.shape[3]).to(crops.dtype)
    rows = _inside(sample_points(first[:, 1], last[:, 1], size), maps.shape[2]).to(crops.dtype)
    return crops * (rows[:, :, None] * columns[:, None, :])[:, None]


def _inside(points: Tensor, cells: int) -> Tensor:
    """Return 1 for points on an axis of so many cells, falling to 0 at one cell beyond either end."""
    return torch.minimum(points + 1, cells - points).clamp(0, 1)


def mask_targets(masks: BitmapMasks, boxes: Tensor, indices: Tensor, size: int) -> Tensor:
    """Crop ground-truth masks to boxes with the same operator; they stay soft, as in the official code.

    Args:
        masks: The masks of one image at the resolution of the padded input.
        boxes: (N, 4) xyxy in input pixels.
        indices: (N,) long, the mask that belongs to each box.
        size: Side S of the target.

    Returns:
        (N, S, S) float in [0, 1].
    """
    if len(boxes) == 0:
        return boxes.new_zeros((0, size, size))
    chosen = masks.masks[indices.cpu().numpy()]
    bitmaps = torch.as_tensor(chosen, device=boxes.device).to(boxes.dtype)[:, None]
    rois = torch.cat([torch.arange(len(boxes), device=boxes.device).to(boxes)[:, None], boxes], dim=1)
    return crop_and_resize(bitmaps, rois, size, input_shape=(masks.height, masks.width))[:, 0]
