"""SpineNet against the official parameter counts, and its pieces against what TensorFlow defines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS

from psis_bench.config_listing import check_name
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.backbones.spinenet import Block, SpineNet, StochasticDepth, planned, same_max_pool
from psis_bench.models.compose import load_config


def configured(name: str, **changes: Any) -> Any:
    """Return the backbone of a Deep-MARC config, without memory."""
    backbone = load_config(check_name("models", f"deep_marc/{name}")).model.backbone
    with torch.device("meta"):
        return MODELS.build({**backbone, "norm_type": "BN", **changes})


def count(network: torch.nn.Module, *, with_statistics: bool) -> int:
    statistics = [tensor for name, tensor in network.named_buffers() if name.endswith(("_mean", "_var"))]
    return sum(tensor.numel() for tensor in [*network.parameters(), *(statistics if with_statistics else [])])


def test_143_has_the_parameters_of_the_official_model() -> None:
    # count_params() of the official SpineNet-143, levels 3 to 7: moving statistics are counted.
    assert count(configured("spinenet143"), with_statistics=True) == 60_413_888


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("spinenet49s", 9.15),
        ("spinenet49", 21.97),
        ("spinenet96", 36.47),
        ("spinenet143", 60.59),
        ("spinenet190", 127.28),
    ],
)
def test_parameters_by_hand(name: str, millions: float) -> None:
    # This arithmetic includes the level-2 output, which no level from 3 to 7 needs, but no endpoint of it.
    network = configured(name, min_level=2)
    endpoint = network.endpoints["2"].weight.numel() + 2 * network.endpoints["2"].out_channels
    assert (count(network, with_statistics=False) - endpoint) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize(("name", "channels"), [("spinenet49s", 128), ("spinenet96", 256), ("spinenet190", 512)])
def test_maps_have_the_strides_and_channels_of_their_levels(name: str, channels: int) -> None:
    with torch.device("meta"):
        maps = configured(name)(torch.empty(1, 3, 256, 384))
    assert [tuple(level.shape) for level in maps] == [(1, channels, 256 // s, 384 // s) for s in (8, 16, 32, 64, 128)]


def test_a_narrow_one_trains_with_and_without_recomputation() -> None:
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        network = SpineNet(
            endpoint_channels=8,
            width_scale=0.05,
            resample_alpha=1.0,
            block_repeats=1,
            drop_rate=0.0,
            norm_type="BN",
            norm_eps=1e-3,
            norm_momentum=0.01,
            recompute=recompute,
        ).train()
        maps = network(torch.randn(2, 3, 128, 128))
        sum(level.square().mean() for level in maps).backward()
        assert all(parameter.grad is not None for parameter in network.parameters())
        gradients.append(network.stem.weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_levels_that_are_not_asked_for_are_not_built() -> None:
    # The level-2 output is the last of the 16 blocks and feeds none.
    assert set(planned(1.0, range(3, 8))) == set(range(15))
    assert set(planned(1.0, range(2, 8))) == set(range(16))
    # The block of level 5 (8, 9) alone has no reader, and joins the output of its level and width.
    assert {index: places for index, places in planned(1.0, range(3, 8)).items() if places} == {12: (11,)}


@pytest.mark.parametrize("levels", [(1, 7), (3, 8), (5, 4)])
def test_levels_that_there_are_not(levels: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="SpineNet has the levels 2 to 7"):
        configured("spinenet49s", min_level=levels[0], max_level=levels[1])


def test_sides_must_fit() -> None:
    with pytest.raises(ValueError, match=r"divisible by 128, not \(128, 130\)"), torch.device("meta"):
        configured("spinenet49s")(torch.empty(1, 3, 128, 130))


@pytest.mark.parametrize("sides", [(8, 6), (7, 5), (1, 2)])
def test_pooling_pads_as_tensorflow_does(sides: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=sides) - 5  # negative: a padding of zeros would win
    found = same_max_pool(torch.from_numpy(x)[None, None])[0, 0].numpy()
    expected = np.empty([math.ceil(side / 2) for side in sides])
    for row, column in np.ndindex(*expected.shape):
        # 'SAME': the window of an even side begins at its cell, that of an odd side one before it.
        y, x0 = (2 * place - side % 2 for place, side in zip((row, column), sides, strict=True))
        expected[row, column] = x[max(y, 0) : y + 3, max(x0, 0) : x0 + 3].max()
    np.testing.assert_array_equal(found, expected)


def test_stochastic_depth_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = StochasticDepth(0.25).train()
    out = drop(torch.ones(4000, 1, 2, 2))
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert out.mean().item() == pytest.approx(1.0, abs=0.03)
    assert torch.equal(out[:, 0, 0, 0], out[:, 0, 1, 1])  # whole images
    assert torch.equal(drop.eval()(out), out)


def test_stochastic_depth_grows_linearly() -> None:
    rates = [group[0].drop.rate for group in configured("spinenet143").groups.values()]
    assert rates == pytest.approx([0.2 * i / 16 for i in range(1, 16)])


def test_initial_weights_have_the_variance_of_keras() -> None:
    torch.manual_seed(0)
    block = Block(
        in_channels=64, channels=64, bottleneck=False, projects=True, drop_rate=0.0, norm=torch.nn.BatchNorm2d
    )
    SpineNet.reset_parameters(block)
    for conv, inputs in ((block.convs[0], 64 * 9), (block.projection, 64)):
        assert conv.weight.var().item() == pytest.approx(1 / inputs, rel=0.1)
        assert conv.weight.abs().max().item() <= 2 * inputs**-0.5 / 0.8796
