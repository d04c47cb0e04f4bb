"""The mask loss against NumPy, and its targets against the area that an object covers of each cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks

from psis_bench.models.mask_loss import mask_cross_entropy, mask_dice, soft_mask_targets


def numpy_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    probability = 1 / (1 + np.exp(-logits))
    pixels = -(targets * np.log(probability) + (1 - targets) * np.log(1 - probability))
    return float(np.mean([instance.mean() for instance in pixels]))


def covered_area(mask: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Share of each of size x size cells of a box (xyxy) that a mask covers, pixel by pixel."""
    x1, y1, x2, y2 = box
    cells = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            top, bottom = y1 + i * (y2 - y1) / size, y1 + (i + 1) * (y2 - y1) / size
            left, right = x1 + j * (x2 - x1) / size, x1 + (j + 1) * (x2 - x1) / size
            for row in range(int(top), int(np.ceil(bottom))):
                for column in range(int(left), int(np.ceil(right))):
                    high = min(row + 1, bottom) - max(row, top)
                    wide = min(column + 1, right) - max(column, left)
                    cells[i, j] += mask[row, column] * max(high, 0) * max(wide, 0)
            cells[i, j] /= (bottom - top) * (right - left)
    return cells


def test_equals_numpy() -> None:
    generator = np.random.default_rng(0)
    logits, targets = generator.normal(0, 3, (7, 5, 6)), generator.random((7, 5, 6))
    has_mask = generator.random(7) > 0.4
    found = mask_cross_entropy(torch.tensor(logits), torch.tensor(targets), torch.tensor(has_mask))
    assert found.item() == pytest.approx(numpy_loss(logits[has_mask], targets[has_mask]), rel=1e-12)


def test_dice_equals_numpy() -> None:
    generator = np.random.default_rng(1)
    logits, targets = generator.normal(0, 3, (7, 5, 6)), generator.random((7, 5, 6))
    has_mask = generator.random(7) > 0.4
    probability = 1 / (1 + np.exp(-logits))
    expected = [
        1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1) for p, t in zip(probability, targets, strict=True)
    ]
    found = mask_dice(torch.tensor(logits), torch.tensor(targets), torch.tensor(has_mask))
    assert found.item() == pytest.approx(np.mean(np.array(expected)[has_mask]), rel=1e-12)


def test_dice_of_binary_masks_is_set_arithmetic() -> None:
    """Two masks of 8 pixels with 4 in common: 1 - (2 * 4 + 1) / (16 + 1); with none, 1 - 1 / 17; equal, 0."""
    target = torch.zeros(3, 4, 8)
    target[:, 0] = 1
    logits = torch.full((3, 4, 8), -1e4)
    logits[0, 0, :4] = logits[0, 1, :4] = logits[1, 2] = logits[2, 0] = 1e4
    for row, expected in enumerate([8 / 17, 16 / 17, 0.0]):
        assert mask_dice(logits, target, torch.arange(3) == row).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("of_masks", [mask_cross_entropy, mask_dice])
@pytest.mark.parametrize("garbage", [0.0, 1.0, -1e9, float("inf"), float("nan")])
def test_targets_without_a_mask_are_never_read(of_masks: Callable[..., torch.Tensor], garbage: float) -> None:
    torch.manual_seed(0)
    has_mask = torch.tensor([True, False, True, False])
    clean = torch.rand(4, 3, 3)
    values = []
    for filling in (0.5, garbage):
        logits = torch.linspace(-2, 2, 36).reshape(4, 3, 3).requires_grad_()
        targets = torch.where(has_mask[:, None, None], clean, filling)
        loss = of_masks(logits, targets, has_mask)
        loss.backward()
        values.append((loss.detach(), logits.grad))
    assert torch.equal(values[0][0], values[1][0])
    assert torch.equal(values[0][1], values[1][1])
    assert not values[1][1][~has_mask].any()


@pytest.mark.parametrize("of_masks", [mask_cross_entropy, mask_dice])
@pytest.mark.parametrize("count", [0, 3])
def test_no_mask_at_all_gives_zero_and_zero_gradients(of_masks: Callable[..., torch.Tensor], count: int) -> None:
    layer = torch.nn.Conv2d(1, 1, 3, padding=1)
    logits = layer(torch.rand(count, 1, 4, 4))[:, 0]
    loss = of_masks(logits, torch.full_like(logits, float("nan")), torch.zeros(count, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert not parameter.grad.any()


def masks_of(generator: np.random.Generator) -> np.ndarray:
    masks = generator.random((3, 40, 50)) > 0.5
    masks[2] = np.add.outer(np.arange(40) ** 2, np.arange(50) ** 2) < 35**2
    return masks.astype(np.uint8)


@pytest.mark.parametrize("box", [(0, 0, 8, 8), (3, 5, 27, 37), (42, 32, 50, 40), (10, 4, 26, 12), (0, 0, 48, 40)])
def test_targets_are_covered_areas(box: tuple[int, int, int, int]) -> None:
    """Exact where the cells are whole pixels: sides that are multiples of the target's."""
    masks = masks_of(np.random.default_rng(1))
    found = soft_mask_targets(BitmapMasks(masks, 40, 50), torch.tensor([box] * 3).double(), torch.arange(3), 8)
    expected = np.stack([covered_area(mask, box, 8) for mask in masks])
    assert np.abs(found.numpy() - expected).max() < 1e-12


def test_targets_near_covered_areas_where_cells_cut_pixels() -> None:
    masks = masks_of(np.random.default_rng(1))[2:]
    for box in ((0, 0, 37, 39), (13, 11, 46, 40), (20, 10, 31, 33)):
        found = soft_mask_targets(BitmapMasks(masks, 40, 50), torch.tensor([box]).double(), torch.tensor([0]), 8)
        difference = np.abs(found[0].numpy() - covered_area(masks[0], box, 8))
        assert difference.max() < 0.2
        assert difference.mean() < 0.02


def test_targets_are_not_binary_and_follow_their_indices() -> None:
    masks = np.zeros((2, 16, 16), np.uint8)
    masks[1, :, 1::2] = 1
    boxes = torch.tensor([[0.0, 0.0, 16.0, 16.0]] * 3)
    found = soft_mask_targets(BitmapMasks(masks, 16, 16), boxes, torch.tensor([1, 0, 1]), 8)
    assert torch.equal(found[0], torch.full((8, 8), 0.5))
    assert not found[1].any()
    assert torch.equal(found[2], found[0])


def test_no_boxes() -> None:
    empty = soft_mask_targets(
        BitmapMasks(np.zeros((0, 9, 9), np.uint8), 9, 9), torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), 8
    )
    assert empty.shape == (0, 8, 8)
