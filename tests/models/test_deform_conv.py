"""mmcv's deformable convolutions and attention on the supplied ops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmcv.ops import ModulatedDeformConv2dPack, deform_conv2d, modulated_deform_conv2d
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch import Tensor
from torch.nn import functional

STRIDE, PADDING, DILATION, GROUPS, DEFORM_GROUPS = (2, 1), (1, 2), (1, 2), 2, 2
N, C, H, W, OUT, K = 2, 4, 6, 7, 6, 3
HEIGHT, WIDTH = 3, 7  # of the output


def operands(seed: int, *, whole_offsets: bool = False) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    offset = 1.5 * random(N, DEFORM_GROUPS * 2 * K * K, HEIGHT, WIDTH)
    if whole_offsets:
        offset = offset.round()
    return {
        "input": random(N, C, H, W),
        "offset": offset,
        "mask": random(N, DEFORM_GROUPS * K * K, HEIGHT, WIDTH).sigmoid(),
        "weight": random(OUT, C // GROUPS, K, K),
        "bias": random(OUT),
    }


def sample(channel: np.ndarray, y: float, x: float) -> float:
    """Bilinear sample of (H, W) with zeros outside."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < H and 0 <= column < W:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * float(channel[row, column])
    return total


def brute_force(parts: dict[str, Tensor]) -> np.ndarray:
    """Return (N, OUT, HEIGHT, WIDTH) by loops over every sample; offsets are y, x for each kernel cell."""
    arrays = {name: tensor.numpy() for name, tensor in parts.items()}
    offset = arrays["offset"].reshape(N, DEFORM_GROUPS, K * K, 2, HEIGHT, WIDTH)
    mask = arrays["mask"].reshape(N, DEFORM_GROUPS, K * K, HEIGHT, WIDTH)
    columns = np.zeros((N, C, K * K, HEIGHT, WIDTH))
    for n, c, k, i, j in np.ndindex(*columns.shape):
        group = c // (C // DEFORM_GROUPS)
        dy, dx = offset[n, group, k, :, i, j]
        y = i * STRIDE[0] - PADDING[0] + (k // K) * DILATION[0] + dy
        x = j * STRIDE[1] - PADDING[1] + (k % K) * DILATION[1] + dx
        columns[n, c, k, i, j] = mask[n, group, k, i, j] * sample(arrays["input"][n, c], y, x)
    grouped = columns.reshape(N, GROUPS, C // GROUPS, K * K, HEIGHT, WIDTH)
    weight = arrays["weight"].reshape(GROUPS, OUT // GROUPS, C // GROUPS, K * K)
    result = np.einsum("ngckij,gock->ngoij", grouped, weight).reshape(N, OUT, HEIGHT, WIDTH)
    return result + arrays["bias"][:, None, None]


def modulated(input: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return modulated_deform_conv2d(input, offset, mask, weight, bias, STRIDE, PADDING, DILATION, GROUPS, DEFORM_GROUPS)


def plain(input: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    return deform_conv2d(input, offset, weight, STRIDE, PADDING, DILATION, GROUPS, DEFORM_GROUPS)


def test_without_offsets_it_is_a_convolution() -> None:
    parts = operands(0)
    zero, one = torch.zeros_like(parts["offset"]), torch.ones_like(parts["mask"])
    expected = functional.conv2d(parts["input"], parts["weight"], parts["bias"], STRIDE, PADDING, DILATION, GROUPS)
    got = modulated(parts["input"], zero, one, parts["weight"], parts["bias"])
    torch.testing.assert_close(got, expected, atol=1e-12, rtol=0)
    without_bias = expected - parts["bias"][:, None, None]
    torch.testing.assert_close(
        modulated(parts["input"], zero, one, parts["weight"], None), without_bias, atol=1e-12, rtol=0
    )
    torch.testing.assert_close(plain(parts["input"], zero, parts["weight"]), without_bias, atol=1e-12, rtol=0)


@pytest.mark.parametrize("whole_offsets", [True, False])
def test_offsets_and_masks_equal_the_loops(whole_offsets: bool) -> None:
    parts = operands(1, whole_offsets=whole_offsets)
    np.testing.assert_allclose(modulated(**parts).numpy(), brute_force(parts), atol=1e-12)
    parts["mask"], parts["bias"] = torch.ones_like(parts["mask"]), torch.zeros_like(parts["bias"])
    got = plain(parts["input"], parts["offset"], parts["weight"])
    np.testing.assert_allclose(got.numpy(), brute_force(parts), atol=1e-12)


def test_gradients_by_finite_differences() -> None:
    parts = {name: tensor.requires_grad_() for name, tensor in operands(2).items()}
    assert torch.autograd.gradcheck(modulated, tuple(parts.values()), fast_mode=True)
    assert torch.autograd.gradcheck(lambda *four: modulated(*four, None), tuple(parts.values())[:4], fast_mode=True)
    three = parts["input"], parts["offset"], parts["weight"]
    assert torch.autograd.gradcheck(plain, three, fast_mode=True)


def test_the_layer_that_detectors_use_starts_as_half_a_convolution() -> None:
    layer = ModulatedDeformConv2dPack(4, 6, 3, padding=1)  # its mask starts at sigmoid(0)
    features = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(3))
    expected = functional.conv2d(features, 0.5 * layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(features), expected, atol=1e-5, rtol=1e-5)


def test_multi_scale_attention_has_the_gradients_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(4)
    shapes = torch.tensor([[4, 3], [2, 2]])
    starts = torch.tensor([0, 12])
    value = torch.randn(2, 16, 2, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    locations = torch.rand(2, 5, 2, 2, 3, 2, dtype=torch.float64, generator=generator).requires_grad_()
    weights = torch.rand(2, 5, 2, 2, 3, dtype=torch.float64, generator=generator).requires_grad_()

    def attend(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return MultiScaleDeformableAttnFunction.apply(value, shapes, starts, locations, weights, 64)

    assert attend(value, locations, weights).shape == (2, 5, 6)
    assert torch.autograd.gradcheck(attend, (value, locations, weights), fast_mode=True)
