"""Deep-MARC's crop operator: one bilinear sample at the centre of each cell.

Source: official ``multilevel_crop_and_resize`` of ``official/vision/ops/spatial_transform_ops.py``: the point x of an
image is the point x / stride of a map, at whole numbers the centre of a cell, so that a crop lies half a cell further
right and down than in MMDetection. Points beyond the last cell repeat it.

Shapes: T boxes, S side of a crop.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor, nn
from torchvision.ops import roi_align

# The side of a box that is cropped from level 4, where ResNet's images of 224 pixels would be (Lin et al., FPN).
_CANONICAL_SIDE, _CANONICAL_LEVEL = 224.0, 4


class BinCentreAlign(nn.Module):
    """Crop boxes from one map.

    Args:
        output_size: S.
        spatial_scale: One over the map's stride.
    """

    def __init__(self, *, output_size: int, spatial_scale: float) -> None:
        super().__init__()
        self.output_size = (output_size, output_size)
        self.spatial_scale = spatial_scale

    def forward(self, feature: Tensor, rois: Tensor) -> Tensor:
        """Return crops (T, C, S, S) of a map (B, C, H, W); rois (T, 5): image index, then xyxy in input pixels."""
        # Half a cell is what RoIAlign takes off; without that mode it would also widen boxes of less than a cell.
        offset = rois.new_tensor([0.0, 0.5, 0.5, 0.5, 0.5]) / self.spatial_scale
        crops = roi_align(
            feature.float(),
            rois.float() + offset,
            self.output_size,
            spatial_scale=self.spatial_scale,
            sampling_ratio=1,
            aligned=True,
        )
        return crops.to(feature.dtype)


@MODELS.register_module()
class BinCentreRoIExtractor(SingleRoIExtractor):
    """Crops of each box from the level that fits its size: a square of 224 pixels from level 4, twice that from 5.

    Args:
        roi_layer: ``output_size``: S; there is one kind of layer, ``type="BinCentreAlign"``.
        out_channels: C.
        featmap_strides: Strides of the maps, finest first, powers of two.
    """

    def build_roi_layers(self, layer_cfg: Any, featmap_strides: list[int]) -> nn.ModuleList:
        """Return a layer for each map."""
        if layer_cfg["type"] != "BinCentreAlign":
            raise ValueError(f"a BinCentreRoIExtractor has layers of type BinCentreAlign, not {layer_cfg['type']}")
        size = layer_cfg["output_size"]
        return nn.ModuleList(BinCentreAlign(output_size=size, spatial_scale=1 / stride) for stride in featmap_strides)

    def map_roi_levels(self, rois: Tensor, num_levels: int) -> Tensor:
        """Return the place of each box's map (T,), long."""
        side = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).float().sqrt()
        steps = torch.floor(torch.log(side / _CANONICAL_SIDE) / math.log(2.0))
        finest = int(math.log2(self.featmap_strides[0]))
        return (steps + _CANONICAL_LEVEL - finest).clamp(min=0, max=num_levels - 1).long()
