"""CenterNet's targets and losses against plain NumPy loops over cells and boxes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from psis_bench.models.centernet_head import StackedCenterNetHead
from psis_bench.models.centernet_losses import l1_at_places, penalty_reduced_focal_loss
from psis_bench.models.centernet_targets import centre_targets, gaussian_radius, gaussian_sigma

STRIDE, CLASSES, SIDE = 4, 3, 32
BOXES = [[2.0, 3.0, 20.0, 28.0], [3.0, 4.0, 19.0, 26.0], [0.0, 0.0, 31.0, 9.0], [25.0, 10.0, 32.0, 32.0]]
LABELS = [0, 0, 2, 0]


def sample(boxes: list[list[float]], labels: list[int], *, shape: tuple[int, int] = (SIDE, SIDE)) -> DetDataSample:
    data = DetDataSample(metainfo={"img_shape": shape})
    data.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.tensor(labels, dtype=torch.long)
    )
    return data


def targets_of(samples: list[DetDataSample]) -> Any:
    cells = (SIDE // STRIDE, SIDE // STRIDE)
    settings: dict[str, Any] = {"num_classes": CLASSES, "cells": cells, "stride": STRIDE, "min_overlap": 0.7}
    return centre_targets(samples, like=torch.zeros(1), **settings)


@pytest.mark.parametrize(("height", "width"), [(10.0, 10.0), (3.0, 40.0), (128.0, 97.5), (0.5, 0.25)])
@pytest.mark.parametrize("overlap", [0.3, 0.7])
def test_radius_is_a_times_the_greater_root_of_each_quadratic(height: float, width: float, overlap: float) -> None:
    s, p = height + width, height * width
    quadratics = [
        (1, -s, p * (1 - overlap) / (1 + overlap)),
        (4, -2 * s, (1 - overlap) * p),
        (4 * overlap, 2 * overlap * s, (overlap - 1) * p),
    ]
    expected = min(abc[0] * max(np.roots(abc).real) for abc in quadratics)
    found = gaussian_radius(torch.tensor([height]), torch.tensor([width]), min_overlap=overlap)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_radius_by_hand() -> None:
    """10 x 10 at 0.7: (-28 + sqrt(28^2 + 4 * 2.8 * 30)) / 2 = 2.733, sigma (2 * 2 + 1) / 6; a point has radius 0."""
    ten = torch.tensor([10.0])
    assert gaussian_radius(ten, ten, min_overlap=0.7).item() == pytest.approx((math.sqrt(1120) - 28) / 2, rel=1e-5)
    assert gaussian_sigma(ten, ten, min_overlap=0.7).item() == pytest.approx(5 / 6)
    assert gaussian_sigma(ten * 0, ten * 0, min_overlap=0.7).item() == pytest.approx(1 / 6)


def test_heat_maps_against_loops() -> None:
    found = targets_of([sample(BOXES, LABELS), sample([], [])])
    expected = np.zeros((2, CLASSES, 8, 8))
    for (x1, y1, x2, y2), label in zip(BOXES, LABELS, strict=True):
        height, width = (y2 - y1) / STRIDE, (x2 - x1) / STRIDE
        b, c = 1.4 * (height + width), 0.3 * height * width  # the smallest of the three for all these boxes
        sigma = (2 * math.floor((-b + math.sqrt(b * b + 4 * 2.8 * c)) / 2) + 1) / 6
        row, column = math.floor((y1 + y2) / 8), math.floor((x1 + x2) / 8)
        for y, x in np.ndindex(8, 8):
            value = math.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
            expected[0, label, y, x] = max(expected[0, label, y, x], value)
    assert np.allclose(found.heat.numpy(), expected, atol=1e-6)
    # Two boxes of class 0 share a cell.
    assert (found.heat == 1).sum(dim=(0, 2, 3)).tolist() == [2, 0, 1]


def test_places_sizes_and_offsets() -> None:
    found = targets_of([sample([], []), sample(BOXES, LABELS)])
    assert found.places.tolist() == [[1, 3, 2], [1, 3, 2], [1, 1, 3], [1, 5, 7]]
    assert found.sizes.tolist() == [[6.25, 4.5], [5.5, 4.0], [2.25, 7.75], [5.5, 1.75]]
    assert found.offsets.tolist() == [[0.875, 0.75], [0.75, 0.75], [0.125, 0.875], [0.25, 0.125]]


def test_a_box_without_width_on_the_last_edge_has_a_place() -> None:
    assert targets_of([sample([[32.0, 0.0, 32.0, 32.0]], [1])]).places.tolist() == [[0, 4, 7]]


def test_padding_is_not_valid() -> None:
    valid = targets_of([sample([], [], shape=(17, 32)), sample([], [], shape=(32, 4))]).valid[:, 0]
    assert valid[0].sum(dim=1).tolist() == [8, 8, 8, 8, 8, 0, 0, 0]
    assert valid[1].sum(dim=0).tolist() == [8, 0, 0, 0, 0, 0, 0, 0]


def focal(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    total = 0.0
    for place in np.ndindex(*logits.shape):
        p = min(max(1 / (1 + math.exp(-logits[place])), 1e-4), 1 - 1e-4)
        y = targets[place]
        loss = -((1 - p) ** 2) * math.log(p) if y == 1 else -((1 - y) ** 4) * p**2 * math.log(1 - p)
        total += loss * weights[place[0], 0, place[2], place[3]]
    return total


def test_focal_loss_against_loops() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=6, size=(2, CLASSES, 5, 4))  # some beyond the clip
    targets = generator.uniform(size=logits.shape)
    targets[0, 1, 2, 3] = targets[1, 0, 0, 0] = 1
    weights = generator.integers(0, 2, (2, 1, 5, 4)).astype(float)
    weights[0, 0, 2, 3] = 1
    given = [torch.tensor(values) for values in (logits, targets, weights)]
    found = penalty_reduced_focal_loss(*given, alpha=2.0, beta=4.0, clip=1e-4).item()
    assert found == pytest.approx(focal(logits, targets, weights), rel=1e-4)


def test_l1_at_places() -> None:
    maps = torch.arange(2 * 2 * 3 * 4, dtype=torch.float32).reshape(2, 2, 3, 4)
    places = torch.tensor([[0, 1, 2], [1, 2, 0], [1, 2, 0]])
    targets = torch.tensor([[6.5, 18.0], [32.0, 40.0], [30.0, 44.0]])
    # The maps hold (6, 18) and twice (32, 44).
    assert l1_at_places(maps, places, targets).item() == 0.5 + 0 + 0 + 4 + 2 + 0
    assert l1_at_places(maps, places[:0], targets[:0]).item() == 0


def head(**changes: Any) -> StackedCenterNetHead:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "in_channels": 5,
        "num_classes": CLASSES,
        "stacks": 2,
        "stride": STRIDE,
        "head_width": 6,
        "centre_bias": -2.19,
        "min_overlap": 0.7,
        "focal_alpha": 2.0,
        "focal_beta": 4.0,
        "probability_clip": 1e-4,
        "centre_weight": 1.0,
        "size_weight": 0.1,
        "offset_weight": 1.0,
        "max_detections": 100,
    }
    built = StackedCenterNetHead(**settings | changes)
    built.init_weights()
    return built


def test_losses_of_a_batch_are_means_over_stacks_and_boxes() -> None:
    module = head()
    features = [torch.rand(2, 5, 8, 8), torch.rand(2, 5, 8, 8)]
    samples = [sample(BOXES, LABELS), sample(BOXES[:1], [1], shape=(20, 32))]
    targets = targets_of(samples)
    expected = {"loss_centre": 0.0, "loss_size": 0.0, "loss_offset": 0.0}
    for stack in range(2):
        heat, sizes, offsets = (maps.detach().numpy() for maps in module(features[stack], stack))
        expected["loss_centre"] += focal(heat, targets.heat.numpy(), targets.valid.numpy()) / 2 / 5
        for (image, row, column), size, offset in zip(
            targets.places.tolist(), targets.sizes.numpy(), targets.offsets.numpy(), strict=True
        ):
            expected["loss_size"] += 0.1 * np.abs(sizes[image, :, row, column] - size).sum() / 2 / 5
            expected["loss_offset"] += np.abs(offsets[image, :, row, column] - offset).sum() / 2 / 5
    found = module.loss(features, samples)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, rel=1e-4)


def test_a_batch_without_boxes_reaches_every_parameter() -> None:
    module = head()
    losses = module.loss([torch.rand(1, 5, 8, 8)] * 2, [sample([], [])])
    assert losses["loss_size"].item() == losses["loss_offset"].item() == 0
    assert losses["loss_centre"].item() > 0
    sum(losses.values()).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name


def test_centres_start_with_their_bias() -> None:
    for heat in head().centre_heads:
        assert heat[-1].bias.tolist() == pytest.approx([-2.19] * CLASSES)
        assert not heat[0].bias.any()
