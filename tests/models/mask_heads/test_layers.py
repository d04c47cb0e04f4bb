"""Normalisation and initialisation of mask heads."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.model import BaseModule
from torch import nn

from psis_bench.models.mask_heads import ConvTrunk, HourglassTrunk, ResNetTrunk, Trunk
from psis_bench.models.mask_heads.norm import BatchNorm2d, SyncBatchNorm


def batch_norms(trunk: Trunk) -> list[nn.BatchNorm2d]:
    return [layer for layer in trunk.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_official_batch_norms() -> None:
    # Keras' momentum (the share that stays) is 0.1 in hourglasses, 0.99 in ResNets and 0.997 in Deep-MARC's default.
    trunks = {
        (1e-5, 1 - 0.1): HourglassTrunk(in_channels=5, num_init_channels=4, widths=(1, 1), blocks=(1, 1)),
        (1.001e-5, 1 - 0.99): ResNetTrunk(in_channels=5, num_init_channels=4, widths=(1,), blocks=(1,)),
        (1e-4, 1 - 0.997): ConvTrunk(in_channels=5, num_init_channels=4, width=1, convs=2),
    }
    for (eps, momentum), trunk in trunks.items():
        assert batch_norms(trunk)
        for layer in batch_norms(trunk):
            assert layer.eps == eps
            assert layer.momentum == pytest.approx(momentum)


# In one process the synchronised one has nothing to synchronise with.
@pytest.mark.parametrize("kind", [BatchNorm2d, SyncBatchNorm])
def test_batch_norm_equals_pytorch_s_on_ordinary_batches(kind: type[nn.BatchNorm2d]) -> None:
    ours, theirs = kind(3, momentum=0.3), nn.BatchNorm2d(3, momentum=0.3)
    generator = torch.Generator().manual_seed(0)
    for shape in ((4, 3, 5, 5), (1, 3, 2, 1), (2, 3, 1, 1)):
        values = torch.randn(shape, generator=generator)
        assert torch.equal(ours(values), theirs(values))
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    assert torch.equal(ours.eval()(values[:1]), theirs.eval()(values[:1]))


@pytest.mark.parametrize("kind", [BatchNorm2d, SyncBatchNorm])
def test_batch_norm_on_one_value_per_channel(kind: type[nn.BatchNorm2d]) -> None:
    layer = kind(2, momentum=0.25)
    nn.init.constant_(layer.weight, 3.0)
    nn.init.constant_(layer.bias, 0.5)
    values = torch.tensor([8.0, -4.0]).reshape(1, 2, 1, 1).requires_grad_()
    result = layer(values)
    assert result.flatten().tolist() == [0.5, 0.5]
    result.sum().backward()
    assert values.grad is not None
    assert not values.grad.any()
    assert layer.bias.grad is not None
    assert layer.bias.grad.tolist() == [1, 1]
    assert layer.running_mean is not None
    assert layer.running_var is not None
    assert layer.running_mean.tolist() == [2.0, -1.0]
    assert layer.running_var.tolist() == [0.75, 0.75]
    assert layer.num_batches_tracked is not None
    assert int(layer.num_batches_tracked) == 1


def test_synchronised_batch_norm_reaches_every_layer() -> None:
    settings = {"in_channels": 5, "num_init_channels": 4, "widths": (1, 1), "blocks": (1, 1)}
    plain = HourglassTrunk(**settings)
    count = len(batch_norms(plain))
    asked = HourglassTrunk(**settings, norm_type="SyncBN", norm_momentum=0.2)
    for trunk in (asked, nn.SyncBatchNorm.convert_sync_batchnorm(plain)):
        assert not batch_norms(trunk)
        assert sum(isinstance(layer, nn.SyncBatchNorm) for layer in trunk.modules()) == count
    assert all(layer.momentum == 0.2 for layer in asked.modules() if isinstance(layer, nn.SyncBatchNorm))
    assert set(asked.state_dict()) == set(plain.state_dict())


def test_glorot_uniform_weights_and_zero_biases() -> None:
    torch.manual_seed(0)
    for trunk in (
        HourglassTrunk(in_channels=50, widths=(2, 2), blocks=(1, 1)),
        ResNetTrunk(in_channels=50, widths=(2,), blocks=(1,)),
    ):
        for layer in trunk.modules():
            if not isinstance(layer, nn.Conv2d):
                continue
            area = math.prod(layer.kernel_size)
            limit = math.sqrt(6 / (area * (layer.in_channels + layer.out_channels)))
            assert 0.9 * limit < float(layer.weight.detach().abs().max()) <= limit
            assert float(layer.weight.detach().std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)
            assert layer.bias is None or not layer.bias.any()


def test_he_normal_weights_over_outputs_in_the_default_head() -> None:
    torch.manual_seed(0)
    trunk = ConvTrunk(in_channels=64, width=2, convs=2)
    for layer in trunk.layers:
        if isinstance(layer, nn.Conv2d):
            assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(2 / (9 * 128)), rel=0.03)
            assert layer.bias is not None
            assert not layer.bias.any()


class Around(BaseModule):
    """A module with an initialisation of its own around a trunk."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__({"type": "Constant", "val": 7.0, "layer": "Conv2d"})
        self.trunk = trunk
        self.conv = nn.Conv2d(1, 1, 1)


def test_a_surrounding_initialisation_does_not_reach_the_trunk_and_init_cfg_does() -> None:
    settings = {"in_channels": 5, "num_init_channels": 4, "widths": (1,), "blocks": (1,)}
    around = Around(ResNetTrunk(**settings))
    around.init_weights()
    assert float(around.conv.weight.detach()) == 7
    assert not (around.trunk.input_conv.weight == 7).any()
    trunk = ResNetTrunk(**settings, init_cfg={"type": "Constant", "val": 3.0, "layer": "Conv2d"})
    assert not (trunk.input_conv.weight == 3).any()
    trunk.init_weights()
    assert (trunk.input_conv.weight == 3).all()
    trunk.input_conv.weight.data.fill_(5)  # as a checkpoint does
    trunk.init_weights()
    assert (trunk.input_conv.weight == 5).all()
