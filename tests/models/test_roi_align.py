"""mmcv's RoIAlign on the supplied op, against a NumPy reference that writes the whole operator out as a matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmcv.ops import RoIPool, roi_align
from numpy.typing import NDArray

from psis_bench.errors import UserError
from psis_bench.models.ops import install_ops

N, C, H, W = 2, 2, 7, 9
SIZE = (3, 2)
SCALE = 0.5
ROIS = np.array(
    [
        [0, 2.0, 3.0, 12.4, 11.2],
        [1, -3.0, -2.0, 9.0, 5.0],  # over the upper left corner
        [1, 10.0, 8.0, 25.0, 19.0],  # over the lower right corner
        [0, 5.0, 5.0, 5.3, 5.2],  # less than a pixel
        [0, 40.0, 40.0, 50.0, 50.0],  # outside
        [1, 0.0, 0.0, 18.0, 14.0],  # the whole map
    ]
)


def bilinear_row(y: float, x: float) -> NDArray[np.float64]:
    """Return (H, W) weights of a sample at (y, x): zero beyond one pixel outside, clamped within it."""
    weights = np.zeros((H, W))
    if y < -1 or y > H or x < -1 or x > W:
        return weights
    y, x = min(max(y, 0.0), H - 1.0), min(max(x, 0.0), W - 1.0)
    for row in {math.floor(y), math.ceil(y)}:
        for column in {math.floor(x), math.ceil(x)}:
            weights[row, column] = (1 - abs(y - row)) * (1 - abs(x - column))
    return weights


def roi_align_matrix(*, aligned: bool, sampling_ratio: int) -> NDArray[np.float64]:
    """Return the operator as a matrix (R * h * w, N * H * W) for one channel."""
    rows = []
    for image, *box in ROIS:
        x1, y1, x2, y2 = np.array(box) * SCALE - (0.5 if aligned else 0.0)
        height, width = y2 - y1, x2 - x1
        if not aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        ys = sampling_ratio or math.ceil(height / SIZE[0])
        xs = sampling_ratio or math.ceil(width / SIZE[1])
        for i in range(SIZE[0]):
            for j in range(SIZE[1]):
                cell = np.zeros((N, H, W))
                for a in range(ys):
                    for b in range(xs):
                        y = y1 + (i + (a + 0.5) / ys) * height / SIZE[0]
                        x = x1 + (j + (b + 0.5) / xs) * width / SIZE[1]
                        cell[int(image)] += bilinear_row(y, x) / (ys * xs)
                rows.append(cell.ravel())
    return np.stack(rows)


@pytest.mark.parametrize("sampling_ratio", [0, 1, 2])
@pytest.mark.parametrize("aligned", [True, False])
def test_forward_and_gradient_equal_the_matrix(aligned: bool, sampling_ratio: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(N, C, H, W, dtype=torch.float64, generator=generator, requires_grad=True)
    rois = torch.from_numpy(ROIS)
    pooled = roi_align(features, rois, SIZE, SCALE, sampling_ratio, "avg", aligned)
    matrix = roi_align_matrix(aligned=aligned, sampling_ratio=sampling_ratio)
    maps = features.detach().numpy().transpose(0, 2, 3, 1).reshape(N * H * W, C)
    expected = (matrix @ maps).reshape(len(ROIS), *SIZE, C).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(pooled.detach().numpy(), expected, atol=1e-12)

    upstream = torch.randn(pooled.shape, dtype=torch.float64, generator=generator)
    pooled.backward(upstream)
    flat = upstream.numpy().transpose(0, 2, 3, 1).reshape(-1, C)
    gradient = (matrix.T @ flat).reshape(N, H, W, C).transpose(0, 3, 1, 2)
    assert features.grad is not None
    np.testing.assert_allclose(features.grad.numpy(), gradient, atol=1e-12)


@pytest.mark.parametrize("aligned", [True, False])
def test_gradient_by_finite_differences(aligned: bool) -> None:
    features = torch.randn(N, C, H, W, dtype=torch.float64, requires_grad=True)
    rois = torch.from_numpy(ROIS)
    assert torch.autograd.gradcheck(lambda x: roi_align(x, rois, SIZE, SCALE, 0, "avg", aligned), (features,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_precisions_and_a_gradient_in_pieces(dtype: torch.dtype) -> None:
    features = torch.randn(N, C, H, W, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)
    rois = torch.from_numpy(ROIS).float()
    narrow = features.clone().requires_grad_()
    wide = features.double().requires_grad_()
    for inputs in (narrow, wide):
        pooled = roi_align(inputs, rois.to(inputs.dtype), SIZE, SCALE, 2, "avg", True)
        assert pooled.dtype == inputs.dtype
        pooled.transpose(2, 3).sum().backward()  # gives a gradient that is not contiguous
    assert narrow.grad is not None
    assert wide.grad is not None
    tolerance = 8 * torch.finfo(dtype).eps  # ROIS are rounded to dtype, which moves samples
    torch.testing.assert_close(narrow.grad.double(), wide.grad, atol=20 * tolerance, rtol=20 * tolerance)


def test_no_region() -> None:
    features = torch.randn(N, C, H, W, requires_grad=True)
    pooled = roi_align(features, torch.zeros(0, 5), SIZE, SCALE, 0, "avg", True)
    assert pooled.shape == (0, C, *SIZE)
    pooled.sum().backward()
    assert features.grad is not None
    assert not features.grad.any()


@pytest.mark.skipif(install_ops() == "compiled", reason="mmcv has its compiled ops here")
def test_what_torchvision_computes_otherwise_is_refused_by_name() -> None:
    features, rois = torch.zeros(N, C, H, W), torch.from_numpy(ROIS).float()
    with pytest.raises(UserError, match=r"roi_align_forward with pool_mode='max'.*psis-bench doctor"):
        roi_align(features, rois, SIZE, SCALE, 0, "max", True)
    with pytest.raises(UserError, match="'roi_pool_forward'"):
        RoIPool(SIZE)(features, rois)
