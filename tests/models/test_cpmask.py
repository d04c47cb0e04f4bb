"""CPMask: boundaries, affinities and attention held to NumPy, and what partial supervision must leave alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_model
from psis_bench.models.cpmask_branch import boundaries, pair_losses
from psis_bench.models.interface import is_mask_predictor

SIDE = 96
BOXES = [[4.0, 6.0, 40.0, 50.0], [30.0, 30.0, 90.0, 60.0], [50.0, 8.0, 80.0, 88.0]]


def build() -> Any:
    torch.manual_seed(0)
    choices = {"mask_head": None, "crop_source": None, "schedule": None, "iterations": None}
    model = MODELS.build(compose_model(model="cpmask/small", classes="abcd", **choices).model)
    model.init_weights()
    return model


def sample(boxes: list[list[float]], has_mask: list[bool]) -> DetDataSample:
    shapes = dict.fromkeys(("img_shape", "ori_shape", "batch_input_shape", "pad_shape"), (SIDE, SIDE))
    data = DetDataSample(metainfo={**shapes, "scale_factor": (1.0, 1.0)})
    masks = np.random.default_rng(len(boxes)).integers(0, 2, (len(boxes), SIDE, SIDE)).astype(np.uint8)
    data.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.arange(len(boxes)),
        masks=BitmapMasks(masks, SIDE, SIDE),
        has_mask=torch.tensor(has_mask, dtype=torch.bool),
    )
    data.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    return data


def test_boundaries_of_a_square_and_at_the_edge() -> None:
    mask = torch.zeros(2, 6, 6)
    mask[0, 2:4, 2:4] = 0.7  # all four of its cells, and the eight that touch one from a side
    mask[1, :, :2] = 1  # beyond the left, upper and lower edge is outside
    found = boundaries(mask)
    plus = np.zeros((6, 6))
    plus[2:4, 1:5] = plus[1:5, 2:4] = 1
    np.testing.assert_array_equal(found[0], plus)
    left = np.zeros((6, 6))
    left[:, :3] = 1
    np.testing.assert_array_equal(found[1], left)


def test_boundaries_are_where_a_neighbour_differs() -> None:
    mask = torch.rand(1, 7, 5, generator=torch.manual_seed(0))
    inside = np.pad(mask[0].numpy() >= 0.5, 1)
    wanted = np.zeros((7, 5))
    for y in range(7):
        for x in range(5):
            near = (inside[y, x + 1], inside[y + 2, x + 1], inside[y + 1, x], inside[y + 1, x + 2])
            wanted[y, x] = any(side != inside[y + 1, x + 1] for side in near)
    np.testing.assert_array_equal(boundaries(mask)[0], wanted)


def test_pairs_inside_and_across_count_one_half_each() -> None:
    generator = torch.manual_seed(0)
    affinity = torch.randn(3, 9, 9, generator=generator)
    inside = torch.rand(3, 9, generator=generator) > 0.5
    inside[1], inside[2] = True, False  # no background, and no instance
    found = pair_losses(affinity, inside).numpy()
    for place, wanted in enumerate(found):
        probability = 1 / (1 + np.exp(-affinity[place].double().numpy()))
        alike = [
            -np.log(probability[i, j]) for i in range(9) for j in range(9) if inside[place, i] and inside[place, j]
        ]
        apart = [
            -np.log(1 - probability[i, j])
            for i in range(9)
            for j in range(9)
            if inside[place, i] and not inside[place, j]
        ]
        means = [np.mean(each) for each in (alike, apart) if each]
        assert wanted == pytest.approx(np.mean(means) if means else 0.0, rel=1e-5)


def test_attention_gathers_the_values_of_alike_cells() -> None:
    branch = build().mask_branch.eval()
    width = branch.embed.in_channels
    features = torch.rand(2, width, 3, 3)
    torch.nn.init.normal_(branch.attended.weight)
    with torch.no_grad():
        affinity = branch.affinities(features)
        found = branch.attend(features, affinity).numpy()
    torch.testing.assert_close(affinity, affinity.transpose(1, 2))

    def layer(conv: Any, cells: np.ndarray) -> np.ndarray:
        return cells @ conv.weight.detach().numpy()[:, :, 0, 0].T + conv.bias.detach().numpy()

    cells = features.numpy().reshape(2, width, 9).transpose(0, 2, 1)
    embedded = layer(branch.embed, cells)
    products = embedded @ embedded.transpose(0, 2, 1) / np.sqrt(embedded.shape[2])
    np.testing.assert_allclose(affinity.numpy(), products, atol=1e-4)
    shares = np.exp(products - products.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    wanted = layer(branch.attended, shares @ layer(branch.value, cells)).transpose(0, 2, 1).reshape(2, width, 3, 3)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_attention_adds_nothing_at_first() -> None:
    branch = build().mask_branch
    features = torch.rand(1, branch.embed.in_channels, 4, 4)
    assert not branch.attend(features, branch.affinities(features)).any()


def test_only_instances_with_a_mask_count() -> None:
    """Another mask in the place of a missing one changes nothing."""
    losses = []
    for filling in (0, 1):
        model = build().train()
        given = sample(BOXES, [True, False, True])
        given.gt_instances.masks.masks[1] = filling
        losses.append(model.loss(torch.ones(1, 3, SIDE, SIDE), [given]))
    for name in ("loss_mask", "loss_boundary", "loss_affinity"):
        assert torch.equal(losses[0][name], losses[1][name])
        assert losses[0][name] > 0


@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(boxes: list[list[float]]) -> None:
    model = build().train()
    batch = [sample(boxes, [False] * len(boxes))] * 2
    total, losses = model.parse_losses(model.loss(torch.randn(2, 3, SIDE, SIDE), batch))
    total.backward()
    assert losses["loss_mask"] == losses["loss_boundary"] == losses["loss_affinity"] == 0
    for name, parameter in model.mask_branch.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


def test_masks_on_given_and_found_boxes() -> None:
    model = build().eval()
    assert is_mask_predictor(model)
    given = sample([], [])
    given.set_metainfo({"ori_shape": (SIDE // 2, SIDE // 2), "scale_factor": (2.0, 2.0)})
    boxes = torch.tensor(BOXES) / 2
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        (crops,) = model.masks_on_boxes(features, [given], [boxes])
        wanted = model.mask_branch(features, bbox2roi([boxes * 2])).mask.sigmoid()
        assert model.masks_on_boxes(features, [given], [boxes[:0]])[0].shape == (0, 28, 28)
        (found,) = model.detect(features, [given])
    torch.testing.assert_close(crops, wanted)
    assert crops.shape == (3, 28, 28)
    assert len(found.mask_crops) == len(found.bboxes)
    assert model.mask_frames(boxes, SIDE, SIDE) is boxes
