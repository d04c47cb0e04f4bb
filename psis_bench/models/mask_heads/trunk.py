"""What every trunk of a mask head has in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn


class Trunk(BaseModule):
    """A network from crops (N, C, H, W) to features (N, `out_channels`, H, W) of the same height and width.

    N = 0 is a valid input in training too: the gradients of all parameters are then zero rather than missing, so
    that a process whose images have no instance keeps step with the others.

    Args:
        in_channels: C, channels of the crops.
        out_channels: Channels of the features.
        side_divisor: Number that H and W must be divisible by.
        init_cfg: MMEngine initialisation that replaces the trunk's own.
    """

    def __init__(
        self, *, in_channels: int, out_channels: int, side_divisor: int = 1, init_cfg: dict[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.side_divisor = side_divisor

    @property
    @abstractmethod
    def depth(self) -> int:
        """Number of convolutions (or fully connected layers) on the main path as the paper counts them."""

    @abstractmethod
    def reset_parameters(self) -> None:
        """Initialise all layers as the official code does; constructors call it last."""

    def init_weights(self) -> None:
        """Initialise by the trunk's own rule, then by ``init_cfg`` if there is one."""
        if not self.is_init:  # a model around the trunk may have initialised it by a rule for its own layers
            self.reset_parameters()
        super().init_weights()

    def check_sides(self, crops: Tensor) -> None:
        """Raise ValueError when the sides of ``crops`` (N, C, H, W) do not fit the trunk's downsampling."""
        height, width = crops.shape[-2:]
        divisor = self.side_divisor
        if height == 0 or width == 0 or height % divisor or width % divisor:
            near = max(round(width / divisor), 1) * divisor
            raise ValueError(
                f"{type(self).__name__} of depth {self.depth} needs crops whose sides are multiples of {divisor}, "
                f"not {height} x {width}; set the crop size to {near} or choose a trunk with fewer downsamplings"
            )


def glorot_uniform(module: nn.Module) -> None:
    """Initialise every convolution and linear layer by Glorot's uniform rule with zero biases: the default of Keras."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
