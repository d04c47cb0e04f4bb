"""The ResNet and the pyramid of Deep-MARC in TensorFlow's padding, against plain sums."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from psis_bench.models.backbones.normed_fpn import NormedFPN
from psis_bench.models.backbones.same_resnet import SameConv2d, SameResNet


def test_a_strided_convolution_begins_where_tensorflow_s_does() -> None:
    """Of an even side, 'SAME' padding at stride 2 is one row at the end: the first sample is at the first row."""
    conv = SameConv2d(1, 1, 3, stride=2, padding=1, bias=False)
    torch.nn.init.ones_(conv.weight)
    rows = torch.arange(1.0, 7.0)[None, None, :, None].expand(1, 1, 6, 6)
    # Sums of rows 1 2 3, 3 4 5 and 5 6, of three columns and of the two last.
    assert conv(rows)[0, 0].tolist() == [[18, 18, 12], [36, 36, 24], [33, 33, 22]]


def test_the_resnet_has_the_names_and_sizes_of_mmdetection_s_and_its_own_padding() -> None:
    from mmdet.models.backbones import ResNet

    settings = {"depth": 50, "base_channels": 4, "norm_cfg": {"type": "BN"}, "norm_eval": False}
    torch.manual_seed(0)
    same, plain = SameResNet(**settings), ResNet(**settings)
    same.eval()
    plain.eval()
    sizes = {name: value.shape for name, value in plain.state_dict().items()}
    assert {name: value.shape for name, value in same.state_dict().items()} == sizes
    plain.load_state_dict(same.state_dict())
    image = torch.randn(1, 3, 64, 96)
    maps = same(image)
    assert [tuple(level.shape[2:]) for level in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    # The stem by hand: seven rows from two before the image on, maxima of three rows from the first on.
    stem = functional.conv2d(functional.pad(image, (2, 3, 2, 3)), same.conv1.weight, stride=2)
    stem = functional.max_pool2d(functional.pad(same.bn1(stem).relu(), (0, 1, 0, 1)), 3, stride=2)
    assert torch.allclose(same.layer1(stem), maps[0], atol=1e-5)
    assert not torch.allclose(plain(image)[0], maps[0], atol=1e-2)
    strided = [module for module in same.modules() if isinstance(module, SameConv2d) and module.stride == (2, 2)]
    # The stem, and in three stages the 3x3 convolution and the shortcut of the first block.
    assert len(strided) == 1 + 3 * 2


def test_the_pyramid_is_a_chain_of_sums_with_norms_at_its_end() -> None:
    torch.manual_seed(0)
    pyramid = NormedFPN(in_channels=[2, 3, 4], out_channels=5, num_outs=5, norm_cfg={"type": "BN", "eps": 1e-4}).eval()
    pyramid.init_weights()
    for norm in pyramid.norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    maps = [torch.randn(1, channels, side, side) for channels, side in ((2, 16), (3, 8), (4, 4))]
    fine, middle, coarse = (
        functional.conv2d(level, layer.weight, layer.bias) for layer, level in zip(pyramid.laterals, maps, strict=True)
    )
    middle = middle + coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    fine = fine + middle.repeat_interleave(2, 2).repeat_interleave(2, 3)
    levels = [
        functional.conv2d(level, layer.weight, layer.bias, padding=1)
        for layer, level in zip(pyramid.convs, (fine, middle, coarse), strict=True)
    ]
    for place, layer in enumerate(pyramid.coarser):
        # Before its norm; behind a ReLU from the second on.
        source = levels[-1].relu() if place else levels[-1]
        levels.append(functional.conv2d(functional.pad(source, (0, 1, 0, 1)), layer.weight, layer.bias, stride=2))
    found = pyramid(maps)
    assert [tuple(level.shape[2:]) for level in found] == [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]
    for level, norm, result in zip(levels, pyramid.norms, found, strict=True):
        mean, deviation = norm.running_mean[:, None, None], (norm.running_var[:, None, None] + 1e-4).sqrt()
        assert torch.allclose(result, (level - mean) / deviation, atol=1e-5)


def test_a_pyramid_has_no_fewer_levels_than_its_backbone() -> None:
    with pytest.raises(ValueError, match="2 levels come in"):
        NormedFPN(in_channels=[2, 3], out_channels=4, num_outs=1, norm_cfg={"type": "BN"})
