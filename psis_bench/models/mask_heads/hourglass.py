"""Hourglass trunks: the mask heads that make masks of unseen classes good.

Source: paper section 4 and appendix Tables 16 and 17, Figure 8; official ``object_detection/models/keras_models/
hourglass_network.py`` as ``MaskHeadNetwork`` and Deep-MARC's ``DeepMaskHead`` build it (one stack, no initial
downsampling). Where the paper and the code differ, this is the code: the input residual block already has the first
stage's width, where Figure 8 shows ``num_init_channels``.

Shapes: N crops, C channels, H x W crop; w_i is the width of stage i in channels, n_i its number of residual blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.mask_heads.norm import NormFactory, norm_factory
from psis_bench.models.mask_heads.trunk import Trunk, glorot_uniform


def conv_norm(in_channels: int, out_channels: int, kernel: int, *, stride: int, norm: NormFactory) -> list[nn.Module]:
    """Return convolution (padded by kernel // 2, no bias) and normalisation."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, norm(out_channels)]


class ResidualBlock(nn.Module):
    """Conv 3x3, norm, ReLU, conv 3x3, norm; add the skip; ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the first convolution and of the skip.
        project: Whether the skip is a 1x1 convolution with norm rather than the input itself.
        norm: Makes normalisation layers.
    """

    def __init__(self, *, in_channels: int, out_channels: int, stride: int, project: bool, norm: NormFactory) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *conv_norm(in_channels, out_channels, 3, stride=stride, norm=norm),
            nn.ReLU(inplace=True),
            *conv_norm(out_channels, out_channels, 3, stride=1, norm=norm),
        )
        self.skip = (
            nn.Sequential(*conv_norm(in_channels, out_channels, 1, stride=stride, norm=norm))
            if project
            else nn.Identity()
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        return functional.relu(self.main(inputs) + self.skip(inputs), inplace=True)


def encoder_blocks(count: int, *, in_channels: int, out_channels: int, stride: int, norm: NormFactory) -> nn.Sequential:
    """Return residual blocks whose first one changes width and resolution, projecting its skip if it does either."""
    first = ResidualBlock(
        in_channels=in_channels,
        out_channels=out_channels,
        stride=stride,
        project=stride > 1 or in_channels != out_channels,
        norm=norm,
    )
    rest = (_plain_block(out_channels, norm) for _ in range(count - 1))
    return nn.Sequential(first, *rest)


def decoder_blocks(count: int, *, in_channels: int, out_channels: int, norm: NormFactory) -> nn.Sequential:
    """Return residual blocks whose last one changes width."""
    last = ResidualBlock(
        in_channels=in_channels,
        out_channels=out_channels,
        stride=1,
        project=in_channels != out_channels,
        norm=norm,
    )
    return nn.Sequential(*(_plain_block(in_channels, norm) for _ in range(count - 1)), last)


def _plain_block(channels: int, norm: NormFactory) -> ResidualBlock:
    return ResidualBlock(in_channels=channels, out_channels=channels, stride=1, project=False, norm=norm)


class EncoderDecoder(nn.Module):
    """One stage of an hourglass and, inside it, all later ones: (N, w_0, H, W) -> (N, w_0, H, W).

    The inner path runs at half the resolution; its decoder blocks come before the upsampling. The long-range skip is
    added after it, without activation.

    Args:
        channels: w_i of this stage and the following ones.
        blocks: n_i of the same stages; the last is the number of innermost blocks.
        long_range_skips: Whether residual blocks at full resolution bridge each stage.
        downsample: Whether the inner path runs at half the resolution.
        norm: Makes normalisation layers.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        blocks: Sequence[int],
        long_range_skips: bool,
        downsample: bool,
        norm: NormFactory,
    ) -> None:
        super().__init__()
        outer, inner = channels[:2]
        self.scale = 2 if downsample else 1
        self.skip = (
            encoder_blocks(blocks[0], in_channels=outer, out_channels=outer, stride=1, norm=norm)
            if long_range_skips
            else None
        )
        self.encoder = encoder_blocks(blocks[0], in_channels=outer, out_channels=inner, stride=self.scale, norm=norm)
        self.inner = (
            EncoderDecoder(
                channels=channels[1:],
                blocks=blocks[1:],
                long_range_skips=long_range_skips,
                downsample=downsample,
                norm=norm,
            )
            if len(channels) > 2
            else encoder_blocks(blocks[1], in_channels=inner, out_channels=inner, stride=1, norm=norm)
        )
        self.decoder = decoder_blocks(blocks[0], in_channels=inner, out_channels=outer, norm=norm)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, w_0, H, W) to the same shape."""
        decoded: Tensor = self.decoder(self.inner(self.encoder(inputs)))
        if self.scale > 1:
            decoded = functional.interpolate(decoded, scale_factor=self.scale, mode="nearest")
        return decoded if self.skip is None else decoded + self.skip(inputs)


@MODELS.register_module()
class HourglassTrunk(Trunk):
    """Conv 3x3, residual block, one hourglass, conv 3x3; both convolutions with norm and ReLU.

    Args:
        in_channels: Channels of the crops.
        num_init_channels: Width of the first convolution, and the unit of ``widths``.
        widths: w_i in units of ``num_init_channels``, one for each stage, the innermost last.
        blocks: n_i, residual blocks of each stage's encoder, of its decoder and of its skip; last, of the innermost
            part. As many as ``widths``.
        long_range_skips: False: without the skip branch around each stage (paper Table 5, official
            ``hourglass20_no_shortcut``).
        encoder_decoder: False: without down- and upsampling, skips stay (paper Table 5, official
            ``hourglass20_uniform_size``).
        norm_type: ``"BN"``, ``"SyncBN"`` or None.
        norm_eps: Added to variances; the default is the official value.
        norm_momentum: PyTorch's momentum; the default is the official value, Keras' 0.1, by which the running
            statistics follow the last one or two batches. Small batches want less (e.g. 0.1).
        init_cfg: MMEngine initialisation that replaces Glorot-uniform.

    Crop sides must be multiples of 2 to the number of downsamplings: `side_divisor`.

    Raises:
        ValueError: ``widths`` and ``blocks`` do not fit each other.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_init_channels: int = 64,
        widths: Sequence[int],
        blocks: Sequence[int],
        long_range_skips: bool = True,
        encoder_decoder: bool = True,
        norm_type: str | None = "BN",
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.9,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        _check_stages(widths, blocks)
        channels = [width * num_init_channels for width in widths]
        norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)
        super().__init__(
            in_channels=in_channels,
            out_channels=channels[0],
            side_divisor=2 ** (len(blocks) - 1) if encoder_decoder else 1,
            init_cfg=init_cfg,
        )
        self.blocks = tuple(blocks)
        self.input_conv = nn.Sequential(
            *conv_norm(in_channels, num_init_channels, 3, stride=1, norm=norm), nn.ReLU(inplace=True)
        )
        self.input_block = ResidualBlock(
            in_channels=num_init_channels, out_channels=channels[0], stride=1, project=True, norm=norm
        )
        self.hourglass = EncoderDecoder(
            channels=channels,
            blocks=blocks,
            long_range_skips=long_range_skips,
            downsample=encoder_decoder,
            norm=norm,
        )
        self.output_conv = nn.Sequential(
            *conv_norm(channels[0], channels[0], 3, stride=1, norm=norm), nn.ReLU(inplace=True)
        )
        self.reset_parameters()

    @property
    def depth(self) -> int:
        """3 for input convolution and block, 2 for each block of encoders, decoders and inside, 1 for the output.

        Blocks of long-range skips are not counted (official ``hourglass_depth``, paper Tables 16 and 17).
        """
        *stages, innermost = self.blocks
        return 3 + 2 * (2 * sum(stages) + innermost) + 1

    def reset_parameters(self) -> None:
        """Initialise by Glorot's uniform rule."""
        glorot_uniform(self)

    def forward(self, crops: Tensor) -> Tensor:
        """Map crops (N, C, H, W) to features (N, w_0, H, W).

        Raises:
            ValueError: H or W is not a multiple of `side_divisor`.
        """
        self.check_sides(crops)
        features: Tensor = self.output_conv(self.hourglass(self.input_block(self.input_conv(crops))))
        return features


def _check_stages(widths: Sequence[int], blocks: Sequence[int]) -> None:
    if len(widths) != len(blocks) or len(widths) < 2 or min(*widths, *blocks) < 1:
        raise ValueError(
            "an hourglass needs as many widths as blocks, at least two of each, all positive; "
            f"got widths {tuple(widths)} and blocks {tuple(blocks)}"
        )
