"""mmcv's sigmoid focal loss on the supplied op, against its definition and PyTorch's derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from mmcv.ops import sigmoid_focal_loss
from torch import Tensor

GAMMA, ALPHA, ROWS, CLASSES = 2.0, 0.25, 6, 4
TARGETS = torch.tensor([0, 3, 4, 1, 4, 2])  # 4 is background


def definition(logits: Tensor, weight: Tensor | None) -> Tensor:
    """Return -alpha_t (1 - p_t)^gamma log p_t for each logit (Lin et al. 2017, equation 5)."""
    positive = torch.nn.functional.one_hot(TARGETS, CLASSES + 1)[:, :CLASSES].bool()
    probability = torch.where(positive, logits.sigmoid(), 1 - logits.sigmoid())
    alpha = torch.where(positive, ALPHA, 1 - ALPHA)
    loss = -alpha * (1 - probability) ** GAMMA * probability.log()
    if weight is None:
        return loss
    return loss * torch.cat([weight, weight.new_ones(1)])[TARGETS][:, None]


def logits(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(ROWS, CLASSES, dtype=torch.float64, generator=generator)).requires_grad_()


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_loss_and_gradient_equal_the_definition(reduction: str, weight: Tensor | None) -> None:
    ours, reference = logits(0), logits(0)
    loss = sigmoid_focal_loss(ours, TARGETS, GAMMA, ALPHA, weight, reduction)
    expected = definition(reference, weight)
    expected = {"none": expected, "sum": expected.sum(), "mean": expected.sum() / ROWS}[reduction]
    torch.testing.assert_close(loss, expected, atol=1e-12, rtol=1e-12)
    upstream = torch.rand(loss.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    loss.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(ours.grad, reference.grad, atol=1e-12, rtol=1e-12)


def test_gradient_by_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda x: sigmoid_focal_loss(x, TARGETS, 1.5, 0.4, None, "sum"), (logits(2),))


def test_one_value_by_hand() -> None:
    even = torch.zeros(1, 1)
    got = sigmoid_focal_loss(even, torch.tensor([0]), 2.0, 0.25, None, "sum")
    assert float(got) == pytest.approx(0.25 * 0.25 * math.log(2), rel=1e-6)


def test_large_logits_stay_finite() -> None:
    sure = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = sigmoid_focal_loss(sure, torch.tensor([1]), GAMMA, ALPHA, None, "sum")
    loss.backward()
    assert torch.isfinite(loss)
    assert sure.grad is not None
    assert torch.isfinite(sure.grad).all()
