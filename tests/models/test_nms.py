"""mmcv's non-maximum suppression on the supplied ops, against greedy loops over exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms, soft_nms

Box = tuple[int, int, int, int]


def exact_iou(first: Box, second: Box, offset: int = 0) -> Fraction:
    """Return the IoU of two xyxy boxes with whole coordinates; 0 where neither has an area."""

    def area(box: Box) -> int:
        return (box[2] - box[0] + offset) * (box[3] - box[1] + offset)

    width = min(first[2], second[2]) - max(first[0], second[0]) + offset
    height = min(first[3], second[3]) - max(first[1], second[1]) + offset
    shared = max(width, 0) * max(height, 0)
    union = area(first) + area(second) - shared
    return Fraction(shared, union) if union else Fraction(0)


def greedy(boxes: list[Box], scores: list[float], threshold: Fraction, offset: int = 0) -> list[int]:
    """Return the indices that stay, best first, equal scores in their given order."""
    kept: list[int] = []
    for candidate in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(exact_iou(boxes[candidate], boxes[better], offset) <= threshold for better in kept):
            kept.append(candidate)
    return kept


def crowded(seed: int, count: int = 60) -> tuple[list[Box], list[float]]:
    """Boxes on a coarse grid with scores from few values: many equal boxes, equal scores and round IoUs."""
    generator = np.random.default_rng(seed)
    corners = generator.integers(0, 12, (count, 2))
    sides = generator.integers(0, 8, (count, 2))
    boxes = np.concatenate([corners, corners + sides], axis=1)
    return [tuple(box) for box in boxes.tolist()], (generator.integers(1, 9, count) / 8).tolist()


@pytest.mark.parametrize("threshold", ["0.3", "0.5", "0.7"])
@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_nms_equals_the_greedy_loop(seed: int, offset: int, threshold: str) -> None:
    boxes, scores = crowded(seed)
    dets, kept = nms(torch.tensor(boxes).float(), torch.tensor(scores), float(threshold), offset=offset)
    expected = greedy(boxes, scores, Fraction(threshold), offset)
    assert kept.tolist() == expected
    assert dets.tolist() == [[*boxes[i], scores[i]] for i in expected]


def test_nms_score_threshold_and_most_boxes() -> None:
    boxes, scores = crowded(7)
    above = [i for i, score in enumerate(scores) if score > 0.25]
    expected = [above[i] for i in greedy([boxes[i] for i in above], [scores[i] for i in above], Fraction(1, 2))]
    kept = nms(torch.tensor(boxes).float(), torch.tensor(scores), 0.5, score_threshold=0.25, max_num=5)[1]
    assert kept.tolist() == expected[:5]


def test_nms_on_arrays_and_on_nothing() -> None:
    boxes, scores = crowded(8)
    dets, kept = nms(np.array(boxes, dtype=np.float32), np.array(scores, dtype=np.float32), 0.5)
    assert isinstance(dets, np.ndarray)
    assert kept.tolist() == greedy(boxes, scores, Fraction(1, 2))
    dets, kept = nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert dets.shape == (0, 5)
    assert kept.dtype == torch.long


@pytest.mark.parametrize("split_thr", [10000, 1])
@pytest.mark.parametrize("seed", range(3))
def test_batched_nms_is_nms_in_each_class(seed: int, split_thr: int) -> None:
    boxes, _ = crowded(seed)
    generator = np.random.default_rng(seed)
    scores = (generator.permutation(len(boxes)) / 64).tolist()  # distinct: the order over classes is defined
    labels = generator.integers(0, 4, len(boxes)).tolist()
    expected = []
    for label in range(4):
        members = [i for i, other in enumerate(labels) if other == label]
        kept = greedy([boxes[i] for i in members], [scores[i] for i in members], Fraction(1, 2))
        expected += [members[i] for i in kept]
    expected.sort(key=lambda i: -scores[i])
    config = {"type": "nms", "iou_threshold": 0.5, "split_thr": split_thr}
    tensors = torch.tensor(boxes).float(), torch.tensor(scores), torch.tensor(labels)
    dets, kept = batched_nms(*tensors, config)
    assert kept.tolist() == expected
    assert dets[:, 4].tolist() == [scores[i] for i in expected]
    agnostic = batched_nms(*tensors, config, class_agnostic=True)[1]
    if split_thr > len(boxes):
        assert agnostic.tolist() == greedy(boxes, scores, Fraction(1, 2))


def softened(boxes: list[Box], scores: list[float], **settings: Any) -> list[tuple[int, float]]:
    """Return (index, lowered score) of the boxes that stay, in the order in which they are taken."""
    left = dict(enumerate(scores))
    taken = []
    while left:
        best = max(left, key=lambda i: left[i])
        taken.append((best, left.pop(best)))
        for other in list(left):
            iou = float(exact_iou(boxes[best], boxes[other]))
            if settings["method"] == "gaussian":
                left[other] *= math.exp(-(iou**2) / settings["sigma"])
            elif iou >= settings["iou_threshold"]:
                left[other] *= 1 - iou if settings["method"] == "linear" else 0
            if left[other] < settings["min_score"]:
                del left[other]
    return taken


@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms_equals_the_loop(method: str) -> None:
    boxes, _ = crowded(3, count=30)
    boxes = [(a, b, c + 1, d + 1) for a, b, c, d in boxes]
    scores = (0.05 + np.random.default_rng(3).permutation(30) / 32).tolist()
    settings: dict[str, Any] = {"iou_threshold": 0.29, "sigma": 0.5, "min_score": 0.04, "method": method}
    dets, kept = soft_nms(torch.tensor(boxes).float(), torch.tensor(scores), **settings)
    expected = softened(boxes, scores, **settings)
    assert kept.tolist() == [index for index, _ in expected]
    np.testing.assert_allclose(dets[:, 4].numpy(), [score for _, score in expected], atol=1e-6)
    np.testing.assert_array_equal(dets[:, :4].numpy(), [boxes[index] for index, _ in expected])
    assert len(expected) < 30 or method == "gaussian"


def test_documented_examples_of_mmcv() -> None:
    boxes = torch.tensor(
        [
            [49.1, 32.4, 51.0, 35.9],
            [49.3, 32.9, 51.0, 35.3],
            [49.2, 31.8, 51.0, 35.4],
            [35.1, 11.5, 39.1, 15.7],
            [35.6, 11.8, 39.3, 14.2],
            [35.3, 11.5, 39.9, 14.5],
            [35.2, 11.7, 39.7, 15.7],
        ]
    )
    assert len(nms(boxes, torch.tensor([0.9, 0.9, 0.5, 0.5, 0.5, 0.4, 0.3]), 0.6)[1]) == 3
    flat = torch.tensor([[4.0, 3, 5, 3], [4, 3, 5, 4], [3, 1, 3, 1], [3, 1, 3, 1], [3, 1, 3, 1], [3, 1, 3, 1]])
    assert len(soft_nms(flat, torch.tensor([0.9, 0.9, 0.5, 0.5, 0.4, 0.0]), 0.6, sigma=0.5)[1]) == 5
