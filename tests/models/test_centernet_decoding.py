"""Decoding heat maps that are made by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from psis_bench.models.centernet_decoding import decode, peaks

CLASSES, HEIGHT, WIDTH = 3, 6, 8


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def maps(points: dict[tuple[int, int, int], float]) -> tuple[Tensor, Tensor, Tensor]:
    heat = torch.full((CLASSES, HEIGHT, WIDTH), logit(0.01))
    for place, probability in points.items():
        heat[place] = logit(probability)
    return heat, torch.full((2, HEIGHT, WIDTH), 2.0), torch.full((2, HEIGHT, WIDTH), 0.25)


def test_peaks_are_boxes_in_the_order_of_their_scores() -> None:
    heat, sizes, offsets = maps({(2, 4, 6): 0.5, (0, 1, 3): 0.9, (0, 1, 4): 0.8})
    sizes[:, 1, 3] = torch.tensor([1.5, 3.0])  # height, width
    offsets[:, 1, 3] = torch.tensor([0.5, 0.75])  # y, x
    found = decode(heat, sizes, offsets, max_detections=2)
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])
    assert found.labels.tolist() == [0, 2]  # the second highest score is beside the highest and no peak
    assert found.boxes.tolist() == [[2.25, 0.75, 5.25, 2.25], [5.25, 3.25, 7.25, 5.25]]


def test_no_suppression_between_classes_or_of_near_boxes() -> None:
    heat, sizes, offsets = maps({(0, 2, 2): 0.9, (1, 2, 2): 0.8, (0, 2, 4): 0.7})
    found = decode(heat, sizes, offsets, max_detections=3)
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert found.labels.tolist() == [0, 1, 0]


def test_equal_neighbours_are_both_peaks() -> None:
    heat, *_ = maps({(0, 2, 2): 0.9, (0, 2, 3): 0.9})
    assert (peaks(heat.sigmoid())[0] > 0.5).sum() == 2


def test_boxes_are_cut_off_at_the_map_and_negative_sizes_are_none() -> None:
    heat, sizes, offsets = maps({(0, 0, 0): 0.9, (1, 5, 7): 0.8, (2, 3, 3): 0.7})
    sizes[:, 3, 3] = -4.0
    found = decode(heat, sizes, offsets, max_detections=3)
    assert found.boxes.tolist() == [[0, 0, 1.25, 1.25], [6.25, 4.25, 8, 6], [3.25, 3.25, 3.25, 3.25]]


def test_there_are_at_most_as_many_detections_as_peaks() -> None:
    heat, sizes, offsets = maps({})
    heat[:] = torch.arange(heat.numel()).reshape(heat.shape) / 100  # one peak a class, in its last corner
    found = decode(heat, sizes, offsets, max_detections=100)
    assert found.labels.tolist() == [2, 1, 0]
    assert decode(heat, sizes, offsets, max_detections=1).labels.tolist() == [2]
