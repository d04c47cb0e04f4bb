"""Fully connected trunks: mask heads in which every output pixel sees the whole crop.

Source: paper appendix A.2.2, Table 11; official ``FullyConnectedMaskHead`` in ``deepmac_meta_arch.py`` (2 layers; the
one of 4 layers has no released code and is built with hidden layers all of the same width).

Shapes: N crops, C channels, S x S crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor, nn

from psis_bench.models.mask_heads.trunk import Trunk, glorot_uniform


@MODELS.register_module()
class FullyConnectedTrunk(Trunk):
    """Conv 1x1 (with bias, no activation), flatten, fully connected layers with ReLU; the last, without, gives S x S.

    The crop is flattened by row, column, channel, as the official code does: its dense weights fit when transposed.

    Deviation: the official head's one channel is already the logit. Here, as with any trunk, the layers of the model
    around it follow. In Deep-MAC that is a 1x1 convolution from one channel to one, two parameters more, which a
    weight of 1 and a bias of 0 make the identity. The released code cannot build the head at all (its architecture
    gives it no mask size).

    Args:
        in_channels: Channels of the crops.
        num_init_channels: Width of the 1x1 convolution, and the unit of ``widths``.
        side: S, the only crop side that the trunk takes.
        widths: Width of each hidden layer in units of ``num_init_channels``. The output layer is one more.
        norm_type: As ``norm_eps`` and ``norm_momentum`` without effect: there is no normalisation. They are taken
            because a model may set them for whichever trunk it is given.
        norm_eps: See ``norm_type``.
        norm_momentum: See ``norm_type``.
        init_cfg: MMEngine initialisation that replaces Glorot-uniform, the official code's. Appendix A.2.2 says
            Glorot-normal: ``dict(type="Xavier", layer=["Conv2d", "Linear"], distribution="normal")``.

    Raises:
        ValueError: There is no hidden layer, or a size is not positive.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_init_channels: int = 64,
        side: int,
        widths: Sequence[int],
        norm_type: str | None = None,
        norm_eps: float | None = None,
        norm_momentum: float | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if min(side, len(widths), *widths) < 1:
            raise ValueError(
                "a fully connected trunk needs a positive side and one or more positive widths; "
                f"got side {side} and widths {tuple(widths)}"
            )
        super().__init__(in_channels=in_channels, out_channels=1, side_divisor=side, init_cfg=init_cfg)
        self.side = side
        self.input_conv = nn.Conv2d(in_channels, num_init_channels, 1)
        self.layers = nn.Sequential()
        last = num_init_channels * side**2
        for width in widths:
            self.layers.append(nn.Linear(last, width * num_init_channels))
            self.layers.append(nn.ReLU(inplace=True))
            last = width * num_init_channels
        self.layers.append(nn.Linear(last, side**2))
        self.reset_parameters()

    @property
    def depth(self) -> int:
        """Number of fully connected layers; the 1x1 convolution at the input is not counted."""
        return sum(isinstance(layer, nn.Linear) for layer in self.layers)

    def reset_parameters(self) -> None:
        """Initialise by Glorot's uniform rule."""
        glorot_uniform(self)

    def check_sides(self, crops: Tensor) -> None:
        """Raise ValueError when ``crops`` (N, C, H, W) are not of S x S pixels."""
        height, width = crops.shape[-2:]
        if (height, width) != (self.side, self.side):
            raise ValueError(
                f"{type(self).__name__} of depth {self.depth} is made for crops of {self.side} x {self.side}, "
                f"not {height} x {width}; set the crop size to {self.side} or the trunk's side to the crop's"
            )

    def forward(self, crops: Tensor) -> Tensor:
        """Map crops (N, C, S, S) to features (N, 1, S, S)."""
        self.check_sides(crops)
        flat = self.input_conv(crops).permute(0, 2, 3, 1).flatten(1)
        features: Tensor = self.layers(flat).unflatten(1, (1, self.side, self.side))
        return features
