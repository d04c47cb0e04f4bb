"""ResNet with TensorFlow's padding, which weights that were trained in TensorFlow need.

Source: official ``official/vision/modeling/backbones/resnet.py``. Its layers are those of MMDetection's ``ResNet``; the
stride is in the 3x3 convolution (``style="pytorch"``). What differs is where a layer of stride 2 begins to count: its
padding, 'SAME', is at the end where it is odd, and torch pads both sides alike, so that maps are shifted by a pixel.
"""

from __future__ import annotations

from typing import Any

from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from torch import Tensor, nn

from psis_bench.models.backbones.efficientnet_lite import SameConv
from psis_bench.models.backbones.spinenet import same_max_pool


@MODELS.register_module()
class SameConv2d(SameConv):
    """A convolution with 'SAME' padding in the place of one that is told its padding."""

    def __init__(self, *args: Any, padding: int = 0, **kwargs: Any) -> None:
        del padding
        super().__init__(*args, **kwargs)


class SameMaxPool(nn.Module):
    """The maximum of 3x3 at stride 2, with 'SAME' padding."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, ceil(H / 2), ceil(W / 2))."""
        return same_max_pool(x)


@MODELS.register_module()
class SameResNet(ResNet):
    """MMDetection's ``ResNet`` with 'SAME' padding; its weights have the same names and shapes.

    Args:
        **kwargs: Arguments of `mmdet.models.ResNet` but for ``conv_cfg``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(conv_cfg={"type": "SameConv2d"}, **kwargs)
        self.maxpool = SameMaxPool()
