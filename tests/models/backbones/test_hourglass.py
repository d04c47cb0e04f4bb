"""Hourglass backbones: parameters and depth of the official ones, stacks, and batch norm in every layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from psis_bench.models.backbones.centernet_fpn import CenterNetFPN
from psis_bench.models.backbones.hourglass import HourglassBackbone

FULL: dict[str, Any] = {"widths": (2, 2, 3, 3, 3, 4), "blocks": (2, 2, 2, 2, 2, 4)}
TINY: dict[str, Any] = {"num_init_channels": 4, "widths": (2, 2, 3), "blocks": (1, 2, 2), "norm_momentum": 0.1}


# Hourglass-104, the official hourglass_52, and one stack of Hourglass-104 (reference: the running official code, and
# arithmetic for the last).
@pytest.mark.parametrize(
    ("stacks", "channels", "parameters", "depth"),
    [(2, 128, 187_700_352, 104), (1, 64, 23_435_072, 52), (1, 128, 93_662_848, 52)],
)
def test_parameters_depth_and_shapes(stacks: int, channels: int, parameters: int, depth: int) -> None:
    with torch.device("meta"):
        backbone = HourglassBackbone(num_init_channels=channels, stacks=stacks, **FULL)
        features = backbone(torch.empty(2, 3, 256, 128))
    assert sum(parameter.numel() for parameter in backbone.parameters()) == parameters
    assert backbone.depth == depth
    assert [feature.shape for feature in features] == [(2, 2 * channels, 64, 32)] * stacks


def test_synchronised_batch_norm_reaches_every_layer() -> None:
    with torch.device("meta"):
        backbone = HourglassBackbone(num_init_channels=128, stacks=2, norm_type="SyncBN", **FULL)
    norms = [layer for layer in backbone.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    convolutions = [layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d)]
    assert len(norms) == len(convolutions) == 160
    assert all(isinstance(layer, nn.SyncBatchNorm) for layer in norms)
    assert {(layer.eps, layer.momentum) for layer in norms} == {(1e-5, 0.9)}


def test_the_second_stack_builds_on_the_first_and_all_learn() -> None:
    torch.manual_seed(0)
    backbone = HourglassBackbone(stacks=2, **TINY)
    backbone.init_weights()
    first, second = backbone(torch.randn(2, 3, 32, 48))
    assert first.shape == second.shape == (2, 8, 8, 12)
    assert not torch.allclose(first, second)
    second.square().mean().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_the_last_stacks_features_are_the_output_of_hand_written_steps() -> None:
    torch.manual_seed(1)
    backbone = HourglassBackbone(stacks=2, **TINY).eval()
    images = torch.randn(1, 3, 16, 16)
    given = backbone.input_block(backbone.input_conv(images))
    one = backbone.output_convs[0](backbone.hourglasses[0](given))
    between = backbone.handovers[0]
    merged = (between.get_submodule("of_input")(given) + between.get_submodule("of_output")(one)).clamp(min=0)
    two = backbone.output_convs[1](backbone.hourglasses[1](between.get_submodule("block")(merged)))
    for found, expected in zip(backbone(images), (one, two), strict=True):
        assert torch.equal(found, expected)


def test_sides_that_do_not_fit_are_refused_with_the_cure() -> None:
    backbone = HourglassBackbone(stacks=1, **TINY)
    assert backbone.side_divisor == 16
    with pytest.raises(ValueError, match=r"multiples of 16, not 16 x 24; set data_preprocessor\.pad_size_divisor"):
        backbone(torch.zeros(1, 3, 16, 24))


def test_centernets_pyramid() -> None:
    with torch.device("meta"):
        pyramid = CenterNetFPN(in_channels=(256, 512, 1024, 2048), channels=(64, 128, 256), norm_type="SyncBN")
    laterals = 2048 * 256 + 256 + 1024 * 256 + 256 + 512 * 128 + 128 + 256 * 64 + 64
    convolutions = 9 * 256 * 128 + 128 + 9 * 128 * 64 + 64 + 9 * 64 * 64 + 64
    norms = 2 * (128 + 64 + 64)
    assert sum(parameter.numel() for parameter in pyramid.parameters()) == laterals + convolutions + norms
    levels = [
        torch.empty(2, channels, side, side, device="meta")
        for channels, side in ((256, 32), (512, 16), (1024, 8), (2048, 4))
    ]
    (merged,) = pyramid(levels)
    assert merged.shape == (2, 64, 32, 32)
    assert all(
        isinstance(layer, nn.SyncBatchNorm)
        for layer in pyramid.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
    )


def test_centernets_pyramid_step_by_step() -> None:
    torch.manual_seed(0)
    pyramid = CenterNetFPN(in_channels=(2, 3), channels=(4,)).eval()
    fine, coarse = torch.randn(1, 2, 4, 6), torch.randn(1, 3, 2, 3)
    top = pyramid.top(coarse).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    expected = pyramid.convs[0](top + pyramid.laterals[0](fine))
    assert torch.equal(pyramid([fine, coarse])[0], expected)
    with pytest.raises(ValueError, match="3 levels need 2 channels"):
        CenterNetFPN(in_channels=(1, 2, 3), channels=(4,))
