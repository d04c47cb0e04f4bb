"""A head on the shared features: convolution, ReLU, 1x1 convolution.

Source: official ``make_prediction_net`` of ``object_detection/meta_architectures/center_net_meta_arch.py``.
"""

from __future__ import annotations

from torch import nn


def prediction_head(
    in_channels: int, width: int, out_channels: int, *, kernel: tuple[int, int] = (3, 3)
) -> nn.Sequential:
    """Return a head that keeps the resolution, with biases and without normalisation.

    Args:
        in_channels: Channels of the features.
        width: Channels of the hidden layer.
        out_channels: Channels of the output.
        kernel: Height and width of the first convolution, both odd.
    """
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(in_channels, width, kernel, padding=padding),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, out_channels, 1),
    )
