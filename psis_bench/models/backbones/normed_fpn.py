"""The feature pyramid of Deep-MARC: batch norm once, at the end of each level.

Source: official ``official/vision/modeling/decoders/fpn.py``. MMDetection's ``FPN`` with ``norm_cfg`` has norms after
the 1x1 and the 3x3 convolutions, which then have no biases, and makes the coarsest level by pooling.

Shapes: B images; level l has stride 2**l.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.backbones.efficientnet_lite import SameConv
from psis_bench.models.backbones.initialisation import keras_variance_scaling


@MODELS.register_module()
class NormedFPN(BaseModule):
    """1x1 convolutions, sums from the coarsest level down (nearest), 3x3 convolutions; coarser levels; norms.

    A coarser level than the backbone's is a 3x3 convolution of stride 2 ('SAME' padding) of the one before it, behind a
    ReLU from the second on. All convolutions have biases.

    Args:
        in_channels: Channels of the backbone's levels, finest first.
        out_channels: Channels of every level.
        num_outs: Number of levels, at least the backbone's.
        norm_cfg: MMDetection's config of the norms.
        init_cfg: MMEngine initialisation; the default is Keras' ``VarianceScaling``, variance 1 / inputs.

    Raises:
        ValueError: ``num_outs`` is smaller than the number of the backbone's levels.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        norm_cfg: dict[str, Any],
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_outs < len(in_channels):
            raise ValueError(f"{len(in_channels)} levels come in, so {num_outs} cannot come out")
        coarser = num_outs - len(in_channels)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, out_channels, 1) for channels in in_channels)
        self.convs = nn.ModuleList(nn.Conv2d(out_channels, out_channels, 3, padding=1) for _ in in_channels)
        self.coarser = nn.ModuleList(SameConv(out_channels, out_channels, 3, stride=2) for _ in range(coarser))
        self.norms = nn.ModuleList(build_norm_layer(norm_cfg, out_channels)[1] for _ in range(num_outs))

    def init_weights(self) -> None:
        """Initialise by a truncated normal with variance 1 / inputs and zero biases, then by ``init_cfg``."""
        for layer in (*self.laterals, *self.convs, *self.coarser):
            keras_variance_scaling(layer)
        super().init_weights()

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map the backbone's maps (B, C_l, H_l, W_l), finest first, to maps of ``out_channels`` of each level."""
        merged = [lateral(level) for lateral, level in zip(self.laterals, maps, strict=True)]
        for finer in range(len(merged) - 2, -1, -1):
            merged[finer] = merged[finer] + functional.interpolate(
                merged[finer + 1], size=merged[finer].shape[2:], mode="nearest"
            )
        found = [conv(level) for conv, level in zip(self.convs, merged, strict=True)]
        for place, conv in enumerate(self.coarser):
            found.append(conv(functional.relu(found[-1]) if place else found[-1]))
        return tuple(norm(level) for norm, level in zip(self.norms, found, strict=True))
