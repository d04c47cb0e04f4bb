"""What the mask branch gives its trunk, in which order, and where in the feature map it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import Tensor, nn

from psis_bench.models.deep_mac_branch import DeepMacMaskBranch, coordinate_embedding, embedding_at_centres
from psis_bench.models.mask_loss import soft_mask_targets

STRIDE, SIZE = 4, 6
PLAIN = {"type": "ConvTrunk", "num_init_channels": 4, "width": 1, "convs": 1, "norm_type": None}


def branch(**changes: Any) -> DeepMacMaskBranch:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "in_channels": 5,
        "trunk": PLAIN,
        "stride": STRIDE,
        "crop_size": SIZE,
        "pixel_embedding": 3,
        "instance_embedding": 7,
        "use_coordinates": True,
        "head_width": 8,
        "samples_per_bin": 2,
        "forward_all_boxes": True,
        "loss_weight": 5.0,
    }
    return DeepMacMaskBranch(**settings | changes)


def trunk_input(module: DeepMacMaskBranch, feature: Tensor, rois: Tensor) -> Tensor:
    """Run the branch and return what its trunk was given."""
    seen: list[Tensor] = []
    handle = module.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module(feature, rois)
    handle.remove()
    return seen[0]


def sample(boxes: list[list[float]], has_mask: list[bool], *, seed: int = 0, side: int = 32) -> DetDataSample:
    masks = np.random.default_rng(seed).integers(0, 2, (len(boxes), side, side)).astype(np.uint8)
    data = DetDataSample()
    data.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        masks=BitmapMasks(masks, side, side),
        has_mask=torch.tensor(has_mask, dtype=torch.bool),
    )
    return data


def test_shapes_with_several_images_and_without_boxes() -> None:
    rois = torch.tensor([[0, 1.0, 2, 9, 9], [1, 0, 0, 31, 20], [1, 4, 4, 6, 30]])
    assert branch()(torch.rand(2, 5, 8, 8), rois).shape == (3, SIZE, SIZE)
    assert branch()(torch.rand(2, 5, 8, 8), rois[:0]).shape == (0, SIZE, SIZE)


def test_order_of_the_channels() -> None:
    module = branch()
    feature = torch.rand(1, 5, 8, 8)
    given = trunk_input(module, feature, torch.tensor([[0, 4.0, 8.0, 20.0, 24.0]]))[0]
    assert given.shape == (2 + 3 + 7, SIZE, SIZE)
    line = torch.tensor([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])
    assert torch.allclose(given[0], line[:, None].expand(SIZE, SIZE), atol=1e-6)  # y: one value a row
    assert torch.allclose(given[1], line[None, :].expand(SIZE, SIZE), atol=1e-6)
    assert (given[2:5].std(dim=(1, 2)) > 0).all()
    # Centre (12, 16) in a map of stride 4.
    vector = module.instance_heads[0](feature)[0, :, 4, 3]
    assert torch.allclose(given[5:], vector[:, None, None].expand(-1, SIZE, SIZE), atol=1e-6)


@pytest.mark.parametrize(("coordinates", "instance"), [(False, 7), (True, 0), (False, 0)])
def test_parts_can_be_left_out(coordinates: bool, instance: int) -> None:
    module = branch(use_coordinates=coordinates, instance_embedding=instance)
    given = trunk_input(module, torch.rand(1, 5, 8, 8), torch.tensor([[0, 1.0, 1.0, 20.0, 24.0]]))
    assert given.shape[1] == module.trunk.in_channels == 2 * coordinates + 3 + instance


def test_crops_lie_where_the_box_is() -> None:
    """On a map that is linear in x and y, the average over a cell is the value at its centre."""
    module = branch(use_coordinates=False, instance_embedding=0, pixel_embedding=2)
    module.pixel_heads[0] = nn.Identity()
    module.trunk = nn.Identity()
    module.logits = nn.Identity()
    places = (torch.arange(16) + 0.5) * STRIDE  # centres of the map's cells in input pixels
    feature = torch.stack([places[None, :].expand(16, 16), places[:, None].expand(16, 16)])[None]
    x1, y1, x2, y2 = 7.3, 11.9, 41.2, 50.6
    seen: list[Tensor] = []
    module.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module(feature, torch.tensor([[0, x1, y1, x2, y2]]))
    cells = (torch.arange(SIZE) + 0.5) / SIZE
    assert torch.allclose(seen[0][0, 0], (x1 + cells * (x2 - x1))[None, :].expand(SIZE, SIZE), atol=1e-3)
    assert torch.allclose(seen[0][0, 1], (y1 + cells * (y2 - y1))[:, None].expand(SIZE, SIZE), atol=1e-3)


def test_embedding_is_taken_at_truncated_centres() -> None:
    columns, rows = 10, 6
    grid = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")).float()
    embedding = torch.stack([grid, grid + 100])
    rois = torch.tensor(
        [
            [0, 0.0, 0.0, 15.9, 15.9],  # centre 7.95: cell 1, not 2
            [1, 0.0, 0.0, 16.0, 24.0],  # centre (8, 12)
            [0, 30.0, 10.0, 50.0, 40.0],  # centre (40, 25): one beyond the last column and row
            [1, -20.0, -9.0, 2.0, 1.0],
        ]
    )
    found = embedding_at_centres(embedding, rois, STRIDE).tolist()
    assert found == [[1, 1], [103, 102], [5, 9], [100, 100]]


def test_coordinates_of_other_sizes() -> None:
    for size in (2, 32):
        expected = np.linspace(-1, 1, size)
        found = coordinate_embedding(size, torch.zeros(1)).numpy()
        assert np.allclose(found[0], np.repeat(expected[:, None], size, 1), atol=1e-6)
        assert np.allclose(found[1], np.repeat(expected[None], size, 0), atol=1e-6)


def test_loss_is_that_of_the_masks_there_are() -> None:
    boxes = [[2.0, 3.0, 20.0, 28.0], [5.0, 5.0, 12.0, 30.0], [0.0, 0.0, 31.0, 9.0]]
    samples = [sample(boxes, [True, False, True]), sample([], []), sample(boxes[:1], [True], seed=1)]
    feature = torch.rand(3, 5, 8, 8)
    losses = [branch(forward_all_boxes=every).loss([feature], samples)["loss_mask"] for every in (True, False)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    only = [sample([boxes[0], boxes[2]], [True, True]), samples[1], samples[2]]
    only[0].gt_instances.masks = samples[0].gt_instances.masks[[0, 2]]
    assert branch().loss([feature], only)["loss_mask"].item() == pytest.approx(losses[0].item(), rel=1e-6)
    assert branch(loss_weight=1.0).loss([feature], samples)["loss_mask"].item() == pytest.approx(losses[0].item() / 5)


def test_a_dice_loss_stands_beside_the_cross_entropy() -> None:
    samples = [sample([[2.0, 3.0, 20.0, 28.0], [5.0, 5.0, 12.0, 30.0]], [True, True])]
    feature = torch.rand(1, 5, 8, 8)
    without, both = (branch(dice_weight=weight).loss([feature], samples) for weight in (0.0, 3.0))
    assert set(without) == {"loss_mask"}
    assert both["loss_mask"].item() == without["loss_mask"].item()
    instances = samples[0].gt_instances
    boxes = getattr(instances.bboxes, "tensor", instances.bboxes)
    found = branch()(feature, torch.cat([torch.zeros(2, 1), boxes], dim=1)).sigmoid().detach().numpy().astype(float)
    wanted = soft_mask_targets(instances.masks, boxes, torch.arange(2), found.shape[1]).numpy().astype(float)
    dice = [(2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1) for p, t in zip(found, wanted, strict=True)]
    assert both["loss_dice"].item() == pytest.approx(3 * (1 - np.mean(dice)), rel=1e-5)


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("boxes", [[], [[2.0, 3.0, 20.0, 28.0]]])
def test_a_batch_without_masks_reaches_every_parameter_with_zero(every: bool, boxes: list[list[float]]) -> None:
    module = branch(forward_all_boxes=every)
    feature = torch.rand(1, 5, 8, 8, requires_grad=True)
    loss = module.loss([feature], [sample(boxes, [False] * len(boxes))])["loss_mask"]
    loss.backward()
    assert loss.item() == 0
    assert feature.grad is not None
    assert not feature.grad.any()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name
