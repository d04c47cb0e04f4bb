"""ResNet trunks, basic and bottleneck: mask heads of growing depth that keep the crop's resolution throughout.

Source: paper section 6 and appendix Tables 6, 14 and 15; official ``ResNetMaskNetwork`` in ``deepmac_meta_arch.py``
with ``stack_basic`` of ``keras_models/resnet_v1.py``. Despite the name of that file its blocks activate before they
convolve, and activate once more before the addition.

What the sources leave open, and what is built:

* The last two blocks of ResNet-20 have 192 channels in the code and 128 in Table 14: ``widths`` and ``blocks``.
* Bottlenecks have no released code. Tables 14 and 15 print a block's channels as a, 4a, a. Built is the usual
  bottleneck, 1x1 to a, 3x3 to a, 1x1 to 4a (``block="bottleneck"``); convolutions of a, 4a, a channels in this order,
  with the same kernels, are ``block="bottleneck_as_printed"``. Both are stacked, activated and projected as the
  official basic blocks are.
* The last block of ResNet-bottleneck-21 is printed as 192, 384, 192. Built is 4 x 192 = 768, since Table 15, which has
  "4x fewer channels" (section 6), prints 48, 192, 48: ``expansions``.
* Dilated ResNet-20 has no released code, and Table 6 does not say which 10 of its 20 convolutions are dilated:
  ``dilations`` gives the rate of each.

Shapes: N crops, C channels, H x W crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor, nn

from psis_bench.errors import did_you_mean
from psis_bench.models.mask_heads.norm import NormFactory, norm_factory
from psis_bench.models.mask_heads.trunk import Trunk, glorot_uniform


@dataclass(frozen=True, kw_only=True)
class BlockKind:
    """The convolutions of a residual block: their kernels, and which of them have the expanded width."""

    kernels: tuple[int, ...]
    expanded: tuple[bool, ...]

    def channels(self, width: int, expansion: int) -> list[int]:
        """Return the channels of each convolution's output."""
        return [width * expansion if expanded else width for expanded in self.expanded]


BLOCKS = {
    "basic": BlockKind(kernels=(3, 3), expanded=(False, False)),
    "bottleneck": BlockKind(kernels=(1, 3, 1), expanded=(False, False, True)),
    "bottleneck_as_printed": BlockKind(kernels=(1, 3, 1), expanded=(False, True, False)),
}


class PreActivationBlock(nn.Module):
    """Norm, ReLU; then convolutions, each with norm and ReLU; add the shortcut, with no activation after it.

    Args:
        in_channels: Channels of the input.
        channels: Channels of each convolution's output; the last are those of the block's.
        kernels: Side of each convolution.
        dilations: Dilation of each convolution; it is padded so that the resolution stays.
        project: Whether the shortcut is a 1x1 convolution (with bias) of the activated input, as in the first block
            of a stack, rather than the input itself.
        norm: Makes normalisation layers.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        channels: Sequence[int],
        kernels: Sequence[int],
        dilations: Sequence[int],
        project: bool,
        norm: NormFactory,
    ) -> None:
        super().__init__()
        self.activate = nn.Sequential(norm(in_channels), nn.ReLU(inplace=True))
        self.shortcut = nn.Conv2d(in_channels, channels[-1], 1) if project else None
        self.main = nn.Sequential()
        last = in_channels
        for width, kernel, dilation in zip(channels, kernels, dilations, strict=True):
            padding = kernel // 2 * dilation
            self.main.append(nn.Conv2d(last, width, kernel, padding=padding, dilation=dilation, bias=False))
            self.main.append(norm(width))
            self.main.append(nn.ReLU(inplace=True))
            last = width

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        activated = self.activate(inputs)
        shortcut: Tensor = inputs if self.shortcut is None else self.shortcut(activated)
        return shortcut + self.main(activated)


@MODELS.register_module()
class ResNetTrunk(Trunk):
    """Conv 1x1 (with bias, neither norm nor activation), then stacks of residual blocks, all of stride 1.

    Args:
        in_channels: Channels of the crops.
        num_init_channels: Width of the 1x1 convolution, and the unit of ``widths``, both before ``divisor``.
        widths: Width of each stack in units of ``num_init_channels``; of a bottleneck its narrow part.
        blocks: Residual blocks of each stack.
        block: Kind of block, a key of `BLOCKS`.
        expansions: Of each stack, how many times wider the wide convolution of its bottlenecks is; nothing for
            basic blocks.
        dilations: Dilation of every 3x3 convolution, from the first to the last; None: all 1.
        divisor: All channels are divided by it: 4 makes the paper's ResNet bottleneck [1/4].
        norm_type: ``"BN"``, ``"SyncBN"`` or None.
        norm_eps: Added to variances; the default is the official value.
        norm_momentum: PyTorch's momentum; the default is the official value, Keras' 0.99.
        init_cfg: MMEngine initialisation that replaces Glorot-uniform.

    Raises:
        ValueError: ``widths``, ``blocks``, ``expansions`` or ``dilations`` do not fit each other, ``divisor`` does
            not divide ``num_init_channels``, or there is no such ``block``.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_init_channels: int = 64,
        widths: Sequence[int],
        blocks: Sequence[int],
        block: str = "basic",
        expansions: Sequence[int] = (),
        dilations: Sequence[int] | None = None,
        divisor: int = 1,
        norm_type: str | None = "BN",
        norm_eps: float = 1.001e-5,
        norm_momentum: float = 0.01,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        kind = _checked_kind(block, widths=widths, blocks=blocks, expansions=expansions)
        if divisor < 1 or num_init_channels % divisor:
            raise ValueError(f"divisor {divisor} does not divide num_init_channels, {num_init_channels}")
        unit = num_init_channels // divisor
        channels = [
            kind.channels(width * unit, expansion)
            for width, expansion in zip(widths, expansions or [1] * len(widths), strict=True)
        ]
        super().__init__(in_channels=in_channels, out_channels=channels[-1][-1], init_cfg=init_cfg)
        norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)
        self.blocks = tuple(blocks)
        self.kind = kind
        self.input_conv = nn.Conv2d(in_channels, unit, 1)
        self.stacks = nn.Sequential()
        rates = iter(_dilations_of_blocks(kind, sum(blocks), dilations))
        last = unit
        for widths_inside, count in zip(channels, blocks, strict=True):
            stack = nn.Sequential()
            for place in range(count):
                settings: dict[str, Any] = {"kernels": kind.kernels, "dilations": next(rates), "norm": norm}
                stack.append(
                    PreActivationBlock(in_channels=last, channels=widths_inside, project=place == 0, **settings)
                )
                last = widths_inside[-1]
            self.stacks.append(stack)
        self.reset_parameters()

    @property
    def depth(self) -> int:
        """Convolutions in blocks; the 1x1 convolutions at the input and on shortcuts are not counted."""
        return len(self.kind.kernels) * sum(self.blocks)

    def reset_parameters(self) -> None:
        """Initialise by Glorot's uniform rule."""
        glorot_uniform(self)

    def forward(self, crops: Tensor) -> Tensor:
        """Map crops (N, C, H, W) to features (N, C', H, W)."""
        self.check_sides(crops)
        features: Tensor = self.stacks(self.input_conv(crops))
        return features


def _checked_kind(block: str, *, widths: Sequence[int], blocks: Sequence[int], expansions: Sequence[int]) -> BlockKind:
    if len(widths) != len(blocks) or min(*widths, *blocks, len(widths)) < 1:
        raise ValueError(
            "a ResNet trunk needs as many widths as blocks, at least one of each, all positive; "
            f"got widths {tuple(widths)} and blocks {tuple(blocks)}"
        )
    if block not in BLOCKS:
        raise ValueError(f"unknown block {block!r}; {did_you_mean(block, BLOCKS)}")
    kind = BLOCKS[block]
    needed = len(widths) if any(kind.expanded) else 0
    if len(expansions) != needed or min(expansions, default=1) < 1:
        raise ValueError(f"block {block!r} needs {needed} positive expansions; got {tuple(expansions)}")
    return kind


def _dilations_of_blocks(kind: BlockKind, blocks: int, dilations: Sequence[int] | None) -> list[list[int]]:
    """Deal the dilations of 3x3 convolutions out to all convolutions of each block; 1x1 convolutions have 1."""
    needed = blocks * kind.kernels.count(3)
    given = [1] * needed if dilations is None else list(dilations)
    if len(given) != needed or min(given) < 1:
        raise ValueError(f"dilations must be {needed} positive numbers, one for each 3x3 convolution; got {given}")
    rates = iter(given)
    return [[next(rates) if kernel == 3 else 1 for kernel in kind.kernels] for _ in range(blocks)]
