"""CenterNet's detection heads, one set for each stack of the backbone.

Source: official ``center_net_meta_arch.py`` (``make_prediction_net``, ``_compute_object_center_loss``,
``_compute_box_scale_and_offset_loss``, ``postprocess``). MMDetection's ``CenterNetHead`` takes one feature map, counts
boxes by distinct centres, and has other targets (see `psis_bench.models.centernet_targets`), so it is no base for it.

Shapes: B images, K classes, H x W cells of stride s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from psis_bench.models.centernet_decoding import Decoded, decode
from psis_bench.models.centernet_losses import l1_at_places, penalty_reduced_focal_loss
from psis_bench.models.centernet_targets import centre_targets
from psis_bench.models.mask_heads.trunk import glorot_uniform
from psis_bench.models.prediction_head import prediction_head


@MODELS.register_module()
class StackedCenterNetHead(BaseModule):
    """Heat map, size and offset heads on the feature maps of all stacks, all of them supervised.

    Args:
        in_channels: Channels of the feature maps.
        num_classes: K.
        stacks: Number of feature maps.
        stride: Input pixels of one cell.
        head_width: Channels of each head's hidden layer.
        centre_bias: Initial bias of the heat map's logits.
        min_overlap: IoU from which a Gaussian's radius follows.
        focal_alpha: See `penalty_reduced_focal_loss`.
        focal_beta: See `penalty_reduced_focal_loss`.
        probability_clip: See `penalty_reduced_focal_loss`.
        centre_weight: Weight of the heat map's loss.
        size_weight: Weight of the L1 loss of heights and widths, in cells.
        offset_weight: Weight of the L1 loss of offsets, in cells.
        max_detections: Detections an image.
        init_cfg: MMEngine initialisation that replaces Glorot-uniform.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_classes: int,
        stacks: int,
        stride: int,
        head_width: int,
        centre_bias: float,
        min_overlap: float,
        focal_alpha: float,
        focal_beta: float,
        probability_clip: float,
        centre_weight: float,
        size_weight: float,
        offset_weight: float,
        max_detections: int,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.stacks = stacks
        self.stride = stride
        self.centre_bias = centre_bias
        self.min_overlap = min_overlap
        self.focal = {"alpha": focal_alpha, "beta": focal_beta, "clip": probability_clip}
        self.centre_weight = centre_weight
        self.size_weight = size_weight
        self.offset_weight = offset_weight
        self.max_detections = max_detections
        self.centre_heads, self.size_heads, self.offset_heads = (
            nn.ModuleList(prediction_head(in_channels, head_width, channels) for _ in range(stacks))
            for channels in (num_classes, 2, 2)
        )

    def init_weights(self) -> None:
        """Initialise by Glorot's uniform rule, the heat maps' last bias by ``centre_bias``."""
        if not self.is_init:
            glorot_uniform(self)
            for head in self.centre_heads:
                nn.init.constant_(head.get_parameter("2.bias"), self.centre_bias)
        super().init_weights()

    def forward(self, feature: Tensor, stack: int = -1) -> tuple[Tensor, Tensor, Tensor]:
        """Return heat map logits (B, K, H, W), sizes (B, 2, H, W) as h, w and offsets (B, 2, H, W) as y, x."""
        return self.centre_heads[stack](feature), self.size_heads[stack](feature), self.offset_heads[stack](feature)

    def loss(self, features: Sequence[Tensor], samples: list[Any]) -> dict[str, Tensor]:
        """Return ``loss_centre``, ``loss_size`` and ``loss_offset``: sums over the batch, a box and a stack.

        Args:
            features: One map (B, C, H, W) for each stack.
            samples: See `centre_targets`.
        """
        _, _, height, width = features[0].shape
        targets = centre_targets(
            samples,
            num_classes=self.num_classes,
            cells=(height, width),
            stride=self.stride,
            min_overlap=self.min_overlap,
            like=features[0],
        )
        share = 1 / (self.stacks * max(len(targets.places), 1))
        centre, size, offset = features[0].new_zeros(3, dtype=torch.float32).unbind()
        for stack in range(self.stacks):
            heat, sizes, offsets = self(features[stack], stack)
            centre = centre + penalty_reduced_focal_loss(heat, targets.heat, targets.valid, **self.focal)
            size = size + l1_at_places(sizes, targets.places, targets.sizes)
            offset = offset + l1_at_places(offsets, targets.places, targets.offsets)
        return {
            "loss_centre": self.centre_weight * share * centre,
            "loss_size": self.size_weight * share * size,
            "loss_offset": self.offset_weight * share * offset,
        }

    def detect(self, feature: Tensor) -> list[Decoded]:
        """Return each image's detections from the last stack's feature map (B, C, H, W); boxes are in cells."""
        maps = self(feature)
        return [decode(*image, max_detections=self.max_detections) for image in zip(*maps, strict=True)]
