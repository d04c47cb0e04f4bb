"""ResNet-20 as Table 6 dilates it: a wider view with the same parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.mask_heads import ResNetTrunk, Trunk

# Convolutions of 3x3 that are dilated by 2: side of the view, 1 + 2 for an ordinary one + 4 for a dilated one.
VIEWS = {"resnet20": (0, 41), "resnet20_dilated10": (10, 61), "resnet20_dilated20": (20, 81)}


def build(repository: Path, name: str, **settings: Any) -> Trunk:
    config = Config.fromfile(repository / "configs" / "mask_heads" / f"{name}.py")
    return MODELS.build({**config.trunk, **settings})


@pytest.mark.parametrize("name", VIEWS)
def test_parameters_and_depth_are_those_of_resnet_20(repository: Path, name: str) -> None:
    config = Config.fromfile(repository / "configs" / "mask_heads" / f"{name}.py")
    with torch.device("meta"):
        trunk = build(repository, name, in_channels=50)
        parts = (trunk, nn.Conv2d(trunk.out_channels, 1, 1))
    assert sum(p.numel() for part in parts for p in part.parameters()) == 3_546_817
    assert trunk.depth == config.depth == 20
    assert "3,546,817 in Deep-MAC" in " ".join(config.text.split())
    rates = [m.dilation[0] for m in trunk.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert rates == [2] * VIEWS[name][0] + [1] * (20 - VIEWS[name][0])
    assert trunk.eval()(torch.empty(2, 50, 32, 24, device="meta")).shape == (2, 192, 32, 24)


@pytest.mark.parametrize("name", VIEWS)
def test_view(repository: Path, name: str) -> None:
    torch.manual_seed(0)
    trunk = build(repository, name, in_channels=2, num_init_channels=1).double().eval()
    for parameter in trunk.parameters():
        parameter.data.abs_()  # positive throughout: no ReLU cuts a path and no two paths cancel
    size = 91
    crops = torch.ones(1, 2, size, size, dtype=torch.float64, requires_grad=True)
    trunk(crops)[..., size // 2, size // 2].sum().backward()
    assert crops.grad is not None
    dilated, side = VIEWS[name]
    inside = torch.zeros(size, dtype=torch.bool)
    # Where nothing but dilated convolutions follow each other, only even distances are seen.
    inside[size // 2 - side // 2 : size // 2 + side // 2 + 1 : 2 if dilated == 20 else 1] = True
    assert torch.equal(crops.grad[0].abs().sum(0) > 0, inside[:, None] & inside)


def test_one_block_with_both_rates_computes_what_is_written_out() -> None:
    torch.manual_seed(0)
    trunk = ResNetTrunk(in_channels=3, num_init_channels=2, widths=(1,), blocks=(1,), dilations=(1, 2), norm_type=None)
    state = trunk.state_dict()
    crops = torch.randn(2, 3, 6, 7)
    x = functional.conv2d(crops, state["input_conv.weight"], state["input_conv.bias"])
    y = functional.conv2d(x.relu(), state["stacks.0.0.main.0.weight"], padding=1).relu()
    y = dilated_by_two(y, state["stacks.0.0.main.3.weight"]).relu()
    skip = functional.conv2d(x.relu(), state["stacks.0.0.shortcut.weight"], state["stacks.0.0.shortcut.bias"])
    torch.testing.assert_close(trunk(crops), skip + y)


def dilated_by_two(x: Tensor, weight: Tensor) -> Tensor:
    """Add up the nine shifted products of a 3x3 convolution whose taps are two pixels apart."""
    height, width = x.shape[-2:]
    padded = functional.pad(x, (2, 2, 2, 2))
    shifts = [(row, column) for row in range(3) for column in range(3)]
    return sum(
        (
            torch.einsum("oc,nchw->nohw", weight[..., r, c], padded[..., 2 * r : 2 * r + height, 2 * c : 2 * c + width])
            for r, c in shifts
        ),
        torch.zeros(()),
    )


def test_resnet20_of_table_14(repository: Path) -> None:
    config = Config.fromfile(repository / "configs" / "mask_heads" / "resnet20_table14.py")
    with torch.device("meta"):
        trunk = build(repository, "resnet20_table14", in_channels=50)
    # 1x1 input, 10 blocks of two 3x3 convolutions and three norms, the first with a 1x1 shortcut, 1x1 output.
    first = 2 * 64 + (64 * 128 + 128) + 9 * 64 * 128 + 2 * 128 + 9 * 128 * 128 + 2 * 128
    other = 2 * 128 + 2 * (9 * 128 * 128 + 2 * 128)
    output = 128 + 1
    parameters = (50 * 64 + 64) + first + 9 * other + output
    assert parameters == 2_894_657
    assert sum(p.numel() for p in trunk.parameters()) + output == parameters
    assert trunk.depth == config.depth == 20
    assert "2,894,657 in Deep-MAC" in " ".join(config.text.split())


@pytest.mark.parametrize("dilations", [(2,), (2, 2, 2), (2, 0), ()])
def test_dilations_that_fit_no_convolution_are_refused(dilations: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="dilations must be 2 positive numbers, one for each 3x3 convolution"):
        ResNetTrunk(in_channels=5, num_init_channels=4, widths=(2,), blocks=(1,), dilations=dilations)


def test_a_bottleneck_has_one_dilation_a_block() -> None:
    trunk = ResNetTrunk(
        in_channels=5,
        num_init_channels=4,
        widths=(1,),
        blocks=(2,),
        block="bottleneck",
        expansions=(4,),
        dilations=(1, 2),
    )
    main = [m for path, m in trunk.named_modules() if isinstance(m, nn.Conv2d) and ".main." in path]
    assert [m.dilation[0] for m in main] == [1, 1, 1, 1, 2, 1]
    assert trunk(torch.zeros(2, 5, 7, 9)).shape == (2, 16, 7, 9)
