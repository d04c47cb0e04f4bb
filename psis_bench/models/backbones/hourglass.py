"""Hourglass backbones of CenterNet: one or two stacked hourglasses at a quarter of the image's resolution.

Source: official ``object_detection/models/keras_models/hourglass_network.py`` as
``center_net_hourglass_feature_extractor.py`` builds it; Law and Deng, CornerNet (2018). MMDetection's ``HourglassNet``
has the layers of Hourglass-104, but builds its nested modules without ``norm_cfg``, so that synchronised batch norm
does not reach them, and has no Hourglass-52.

Shapes: B images of H x W pixels; w_0 channels of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.mask_heads.hourglass import EncoderDecoder, ResidualBlock, conv_norm
from psis_bench.models.mask_heads.norm import NormFactory, norm_factory
from psis_bench.models.mask_heads.trunk import glorot_uniform


class Handover(nn.Module):
    """What the next stack is given: 1x1 convolutions of a stack's input and output, added, ReLU, a residual block."""

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__()
        self.of_input = nn.Sequential(*conv_norm(channels, channels, 1, stride=1, norm=norm))
        self.of_output = nn.Sequential(*conv_norm(channels, channels, 1, stride=1, norm=norm))
        self.block = ResidualBlock(in_channels=channels, out_channels=channels, stride=1, project=False, norm=norm)

    def forward(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Map a stack's input and output, both (B, w_0, H / 4, W / 4), to the next stack's input."""
        merged: Tensor = self.block(functional.relu(self.of_input(inputs) + self.of_output(outputs), inplace=True))
        return merged


@MODELS.register_module()
class HourglassBackbone(BaseModule):
    """Conv 7x7 of stride 2, residual block of stride 2, then hourglasses, each followed by a 3x3 convolution.

    Hourglass-104 is ``num_init_channels=128, widths=(2, 2, 3, 3, 3, 4), blocks=(2, 2, 2, 2, 2, 4), stacks=2``; the
    official ``hourglass_52`` has one stack and 64 initial channels.

    Args:
        num_init_channels: Width of the first convolution, and the unit of ``widths``.
        widths: Width of each stage of an hourglass, the innermost last, in units of ``num_init_channels``.
        blocks: Residual blocks of each stage; last, of the innermost part.
        stacks: Number of hourglasses.
        norm_type: ``"BN"``, ``"SyncBN"`` or None; of every layer.
        norm_eps: Added to variances; the default is the official value.
        norm_momentum: PyTorch's momentum; the default is the official value, Keras' 0.1.
        init_cfg: MMEngine initialisation that replaces Glorot-uniform, the official code's.

    Height and width of images must be multiples of `side_divisor`.
    """

    def __init__(
        self,
        *,
        num_init_channels: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        stacks: int,
        norm_type: str | None = "BN",
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.9,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        channels = [width * num_init_channels for width in widths]
        norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)
        self.out_channels = channels[0]
        self.blocks = tuple(blocks)
        self.side_divisor = 4 * 2 ** (len(blocks) - 1)
        self.input_conv = nn.Sequential(*conv_norm(3, num_init_channels, 7, stride=2, norm=norm), nn.ReLU(inplace=True))
        self.input_block = ResidualBlock(
            in_channels=num_init_channels, out_channels=channels[0], stride=2, project=True, norm=norm
        )
        self.hourglasses = nn.ModuleList(
            EncoderDecoder(channels=channels, blocks=blocks, long_range_skips=True, downsample=True, norm=norm)
            for _ in range(stacks)
        )
        self.output_convs = nn.ModuleList(
            nn.Sequential(*conv_norm(channels[0], channels[0], 3, stride=1, norm=norm), nn.ReLU(inplace=True))
            for _ in range(stacks)
        )
        self.handovers = nn.ModuleList(Handover(channels[0], norm) for _ in range(stacks - 1))

    @property
    def depth(self) -> int:
        """Convolutions on the main path as the official ``hourglass_depth`` counts them: 104 and 52."""
        *stages, innermost = self.blocks
        stacks = len(self.hourglasses)
        # An input convolution and block; encoders, decoders and inside; output convolutions; 1x1 and block between.
        return 3 + stacks * (2 * (2 * sum(stages) + innermost) + 1) + 3 * (stacks - 1)

    def init_weights(self) -> None:
        """Initialise by Glorot's uniform rule, then by ``init_cfg`` if there is one."""
        if not self.is_init:
            glorot_uniform(self)
        super().init_weights()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map images (B, 3, H, W) to the features (B, w_0, H / 4, W / 4) of every stack, the last last.

        Raises:
            ValueError: H or W is not a multiple of `side_divisor`.
        """
        if any(side % self.side_divisor for side in images.shape[2:]):
            raise ValueError(
                f"this hourglass needs sides that are multiples of {self.side_divisor}, not "
                f"{images.shape[2]} x {images.shape[3]}; set data_preprocessor.pad_size_divisor to a multiple of it"
            )
        inputs = self.input_block(self.input_conv(images))
        features: list[Tensor] = []
        for stack, (hourglass, output_conv) in enumerate(zip(self.hourglasses, self.output_convs, strict=True)):
            features.append(output_conv(hourglass(inputs)))
            if stack < len(self.handovers):
                inputs = self.handovers[stack](inputs, features[-1])
        return tuple(features)
