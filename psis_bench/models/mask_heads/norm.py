"""Normalisation layers of mask heads.

Momentum is PyTorch's: running = (1 - momentum) * running + momentum * batch; Keras' momentum is one minus it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from psis_bench.errors import did_you_mean

NormFactory = Callable[[int], nn.Module]


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that also trains on batches with no value or one value per channel.

    Mask heads meet both: images without masks (N = 0), and a single crop that an hourglass has reduced to one pixel,
    where `torch.nn.BatchNorm2d` raises. Without values the running statistics stay as they are and all gradients
    are zero; with one the result is the bias and the batch variance is zero, as in TensorFlow.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input`` (N, C, H, W) over N, H and W."""
        if not self.training or input.numel() > self.num_features:
            return super().forward(input)
        return _of_few_values(self, input)


class SyncBatchNorm(nn.SyncBatchNorm):
    """Batch normalisation over all processes; where there is only one, as `BatchNorm2d`."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``input`` (N, C, H, W) over N, H and W of all processes."""
        if not self.training or input.numel() > self.num_features or get_world_size() > 1:
            return super().forward(input)
        return _of_few_values(self, input)


def _of_few_values(layer: _BatchNorm, input: Tensor) -> Tensor:
    """Return what a layer in training makes of at most one value per channel; take one into its statistics."""
    if input.numel():
        _track_single(layer, input.detach().flatten())
    # Zero for the one value, empty for none, and in both cases a graph that reaches every parameter.
    centred = input - input
    return (centred * layer.weight[:, None, None] + layer.bias[:, None, None]).to(input.dtype)


@torch.no_grad()
def _track_single(layer: _BatchNorm, mean: Tensor) -> None:
    """Take a batch of one value per channel (C,), with variance zero, into the running statistics."""
    if layer.running_mean is None or layer.running_var is None or layer.num_batches_tracked is None:
        return
    layer.num_batches_tracked.add_(1)
    weight = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
    layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), weight)
    layer.running_var.mul_(1 - weight)


_TYPES: dict[str, type[nn.Module]] = {"BN": BatchNorm2d, "SyncBN": SyncBatchNorm}


def norm_factory(norm_type: str | None, *, eps: float, momentum: float) -> NormFactory:
    """Return a function from a number of channels to a new normalisation layer.

    Args:
        norm_type: ``"BN"``; ``"SyncBN"``, which computes statistics over all processes; None for no normalisation.
        eps: Added to the variance.
        momentum: Part of each batch that enters the running statistics (PyTorch's momentum).

    Raises:
        ValueError: There is no such type.
    """
    if norm_type is None:
        return lambda _channels: nn.Identity()
    if norm_type not in _TYPES:
        raise ValueError(f"unknown norm_type {norm_type!r}; {did_you_mean(norm_type, _TYPES)}")
    layer = _TYPES[norm_type]
    return lambda channels: layer(channels, eps=eps, momentum=momentum)
