"""ResNet trunks: mask heads of growing depth that keep the crop's resolution throughout.

Source: paper section 4 and appendix Table 14; official ``ResNetMaskNetwork`` in ``deepmac_meta_arch.py`` with
``stack_basic`` of ``keras_models/resnet_v1.py``. Despite the name of that file its blocks activate before they
convolve, and activate once more before the addition. The last two blocks of ResNet-20 have 192 channels in the code
and 128 in Table 14; ``widths`` and ``blocks`` say which is built.

Shapes: N crops, C channels, H x W crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor, nn

from psis_bench.errors import did_you_mean
from psis_bench.models.mask_heads.norm import NormFactory, norm_factory
from psis_bench.models.mask_heads.trunk import Trunk, glorot_uniform


class BasicBlock(nn.Module):
    """Norm, ReLU; then conv 3x3, norm, ReLU, conv 3x3, norm, ReLU; add the shortcut, with no activation after it.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        project: Whether the shortcut is a 1x1 convolution (with bias) of the activated input, as in the first block
            of a stack, rather than the input itself.
        norm: Makes normalisation layers.
    """

    depth = 2

    def __init__(self, *, in_channels: int, channels: int, project: bool, norm: NormFactory) -> None:
        super().__init__()
        self.activate = nn.Sequential(norm(in_channels), nn.ReLU(inplace=True))
        self.shortcut = nn.Conv2d(in_channels, channels, 1) if project else None
        self.main = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False),
            norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            norm(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        activated = self.activate(inputs)
        shortcut: Tensor = inputs if self.shortcut is None else self.shortcut(activated)
        return shortcut + self.main(activated)


BLOCKS: dict[str, type[BasicBlock]] = {"basic": BasicBlock}


@MODELS.register_module()
class ResNetTrunk(Trunk):
    """Conv 1x1 (with bias, neither norm nor activation), then stacks of residual blocks, all of stride 1.

    Args:
        in_channels: Channels of the crops.
        num_init_channels: Width of the 1x1 convolution, and the unit of ``widths``.
        widths: Width of each stack in units of ``num_init_channels``.
        blocks: Residual blocks of each stack.
        block: Kind of block, a key of `BLOCKS`.
        norm_type: ``"BN"``, ``"SyncBN"`` or None.
        norm_eps: Added to variances; the default is the official value.
        norm_momentum: PyTorch's momentum; the default is the official value, Keras' 0.99.
        init_cfg: MMEngine initialisation that replaces Glorot-uniform.

    Raises:
        ValueError: ``widths`` and ``blocks`` do not fit each other, or there is no such ``block``.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_init_channels: int = 64,
        widths: Sequence[int],
        blocks: Sequence[int],
        block: str = "basic",
        norm_type: str | None = "BN",
        norm_eps: float = 1.001e-5,
        norm_momentum: float = 0.01,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if len(widths) != len(blocks) or min(*widths, *blocks, len(widths)) < 1:
            raise ValueError(
                "a ResNet trunk needs as many widths as blocks, at least one of each, all positive; "
                f"got widths {tuple(widths)} and blocks {tuple(blocks)}"
            )
        if block not in BLOCKS:
            raise ValueError(f"unknown block {block!r}; {did_you_mean(block, BLOCKS)}")
        super().__init__(in_channels=in_channels, out_channels=widths[-1] * num_init_channels, init_cfg=init_cfg)
        norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)
        self.blocks = tuple(blocks)
        self.block = block
        self.input_conv = nn.Conv2d(in_channels, num_init_channels, 1)
        self.stacks = nn.Sequential()
        last = num_init_channels
        for width, count in zip(widths, blocks, strict=True):
            channels = width * num_init_channels
            stack = nn.Sequential()
            for place in range(count):
                stack.append(BLOCKS[block](in_channels=last, channels=channels, project=place == 0, norm=norm))
                last = channels
            self.stacks.append(stack)
        self.reset_parameters()

    @property
    def depth(self) -> int:
        """Convolutions in blocks; the 1x1 convolutions at the input and on shortcuts are not counted."""
        return BLOCKS[self.block].depth * sum(self.blocks)

    def reset_parameters(self) -> None:
        """Initialise by Glorot's uniform rule."""
        glorot_uniform(self)

    def forward(self, crops: Tensor) -> Tensor:
        """Map crops (N, C, H, W) to features (N, C', H, W)."""
        self.check_sides(crops)
        features: Tensor = self.stacks(self.input_conv(crops))
        return features
