"""Fully connected trunks: parameters of Table 11's heads, order of flattening, view, and behaviour on odd batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from psis_bench.models.mask_heads import FullyConnectedTrunk, Trunk

# The official layers: 1x1 convolution to 64, 32 * 32 * 64 values to 1024, (1024 to 1024), 1024 to 32 * 32.
INPUT = 50 * 64 + 64
FIRST = (32 * 32 * 64) * 1024 + 1024
SQUARE = 1024 * 1024 + 1024
FOLLOWING = 1 + 1  # the model's 1x1 convolution from one channel to one
HEADS = {
    "fully_connected2": (2, INPUT + FIRST + SQUARE + FOLLOWING),
    "fully_connected4": (4, INPUT + FIRST + 3 * SQUARE + FOLLOWING),
}


def small(**settings: Any) -> FullyConnectedTrunk:
    torch.manual_seed(0)
    return FullyConnectedTrunk(**{"in_channels": 5, "num_init_channels": 4, "side": 8, "widths": (3, 2)} | settings)


def build(repository: Path, name: str, **settings: Any) -> Trunk:
    config = Config.fromfile(repository / "configs" / "mask_heads" / f"{name}.py")
    with torch.device("meta"):
        return MODELS.build({**config.trunk, **settings})


@pytest.mark.parametrize("name", HEADS)
def test_parameters_and_depth(repository: Path, name: str) -> None:
    config = Config.fromfile(repository / "configs" / "mask_heads" / f"{name}.py")
    trunk = build(repository, name, in_channels=50)
    depth, parameters = HEADS[name]
    assert sum(p.numel() for p in trunk.parameters()) + FOLLOWING == parameters
    assert trunk.depth == config.depth == depth
    assert f"{parameters:,} in Deep-MAC" in " ".join(config.text.split())
    assert trunk(torch.empty(3, 50, 32, 32, device="meta")).shape == (3, 1, 32, 32)


def test_initial_channels_scale_the_width(repository: Path) -> None:
    trunk = build(repository, "fully_connected4", in_channels=32, num_init_channels=32)
    layers = [m for m in trunk.modules() if isinstance(m, nn.Linear)]
    assert [layer.in_features for layer in layers] == [32 * 32 * 32, 512, 512, 512]
    assert layers[-1].out_features == 32 * 32


def test_flattens_by_row_column_channel_as_the_official_code() -> None:
    trunk = small().double()
    generator = torch.Generator().manual_seed(2)
    for parameter in trunk.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    crops = torch.randn(2, 5, 8, 8, dtype=torch.float64, generator=generator)
    state = trunk.state_dict()
    channels_last = crops.permute(0, 2, 3, 1)  # as TensorFlow holds them
    x = channels_last @ state["input_conv.weight"][:, :, 0, 0].T + state["input_conv.bias"]
    x = x.reshape(2, -1)
    for layer in (0, 2):
        x = (x @ state[f"layers.{layer}.weight"].T + state[f"layers.{layer}.bias"]).relu()
    x = x @ state["layers.4.weight"].T + state["layers.4.bias"]
    torch.testing.assert_close(trunk(crops), x.reshape(2, 1, 8, 8), atol=1e-9, rtol=1e-9)


def test_every_pixel_sees_the_whole_crop() -> None:
    trunk = small().double()
    for parameter in trunk.parameters():
        parameter.data.abs_()
    for row, column in ((0, 0), (3, 5), (7, 7)):
        crops = torch.ones(1, 5, 8, 8, dtype=torch.float64, requires_grad=True)
        trunk(crops)[0, 0, row, column].backward()
        assert crops.grad is not None
        assert (crops.grad > 0).all()


def test_no_crop_trains_with_zero_gradients() -> None:
    trunk = small()
    crops = torch.zeros(0, 5, 8, 8, requires_grad=True)
    features = trunk.train()(crops)
    assert features.shape == (0, 1, 8, 8)
    features.sum().backward()
    assert crops.grad is not None
    for name, parameter in trunk.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


def test_crops_of_another_size_are_refused() -> None:
    for height, width in ((16, 16), (8, 4), (0, 8)):
        with pytest.raises(ValueError, match=f"depth 3 is made for crops of 8 x 8, not {height} x {width}; set the"):
            small()(torch.zeros(2, 5, height, width))


def test_settings_of_normalisation_are_taken_and_change_nothing() -> None:
    plain, asked = small(), small(norm_type="SyncBN", norm_eps=1e-3, norm_momentum=0.05)
    assert plain.state_dict().keys() == asked.state_dict().keys()
    assert all(torch.equal(value, asked.state_dict()[name]) for name, value in plain.state_dict().items())


def test_glorot_uniform_and_on_demand_normal() -> None:
    settings: dict[str, Any] = {"num_init_channels": 16, "side": 8, "widths": (16,)}
    normal = {"type": "Xavier", "layer": ["Conv2d", "Linear"], "distribution": "normal"}
    uniform_trunk, normal_trunk = small(**settings), small(**settings, init_cfg=normal)
    normal_trunk.init_weights()
    for trunk, is_normal in ((uniform_trunk, False), (normal_trunk, True)):
        layer = trunk.layers[0]
        assert isinstance(layer, nn.Linear)
        deviation = (2 / (8 * 8 * 16 + 256)) ** 0.5  # Glorot's, by inputs and outputs
        assert float(layer.weight.detach().std()) == pytest.approx(deviation, rel=0.02)
        assert (float(layer.weight.detach().abs().max()) > 3**0.5 * deviation) == is_normal
        assert not layer.bias.any()


@pytest.mark.parametrize("settings", [{"side": 0}, {"widths": ()}, {"widths": (4, 0)}])
def test_settings_that_make_no_trunk_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs a positive side and one or more positive widths; got side"):
        small(**settings)
