"""Maps in the frames of boxes: jittered boxes, boxes with a margin, and taking a map from one box to another.

Source: official ShapeMask, ``utils/box_utils.py`` (``jitter_boxes``, ``compute_outer_boxes``) and
``ops/spatial_transform_ops.py`` (``crop_mask_in_target_box``) of tensorflow/tpu, ``models/official/detection``.

Shapes: T boxes (T, 4), xyxy in pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align

_LEAST = 1e-6


def jittered(boxes: Tensor, noise: Tensor) -> Tensor:
    """Move and scale boxes: centre + n * side, side * exp(n).

    Args:
        boxes: (T, 4).
        noise: (T, 4), n for x, y, width and height.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + noise[:, :2] * sides
    half = sides * noise[:, 2:].exp() / 2
    return torch.cat([centres - half, centres + half], dim=1)


def clipped(boxes: Tensor, height: float, width: float) -> Tensor:
    """Cut boxes off at an image's edges."""
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def outer_boxes(boxes: Tensor, height: float, width: float, *, scale: float) -> Tensor:
    """Return boxes around the same centres with sides ``scale`` times as long, cut off at the image's edges."""
    centres, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * scale / 2
    return clipped(torch.cat([centres - half, centres + half], dim=1), height, width)


def reframed(maps: Tensor, source: Tensor, target: Tensor, size: int) -> Tensor:
    """Take maps from one box each to another: bilinear values at the centres of the target's cells, zero outside.

    Args:
        maps: (T, h, w), row 0 at the top of its source box.
        source: (T, 4), the boxes that the maps cover.
        target: (T, 4), the boxes that the result covers.
        size: Side of the result in cells.

    Returns:
        (T, size, size); differentiable in ``maps``.
    """
    columns = _linear_weights(source[:, 0::2], target[:, 0::2], maps.shape[2], size)
    rows = _linear_weights(source[:, 1::2], target[:, 1::2], maps.shape[1], size)
    return rows @ maps @ columns.transpose(1, 2)


def _linear_weights(source: Tensor, target: Tensor, cells: int, size: int) -> Tensor:
    """Return (T, size, cells): the weight of each source cell in each target cell; intervals are (T, 2)."""
    steps = (torch.arange(size, device=source.device, dtype=source.dtype) + 0.5) / size
    centres = target[:, :1] + steps * (target[:, 1:] - target[:, :1])
    place = (centres - source[:, :1]) / (source[:, 1:] - source[:, :1]).clamp(min=_LEAST) * cells - 0.5
    each = torch.arange(cells, device=source.device, dtype=source.dtype)
    return (1 - (place[:, :, None] - each).abs()).clamp(min=0)


def pyramid_crops(
    features: tuple[Tensor, ...], rois: Tensor, levels: Tensor, *, strides: tuple[int, ...], size: int, samples: int
) -> Tensor:
    """Crop each box from the level of a pyramid that is meant for it.

    Args:
        features: A map (B, C, H / s, W / s) for each stride.
        rois: (T, 5): index of the image, then xyxy in input pixels.
        levels: (T,) long, the place in ``features`` for each box.
        strides: Input pixels of one cell of each map.
        size: Side S of the crops.
        samples: Bilinear samples a cell and axis.

    Returns:
        (T, C, S, S); T may be 0.
    """
    crops, order = [], []
    for place, (feature, stride) in enumerate(zip(features, strides, strict=True)):
        chosen = torch.nonzero(levels == place)[:, 0]
        crops.append(roi_align(feature, rois[chosen], (size, size), 1 / stride, samples, True))
        order.append(chosen)
    return torch.cat(crops)[torch.cat(order).argsort()]


def levels_by_longest_side(boxes: Tensor, *, strides: tuple[int, ...], size: int) -> Tensor:
    """Return the first level (T,) on which the longest side of a box has at most ``size`` cells, or the last.

    Strides double from level to level.
    """
    longest = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1).clamp(min=_LEAST)
    level = (longest / (size * strides[0])).log2().ceil()
    return level.clamp(0, len(strides) - 1).long()
