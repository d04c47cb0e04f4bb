"""Bottleneck trunks against the printed Tables 14 and 15: parameters, depth, order of operations, reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.mask_heads import ResNetTrunk, Trunk

# What the tables print: depth, first convolution, and "# of Blocks" with the channels of one (a, 4a, a).
TABLE_14 = {
    "resnet_bottleneck6": (6, 64, [(2, (128, 512, 128))]),
    "resnet_bottleneck9": (9, 64, [(3, (128, 512, 128))]),
    "resnet_bottleneck12": (12, 64, [(4, (128, 512, 128))]),
    "resnet_bottleneck15": (15, 64, [(5, (128, 512, 128))]),
    "resnet_bottleneck21": (21, 64, [(6, (128, 512, 128)), (1, (192, 384, 192))]),
}
TABLE_15 = {
    "resnet_bottleneck_quarter6": (6, 16, [(2, (32, 128, 32))]),
    "resnet_bottleneck_quarter12": (12, 16, [(4, (32, 128, 32))]),
    "resnet_bottleneck_quarter21": (21, 16, [(6, (32, 128, 32)), (1, (48, 192, 48))]),
    "resnet_bottleneck_quarter30": (30, 16, [(5, (32, 128, 32)), (5, (48, 192, 48))]),
    "resnet_bottleneck_quarter51": (51, 16, [(6, (32, 128, 32)), (8, (48, 192, 48)), (3, (64, 256, 64))]),
}
Table = tuple[int, int, list[tuple[int, tuple[int, int, int]]]]
TABLES: dict[str, Table] = TABLE_14 | TABLE_15


def parameters_by_hand(first: int, blocks: Sequence[tuple[int, Sequence[int]]], *, crop: int = 50) -> int:
    """Add up convolutions 1x1, 3x3, 1x1 of the given channels as a pre-activation ResNet has them, and the 1x1 output.

    A norm has two parameters a channel; convolutions on the main path have no bias, the others have.
    """
    total, last = crop * first + first, first
    for count, (one, two, three) in blocks:
        for place in range(count):
            convolutions = last * one + 9 * one * two + two * three
            norms = 2 * (last + one + two + three)
            shortcut = last * three + three if place == 0 else 0
            total, last = total + convolutions + norms + shortcut, three
    return total + last + 1


def as_built(blocks: list[tuple[int, tuple[int, int, int]]]) -> list[tuple[int, Sequence[int]]]:
    """Return the chosen reading of what is printed: (a, a, 4a), with 384 read as a misprint of 768."""
    return [(count, (narrow, narrow, 4 * narrow)) for count, (narrow, _, _) in blocks]


def config_of(repository: Path, name: str) -> Config:
    return Config.fromfile(repository / "configs" / "mask_heads" / f"{name}.py")


def build(trunk: dict[str, Any], *, in_channels: int = 50, **settings: Any) -> Trunk:
    with torch.device("meta"):
        return MODELS.build({**trunk, "in_channels": in_channels, **settings})


def with_output(trunk: Trunk) -> int:
    parts = (trunk, nn.Conv2d(trunk.out_channels, 1, 1))
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


@pytest.mark.parametrize("name", TABLES)
def test_parameters_and_depth_in_both_readings(repository: Path, name: str) -> None:
    depth, first, printed = TABLES[name]
    config = config_of(repository, name)
    words = " ".join(config.text.split())
    trunk = build(config.trunk)
    parameters = parameters_by_hand(first, as_built(printed))
    assert with_output(trunk) == parameters
    assert trunk.depth == config.depth == depth == 3 * sum(count for count, _ in printed)
    assert trunk.out_channels == 4 * printed[-1][1][0]
    assert f"{parameters:,} in Deep-MAC" in words

    expanded = [(count, (a, 4 * a, a)) for count, (a, _, _) in printed]
    other = build(config.trunk, block="bottleneck_as_printed")
    assert with_output(other) == parameters_by_hand(first, expanded)
    assert (other.depth, other.out_channels) == (depth, printed[-1][1][2])
    assert f"which has {parameters_by_hand(first, expanded):,} parameters" in words


def test_the_384_channels_of_depth_21(repository: Path) -> None:
    _, first, printed = TABLES["resnet_bottleneck21"]
    config = config_of(repository, "resnet_bottleneck21")
    literal = parameters_by_hand(first, printed)  # type: ignore[arg-type]
    assert with_output(build(config.trunk, block="bottleneck_as_printed", expansions=(4, 2))) == literal
    usual = parameters_by_hand(first, [(6, (128, 128, 512)), (1, (192, 192, 384))])
    assert with_output(build(config.trunk, expansions=(4, 2))) == usual
    assert f"{usual:,} parameters ({literal:,} if also as printed)" in " ".join(config.text.split())


def test_a_quarter_has_a_quarter_of_every_width(repository: Path) -> None:
    whole, quarter = (
        build(config_of(repository, f"resnet_bottleneck{name}6").trunk, in_channels=16) for name in ("", "_quarter")
    )
    pairs = [
        (a, b)
        for a, b in zip(whole.modules(), quarter.modules(), strict=True)
        if isinstance(a, nn.Conv2d) and isinstance(b, nn.Conv2d)
    ]
    assert len(pairs) == 1 + 2 * 3 + 1
    assert all(a.out_channels == 4 * b.out_channels for a, b in pairs)


def test_initial_channels_scale_a_quarter_too(repository: Path) -> None:
    trunk = config_of(repository, "resnet_bottleneck_quarter51").trunk
    full, half = build(trunk, in_channels=64), build(trunk, in_channels=32, num_init_channels=32)
    weights = [sum(p.numel() for p in each.parameters() if p.dim() == 4) for each in (full, half)]
    assert weights[0] == 4 * weights[1]


@pytest.mark.parametrize("name", TABLES)
def test_depth_counts_the_convolutions_of_the_main_path(repository: Path, name: str) -> None:
    trunk = build(config_of(repository, name).trunk)
    main = [m for path, m in trunk.named_modules() if isinstance(m, nn.Conv2d) and ".main." in path]
    assert len(main) == trunk.depth
    assert [m.kernel_size[0] for m in main] == [1, 3, 1] * (trunk.depth // 3)


def narrow(block: str, *, widths: Sequence[int] = (2, 3), blocks: Sequence[int] = (2, 1)) -> ResNetTrunk:
    torch.manual_seed(0)
    return ResNetTrunk(
        in_channels=5, num_init_channels=4, widths=widths, blocks=blocks, block=block, expansions=(4,) * len(widths)
    )


@pytest.mark.parametrize(("block", "channels"), [("bottleneck", 48), ("bottleneck_as_printed", 12)])
def test_order_of_operations(block: str, channels: int) -> None:
    trunk = narrow(block).double().eval()
    generator = torch.Generator().manual_seed(1)
    for layer in trunk.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var):
                assert tensor is not None
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    state = trunk.state_dict()

    def activated(name: str, x: Tensor) -> Tensor:
        scale, shift, mean, variance = (
            state[f"{name}.{kind}"][:, None, None] for kind in ("weight", "bias", "running_mean", "running_var")
        )
        return ((x - mean) / (variance + 1.001e-5).sqrt() * scale + shift).relu()

    def conv(name: str, x: Tensor) -> Tensor:
        weight = state[f"{name}.weight"]
        return functional.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    crops = torch.randn(2, 5, 7, 6, dtype=torch.float64)
    x = conv("input_conv", crops)
    for name in ("stacks.0.0", "stacks.0.1", "stacks.1.0"):
        y = a = activated(f"{name}.activate.0", x)
        for place in (0, 3, 6):
            y = activated(f"{name}.main.{place + 1}", conv(f"{name}.main.{place}", y))
        x = (conv(f"{name}.shortcut", a) if f"{name}.shortcut.weight" in state else x) + y
    assert x.shape == (2, channels, 7, 6)
    torch.testing.assert_close(trunk(crops), x, atol=1e-10, rtol=1e-10)


def test_a_bottleneck_widens_the_view_by_one_3x3_convolution() -> None:
    trunk = narrow("bottleneck", widths=(2,), blocks=(3,)).double().eval()
    for parameter in trunk.parameters():
        parameter.data.abs_()  # positive throughout: no ReLU cuts a path and no two paths cancel
    crops = torch.ones(1, 5, 16, 16, dtype=torch.float64, requires_grad=True)
    trunk(crops)[..., 8, 8].sum().backward()
    assert crops.grad is not None
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[5:12, 5:12] = True  # 1 + 2 * 3
    assert torch.equal(crops.grad[0].abs().sum(0) > 0, expected)


@pytest.mark.parametrize("block", ["bottleneck", "bottleneck_as_printed"])
def test_no_crop_trains_with_zero_gradients(block: str) -> None:
    trunk = narrow(block)
    features = trunk.train()(torch.zeros(0, 5, 8, 8))
    assert features.shape == (0, trunk.out_channels, 8, 8)
    features.sum().backward()
    for name, parameter in trunk.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name
    assert torch.isfinite(torch.cat([value.flatten() for value in trunk.state_dict().values()])).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"block": "bottleneck"}, r"block 'bottleneck' needs 1 positive expansions; got \(\)"),
        ({"block": "bottleneck", "expansions": (0,)}, "positive expansions"),
        ({"expansions": (4,)}, "block 'basic' needs 0 positive expansions"),
        ({"block": "bottle_neck"}, "did you mean 'bottleneck'"),
        ({"divisor": 3}, "divisor 3 does not divide num_init_channels, 4"),
        ({"divisor": 0}, "divisor 0 does not divide"),
    ],
)
def test_settings_that_make_no_trunk_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNetTrunk(in_channels=5, num_init_channels=4, widths=(2,), blocks=(1,), **settings)
