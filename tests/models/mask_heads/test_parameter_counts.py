"""Parameters and depth of every trunk against the numbers of the running official code (literals)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from psis_bench.models.mask_heads import HourglassTrunk, ResNetTrunk, Trunk

# name: depth, parameters in Deep-MAC (50 channels in, 1x1 convolution with bias out)
DEEP_MAC = {
    "hourglass10": (10, 1_605_249),
    "hourglass20": (20, 5_530_625),
    "hourglass32": (32, 10_440_065),
    "hourglass52": (52, 23_454_593),
    "hourglass100": (100, 47_221_121),
    "hourglass20_no_lrs": (20, 4_644_353),
    "hourglass20_no_ed": (20, 5_513_985),
    "resnet4": (4, 529_217),
    "resnet8": (8, 1_120_577),
    "resnet12": (12, 1_711_937),
    "resnet16": (16, 2_303_297),
    "resnet20": (20, 3_546_817),
}
# name: parameters of Deep-MARC's whole head (256 channels in, transposed convolution, batch norm, 1x1 convolution)
DEEP_MARC = {
    "hourglass10": 1_756_801,
    "hourglass20": 5_682_177,
    "hourglass32": 10_591_617,
    "hourglass52": 23_606_145,
    "hourglass100": 47_372_673,
    "conv4": 2_625_537,
}


def read(repository: Path, name: str) -> Config:
    return Config.fromfile(repository / "configs" / "mask_heads" / f"{name}.py")


def build(trunk: dict[str, Any], *, in_channels: int) -> Trunk:
    with torch.device("meta"):  # shapes are all that counts here
        return MODELS.build({**trunk, "in_channels": in_channels})


def count(*parts: nn.Module) -> int:
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


@pytest.mark.parametrize("name", DEEP_MAC)
def test_deep_mac(repository: Path, name: str) -> None:
    config = read(repository, name)
    trunk = build(config.trunk, in_channels=50)
    depth, parameters = DEEP_MAC[name]
    assert count(trunk, nn.Conv2d(trunk.out_channels, 1, 1)) == parameters
    assert trunk.depth == config.depth == depth
    assert f"{parameters:,} in Deep-MAC" in " ".join(config.text.split())


@pytest.mark.parametrize("name", DEEP_MARC)
def test_deep_marc(repository: Path, name: str) -> None:
    config = read(repository, name)
    trunk = build(config.trunk, in_channels=256)
    width = config.upsample_channels
    upsample = nn.ConvTranspose2d(trunk.out_channels, width, 2, stride=2)
    assert count(trunk, upsample, nn.BatchNorm2d(width), nn.Conv2d(width, 1, 1)) == DEEP_MARC[name]
    assert f"{DEEP_MARC[name]:,} as a whole Deep-MARC head" in " ".join(config.text.split())


def test_resnet20_as_table_14_prints_it() -> None:
    trunk = build({"type": "ResNetTrunk", "widths": (2,), "blocks": (10,)}, in_channels=50)
    assert count(trunk, nn.Conv2d(trunk.out_channels, 1, 1)) == 2_894_657
    assert trunk.depth == 20


@pytest.mark.parametrize(("name", "parameters"), [("resnet4", 529_089), ("hourglass20", 5_529_473)])
def test_without_coordinates(repository: Path, name: str, parameters: int) -> None:
    trunk = build(read(repository, name).trunk, in_channels=48)
    assert count(trunk, nn.Conv2d(trunk.out_channels, 1, 1)) == parameters


def test_every_config_is_listed_here(repository: Path) -> None:
    files = {path.stem for path in (repository / "configs" / "mask_heads").glob("*.py")}
    assert files >= set(DEEP_MAC) | set(DEEP_MARC)


def test_every_config_builds_and_fits_its_own_crop(repository: Path) -> None:
    for path in sorted((repository / "configs" / "mask_heads").glob("*.py")):
        config = Config.fromfile(path)
        trunk = build(config.trunk, in_channels=256)
        assert config.trunk.num_init_channels == 64, path
        assert trunk.depth == config.depth, path
        crops = torch.zeros(2, 256, config.roi_size, config.roi_size, device="meta")
        assert trunk.eval()(crops).shape == (2, trunk.out_channels, config.roi_size, config.roi_size), path
        assert path.read_text().startswith('"""'), f"{path} needs a header that says what it is"


@pytest.mark.parametrize("name", ["hourglass20", "resnet20", "conv4"])
def test_initial_channels_scale_the_width(repository: Path, name: str) -> None:
    config = read(repository, name).trunk
    full, half = build(config, in_channels=64), build({**config, "num_init_channels": 32}, in_channels=32)
    assert half.out_channels * 2 == full.out_channels
    weights = [sum(p.numel() for p in trunk.parameters() if p.dim() == 4) for trunk in (full, half)]
    assert weights[0] == 4 * weights[1]


@pytest.mark.parametrize("name", [name for name in DEEP_MAC if "no_ed" not in name])
def test_depth_counts_the_convolutions_of_the_main_path(repository: Path, name: str) -> None:
    trunk = build(read(repository, name).trunk, in_channels=50)
    skips = [path for path, _ in trunk.named_modules() if path.split(".")[-1] in ("skip", "shortcut")]
    main = [
        path
        for path, module in trunk.named_modules()
        if isinstance(module, nn.Conv2d) and not any(path == skip or path.startswith(f"{skip}.") for skip in skips)
    ]
    beside = 1 if isinstance(trunk, ResNetTrunk) else 0  # the 1x1 convolution at the input
    assert isinstance(trunk, HourglassTrunk | ResNetTrunk)
    assert len(main) - beside == trunk.depth
