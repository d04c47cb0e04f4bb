"""Mask R-CNN's own trunk: a few convolutions at the crop's resolution.

Source: He et al., Mask R-CNN (2017), Figure 4 right; as the baseline of Deep-MARC's Table 2, the official
``instance_heads.DeepMaskHead`` with ``convnet_variant: default``.

Shapes: N crops, C channels, H x W crop.
"""

from __future__ import annotations

from typing import Any

from mmdet.registry import MODELS
from torch import Tensor, nn

from psis_bench.models.mask_heads.norm import norm_factory
from psis_bench.models.mask_heads.trunk import Trunk


@MODELS.register_module()
class ConvTrunk(Trunk):
    """``convs`` times: conv 3x3 (with bias), norm, ReLU.

    Args:
        in_channels: Channels of the crops.
        num_init_channels: Unit of ``width``.
        width: Width of all convolutions in units of ``num_init_channels``.
        convs: Number of convolutions.
        norm_type: ``"BN"``, ``"SyncBN"`` or None, as in Mask R-CNN's paper.
        norm_eps: Added to variances; the default is the official value.
        norm_momentum: PyTorch's momentum; the default is that of the official ResNet configs, Keras' 0.997.
        init_cfg: MMEngine initialisation that replaces He's.

    Raises:
        ValueError: There is no convolution, or it has no width.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_init_channels: int = 64,
        width: int,
        convs: int,
        norm_type: str | None = "BN",
        norm_eps: float = 1e-4,
        norm_momentum: float = 0.003,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if min(width, convs) < 1:
            raise ValueError(f"width and convs must be positive; got width {width} and convs {convs}")
        channels = width * num_init_channels
        super().__init__(in_channels=in_channels, out_channels=channels, init_cfg=init_cfg)
        norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)
        self.layers = nn.Sequential()
        for place in range(convs):
            self.layers.append(nn.Conv2d(channels if place else in_channels, channels, 3, padding=1))
            self.layers.append(norm(channels))
            self.layers.append(nn.ReLU(inplace=True))
        self.convs = convs
        self.reset_parameters()

    @property
    def depth(self) -> int:
        """Number of convolutions."""
        return self.convs

    def reset_parameters(self) -> None:
        """Initialise by He's normal rule over outputs with zero biases."""
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, crops: Tensor) -> Tensor:
        """Map crops (N, C, H, W) to features (N, C', H, W)."""
        self.check_sides(crops)
        features: Tensor = self.layers(crops)
        return features
