"""The feature pyramid of CenterNet on a ResNet: one map at a quarter of the image's resolution.

Source: official ``object_detection/models/center_net_resnet_v1_fpn_feature_extractor.py``. Unlike Lin et al.'s pyramid
it keeps only the finest map, and its channels shrink on the way down.

Shapes: B images of H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.mask_heads.norm import norm_factory
from psis_bench.models.mask_heads.trunk import glorot_uniform


@MODELS.register_module()
class CenterNetFPN(BaseModule):
    """From the coarsest level on: upsample (nearest), add a 1x1 convolution of the next finer level, 3x3 convolution.

    All convolutions have biases; norm and ReLU follow the 3x3 ones.

    Args:
        in_channels: Channels of the backbone's levels, finest first.
        channels: Channels of the sum at each level but the coarsest, finest first; the first is also the output's.
            The coarsest level is given the last of them.
        norm_type: ``"BN"``, ``"SyncBN"`` or None. The official code has plain batch norm here.
        norm_eps: Added to variances; the official value is Keras' default, 1e-3.
        norm_momentum: PyTorch's momentum; the official value is Keras' default, 0.99, here 0.01.
        init_cfg: MMEngine initialisation that replaces Glorot-uniform, the official code's.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        channels: Sequence[int],
        norm_type: str | None = "BN",
        norm_eps: float = 1e-3,
        norm_momentum: float = 0.01,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(in_channels) != len(channels) + 1:
            raise ValueError(f"{len(in_channels)} levels need {len(in_channels) - 1} channels, not {tuple(channels)}")
        norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)
        self.out_channels = channels[0]
        self.top = nn.Conv2d(in_channels[-1], channels[-1], 1)
        self.laterals = nn.ModuleList(
            nn.Conv2d(level, width, 1) for level, width in zip(in_channels[:-1], channels, strict=True)
        )
        self.convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, below, 3, padding=1), norm(below), nn.ReLU(inplace=True))
            for width, below in zip(channels, [channels[0], *channels[:-1]], strict=True)
        )

    def init_weights(self) -> None:
        """Initialise by Glorot's uniform rule, then by ``init_cfg`` if there is one."""
        if not self.is_init:
            glorot_uniform(self)
        super().init_weights()

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor]:
        """Map the backbone's levels, finest first, to one map of the finest level's resolution."""
        merged: Tensor = self.top(levels[-1])
        for level, lateral, conv in zip(levels[-2::-1], reversed(self.laterals), reversed(self.convs), strict=True):
            merged = conv(functional.interpolate(merged, scale_factor=2, mode="nearest") + lateral(level))
        return (merged,)
