"""The detector of Deep-MARC where it is not MMDetection's: where batch norm is.

Source: official ``official/vision/modeling/heads``: ``dense_prediction_heads.RPNHead``, whose convolution is shared by
all levels and whose batch norm is not, and ``instance_heads.DetectionHead``, with batch norm after each convolution and
the fully connected layer, all of which have biases.

Shapes: B images, L levels, A anchors a place, T boxes, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads.bbox_heads import Shared4Conv1FCBBoxHead
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional


@MODELS.register_module()
class LevelNormRPNHead(RPNHead):
    """MMDetection's ``RPNHead`` with a batch norm for each level after the shared convolution.

    Args:
        norm_cfg: MMDetection's config of the norms.
        **kwargs: Arguments of `mmdet.models.RPNHead`; the anchors tell the number of levels.
    """

    def __init__(self, *, norm_cfg: dict[str, Any], **kwargs: Any) -> None:
        self.norm_cfg = norm_cfg
        super().__init__(**kwargs)

    def _init_layers(self) -> None:
        super()._init_layers()
        levels = self.prior_generator.num_levels
        self.norms = nn.ModuleList(build_norm_layer(self.norm_cfg, self.feat_channels)[1] for _ in range(levels))

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each level logits (B, A, H, W) and box deltas (B, 4 A, H, W)."""
        hidden = [functional.relu(norm(self.rpn_conv(level))) for norm, level in zip(self.norms, x, strict=True)]
        return [self.rpn_cls(level) for level in hidden], [self.rpn_reg(level) for level in hidden]


@MODELS.register_module()
class NormedBoxHead(Shared4Conv1FCBBoxHead):
    """Four 3x3 convolutions and a fully connected layer, each with bias, batch norm and ReLU; then classes and boxes.

    Args:
        norm_cfg: MMDetection's config of the norms.
        **kwargs: Arguments of `mmdet.models.Shared4Conv1FCBBoxHead`.
    """

    def __init__(self, *, norm_cfg: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(norm_cfg=None, **kwargs)
        channels = [self.conv_out_channels] * len(self.shared_convs)
        self.conv_norms = nn.ModuleList(build_norm_layer(norm_cfg, width)[1] for width in channels)
        self.fc_norms = nn.ModuleList(build_norm_layer(norm_cfg, self.fc_out_channels)[1] for _ in self.shared_fcs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (T, K + 1), the background last, and box deltas (T, 4 K) of crops (T, C, H, W)."""
        for layer, norm in zip(self.shared_convs, self.conv_norms, strict=True):
            x = functional.relu(norm(layer.conv(x)))
        x = x.flatten(1)
        for layer, norm in zip(self.shared_fcs, self.fc_norms, strict=True):
            x = functional.relu(_normed(norm, layer(x)))
        return self.fc_cls(x), self.fc_reg(x)


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    # A norm of images takes (N, C, H, W).
    normed: Tensor = norm(x[:, :, None, None])[:, :, 0, 0]
    return normed
