"""How the official code of Deep-MARC initialises its backbones and pyramids."""

from __future__ import annotations

from torch import nn

# The standard deviation of a normal distribution that is cut off at two of them.
_TRUNCATED_STD = 0.87962566103423978


def keras_variance_scaling(layer: nn.Conv2d) -> None:
    """Initialise as Keras' ``VarianceScaling`` does: a truncated normal with variance 1 / inputs; a bias by zero."""
    std = layer.weight[0].numel() ** -0.5 / _TRUNCATED_STD
    nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
