"""What the trunks compute: order of operations, shapes on the way, reach, and behaviour on odd batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.mask_heads import ConvTrunk, HourglassTrunk, ResNetTrunk, Trunk
from psis_bench.models.mask_heads.hourglass import ResidualBlock

HG10: dict[str, Any] = {"widths": (2, 2), "blocks": (1, 1)}
HG20: dict[str, Any] = {"widths": (2, 2, 3), "blocks": (1, 2, 2)}
HG52: dict[str, Any] = {"widths": (2, 2, 3, 3, 3, 4), "blocks": (2, 2, 2, 2, 2, 4)}


def narrow(kind: type[Any], **settings: Any) -> Trunk:
    torch.manual_seed(0)
    return kind(in_channels=5, num_init_channels=4, **settings)


def some_trunks() -> list[Trunk]:
    return [
        narrow(HourglassTrunk, **HG20),
        narrow(HourglassTrunk, **HG20, long_range_skips=False),
        narrow(HourglassTrunk, **HG20, encoder_decoder=False),
        narrow(ResNetTrunk, widths=(2, 3), blocks=(2, 1)),
        narrow(ConvTrunk, width=4, convs=4),
        narrow(ConvTrunk, width=4, convs=2, norm_type=None),
    ]


def lived(trunk: Trunk) -> Trunk:
    """Give batch norms statistics and parameters that are not 0 and 1, and set the trunk to inference in float64."""
    generator = torch.Generator().manual_seed(1)
    for layer in trunk.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var):
                assert tensor is not None
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return trunk.double().eval()


class Weights:
    """A state dict with the operations of the reference, so that the order of operations is written only once, here."""

    def __init__(self, trunk: Trunk, eps: float) -> None:
        self.state = trunk.state_dict()
        self.eps = eps

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        return functional.conv2d(x, weight, self.state.get(f"{name}.bias"), stride, weight.shape[-1] // 2)

    def norm(self, name: str, x: Tensor) -> Tensor:
        mean, variance = (self.state[f"{name}.running_{kind}"][:, None, None] for kind in ("mean", "var"))
        scale, shift = (self.state[f"{name}.{kind}"][:, None, None] for kind in ("weight", "bias"))
        return (x - mean) / (variance + self.eps).sqrt() * scale + shift

    def post_activation(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """The hourglass' residual block: activation after the addition."""
        y = self.norm(f"{name}.main.1", self.conv(f"{name}.main.0", x, stride)).relu()
        y = self.norm(f"{name}.main.4", self.conv(f"{name}.main.3", y))
        if f"{name}.skip.0.weight" in self.state:
            x = self.norm(f"{name}.skip.1", self.conv(f"{name}.skip.0", x, stride))
        return (x + y).relu()

    def pre_activation(self, name: str, x: Tensor) -> Tensor:
        """The ResNet's block: activated input, and a last activation before the addition."""
        a = self.norm(f"{name}.activate.0", x).relu()
        y = self.norm(f"{name}.main.1", self.conv(f"{name}.main.0", a)).relu()
        y = self.norm(f"{name}.main.4", self.conv(f"{name}.main.3", y)).relu()
        return (self.conv(f"{name}.shortcut", a) if f"{name}.shortcut.weight" in self.state else x) + y


def test_hourglass_order_of_operations() -> None:
    trunk = lived(narrow(HourglassTrunk, **HG10))
    ops = Weights(trunk, eps=1e-5)
    crops = torch.randn(2, 5, 8, 6, dtype=torch.float64)
    x = ops.norm("input_conv.1", ops.conv("input_conv.0", crops)).relu()
    x = ops.post_activation("input_block", x)
    inner = ops.post_activation("hourglass.encoder.0", x, stride=2)
    inner = ops.post_activation("hourglass.inner.0", inner)
    inner = ops.post_activation("hourglass.decoder.0", inner)
    doubled = inner.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    x = doubled + ops.post_activation("hourglass.skip.0", x)
    x = ops.norm("output_conv.1", ops.conv("output_conv.0", x)).relu()
    torch.testing.assert_close(trunk(crops), x, atol=1e-10, rtol=1e-10)


def test_resnet_order_of_operations() -> None:
    trunk = lived(narrow(ResNetTrunk, widths=(2, 3), blocks=(2, 1)))
    ops = Weights(trunk, eps=1.001e-5)
    crops = torch.randn(2, 5, 7, 6, dtype=torch.float64)
    x = ops.conv("input_conv", crops)
    for block in ("stacks.0.0", "stacks.0.1", "stacks.1.0"):
        x = ops.pre_activation(block, x)
    torch.testing.assert_close(trunk(crops), x, atol=1e-10, rtol=1e-10)
    assert ops.state["input_conv.bias"].shape == (4,)
    assert "stacks.0.1.shortcut.weight" not in ops.state


def test_shapes_on_the_way_through_hourglass_20() -> None:
    trunk = HourglassTrunk(in_channels=50, **HG20).eval()
    seen: dict[str, tuple[int, int]] = {}
    for name, block in trunk.named_modules():
        if isinstance(block, ResidualBlock):
            block.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: tuple(out.shape[1:3])}))
    with torch.no_grad():
        assert trunk(torch.zeros(1, 50, 32, 32)).shape == (1, 128, 32, 32)
    assert seen == {
        "input_block": (128, 32),
        "hourglass.skip.0": (128, 32),
        "hourglass.encoder.0": (128, 16),
        "hourglass.inner.skip.0": (128, 16),
        "hourglass.inner.skip.1": (128, 16),
        "hourglass.inner.encoder.0": (192, 8),
        "hourglass.inner.encoder.1": (192, 8),
        "hourglass.inner.inner.0": (192, 8),
        "hourglass.inner.inner.1": (192, 8),
        "hourglass.inner.decoder.0": (192, 8),
        "hourglass.inner.decoder.1": (128, 8),
        "hourglass.decoder.0": (128, 16),
    }


def test_ablations_of_hourglass_20() -> None:
    without_skips = narrow(HourglassTrunk, **HG20, long_range_skips=False)
    assert not any(".skip.0.main" in name for name in without_skips.state_dict())
    uniform = narrow(HourglassTrunk, **HG20, encoder_decoder=False)
    sides = set()
    for block in uniform.modules():
        if isinstance(block, ResidualBlock):
            block.register_forward_hook(lambda _m, _i, out: sides.add(tuple(out.shape[2:])))
    assert uniform(torch.zeros(2, 5, 7, 9)).shape == (2, 8, 7, 9)
    assert sides == {(7, 9)}
    assert any(".skip.0.main" in name for name in uniform.state_dict())


def reach(trunk: Trunk, side: int) -> Tensor:
    """Return (S, S) bool: the input pixels on which the output in the centre depends."""
    for parameter in trunk.parameters():
        parameter.data.abs_()  # positive throughout: no ReLU cuts a path and no two paths cancel
    crops = torch.ones(1, 5, side, side, dtype=torch.float64, requires_grad=True)
    trunk.double().eval()(crops)[..., side // 2, side // 2].sum().backward()
    assert crops.grad is not None
    return crops.grad[0].abs().sum(0) > 0


def test_receptive_fields() -> None:
    resnet4 = reach(narrow(ResNetTrunk, widths=(2,), blocks=(2,)), 32)
    expected = torch.zeros(32, 32, dtype=torch.bool)
    expected[12:21, 12:21] = True  # four 3x3 convolutions: 9 x 9
    assert torch.equal(resnet4, expected)
    assert reach(narrow(ConvTrunk, width=4, convs=4), 32).sum() == 81
    assert reach(narrow(HourglassTrunk, **HG20), 32).all()
    assert not reach(narrow(HourglassTrunk, **HG10), 64).all()


@pytest.mark.parametrize("trunk", some_trunks(), ids=lambda trunk: type(trunk).__name__)
def test_no_crop_trains_with_zero_gradients(trunk: Trunk) -> None:
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    crops = torch.zeros(0, 5, 8, 8, requires_grad=True)
    features = trunk.train()(crops)
    assert features.shape == (0, trunk.out_channels, 8, 8)
    features.sum().backward()
    assert crops.grad is not None
    for name, parameter in trunk.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name
    for name, value in trunk.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, before[name]), name
    assert trunk.eval()(torch.zeros(0, 5, 8, 8)).shape == (0, trunk.out_channels, 8, 8)


def test_one_crop_trains_where_the_hourglass_is_one_pixel_wide() -> None:
    trunk = narrow(HourglassTrunk, **HG52)
    features = trunk(torch.randn(1, 5, 32, 32))
    features.sum().backward()
    assert torch.isfinite(features).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in trunk.parameters())
    assert all(torch.isfinite(value).all() for value in trunk.state_dict().values())


@pytest.mark.parametrize("trunk", some_trunks(), ids=lambda trunk: type(trunk).__name__)
def test_inference_repeats_itself_and_treats_crops_alone(trunk: Trunk) -> None:
    lived(trunk)
    crops = torch.randn(3, 5, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        together = trunk(crops)
        assert torch.equal(trunk(crops), together)
        alone = torch.cat([trunk(crop[None]) for crop in crops])
    torch.testing.assert_close(alone, together, atol=1e-12, rtol=1e-12)


def test_sides_that_do_not_fit_are_refused() -> None:
    trunk = narrow(HourglassTrunk, **HG20)
    assert trunk(torch.zeros(2, 5, 12, 20)).shape == (2, 8, 12, 20)
    for height, width in ((14, 14), (16, 18), (0, 4)):
        with pytest.raises(ValueError, match=f"multiples of 4, not {height} x {width}; set the crop size to"):
            trunk(torch.zeros(2, 5, height, width))
    for other in (narrow(ResNetTrunk, widths=(2,), blocks=(1,)), narrow(ConvTrunk, width=2, convs=1)):
        assert other(torch.zeros(2, 5, 7, 9)).shape == (2, 8, 7, 9)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (HourglassTrunk, {"widths": (2, 2), "blocks": (1, 1, 1)}, r"as many widths as blocks.*\(2, 2\).*\(1, 1, 1\)"),
        (HourglassTrunk, {"widths": (2,), "blocks": (1,)}, "at least two"),
        (ResNetTrunk, {"widths": (2,), "blocks": (0,)}, "all positive"),
        (ResNetTrunk, {"widths": (2,), "blocks": (1,), "block": "basik"}, "did you mean 'basic'"),
        (ConvTrunk, {"width": 0, "convs": 4}, "must be positive"),
        (ConvTrunk, {"width": 1, "convs": 1, "norm_type": "SynchBN"}, "did you mean 'SyncBN'"),
    ],
)
def test_settings_that_make_no_trunk_are_refused(kind: type[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        narrow(kind, **settings)
