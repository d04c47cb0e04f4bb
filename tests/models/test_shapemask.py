"""ShapeMask: prior, instance conditioning and losses held to NumPy, and what partial supervision must leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from psis_bench.data.shape_priors import ShapePriors, write_priors
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.box_frames import reframed
from psis_bench.models.compose import compose_model
from psis_bench.models.interface import is_mask_predictor
from psis_bench.models.mask_loss import soft_mask_targets
from psis_bench.models.paste import paste_crop
from psis_bench.models.shapemask_branch import mean_inside, over_foreground

SIDE = 96
BOXES = [[4.0, 6.0, 40.0, 50.0], [30.0, 30.0, 90.0, 60.0], [50.0, 8.0, 80.0, 88.0]]
DRAWN = np.random.default_rng(0).random((20, 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def priors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("priors") / "priors.npz"
    write_priors(path, ShapePriors(priors=DRAWN, provenance={}))
    return path


def build(priors: Path | None = None) -> Any:
    torch.manual_seed(0)
    choices = {"mask_head": "resnet4", "crop_source": None, "schedule": None, "iterations": None}
    config = compose_model(model="shapemask/small", classes="abcd", **choices)
    config.model.mask_branch.priors = None if priors is None else str(priors)
    model = MODELS.build(config.model)
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


def test_the_prior_is_the_blend_of_the_priors_in_the_box(priors: Path) -> None:
    branch = build(priors).mask_branch.eval()
    np.testing.assert_array_equal(branch.priors.numpy(), DRAWN)
    instance = torch.rand(3, branch.classify_prior.in_features, 32, 32)
    boxes = torch.tensor(BOXES)
    outer = branch.frames(boxes, SIDE, SIDE)
    with torch.no_grad():
        found = branch.blend_priors(instance, boxes, outer).numpy()
    inside = reframed(torch.ones(3, 32, 32), boxes, outer, 32).numpy()
    embedding = (instance.numpy() * inside[:, None]).mean(axis=(2, 3))
    scores = embedding @ branch.classify_prior.weight.detach().numpy().T + branch.classify_prior.bias.detach().numpy()
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    blend = (shares[:, :, None, None] * DRAWN[None]).sum(axis=1).astype(np.float32)
    np.testing.assert_allclose(found, reframed(torch.from_numpy(blend), boxes, outer, 32).numpy(), atol=1e-5)


def test_instances_are_conditioned_on_the_mean_inside_the_coarse_mask() -> None:
    features, logits = torch.rand(2, 5, 6, 6), torch.randn(2, 1, 6, 6)
    logits[1] = -1
    found = mean_inside(features, logits)
    inside = logits[0, 0] > 0
    np.testing.assert_allclose(found[0, :, 0, 0], features[0].numpy()[:, inside.numpy()].mean(axis=1), rtol=1e-5)
    assert not found[1].any()


def test_losses_are_sums_over_foreground_pixels() -> None:
    losses, targets = torch.rand(2, 4, 4), (torch.rand(2, 4, 4) > 0.5).float()
    wanted = losses.numpy().sum() / (targets.numpy().sum() + 0.001)
    assert over_foreground(losses, targets).item() == pytest.approx(wanted, rel=1e-5)


def test_eight_boxes_of_instances_with_a_mask(priors: Path) -> None:
    branch = build(priors).mask_branch
    instances = sample(BOXES * 5, [True, False, False] * 5).gt_instances
    chosen, boxes = branch.training_boxes(instances, torch.zeros(1))
    assert len(chosen) == len(boxes) == 8
    assert set(chosen.tolist()) <= {0, 3, 6, 9, 12}
    assert set(np.bincount(chosen, minlength=15)[::3].tolist()) <= {1, 2}  # five instances share eight places
    draws = torch.cat([branch.training_boxes(instances, torch.zeros(1))[1] for _ in range(300)])
    centres = ((draws[:, :2] + draws[:, 2:]) / 2 - torch.tensor([22.0, 28.0])) / torch.tensor([36.0, 44.0])
    growth = ((draws[:, 2:] - draws[:, :2]) / torch.tensor([36.0, 44.0])).log()
    for values in (centres, growth):
        assert values.mean().abs() < 0.002
        assert values.std().item() == pytest.approx(0.025, rel=0.05)


def test_only_instances_with_a_mask_count(priors: Path) -> None:
    """Another mask in the place of a missing one changes nothing."""
    losses = []
    for filling in (0, 1):
        model = build(priors).train()
        given = sample(BOXES, [True, False, True])
        given.gt_instances.masks.masks[1] = filling
        torch.manual_seed(1)
        losses.append(model.loss(torch.randn(1, 3, SIDE, SIDE), [given]))
    for name in ("loss_prior", "loss_coarse", "loss_mask"):
        assert torch.equal(losses[0][name], losses[1][name])
        assert losses[0][name] > 0


@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(boxes: list[list[float]]) -> None:
    model = build().train()
    batch = [sample(boxes, [False] * len(boxes))] * 2
    total, losses = model.parse_losses(model.loss(torch.randn(2, 3, SIDE, SIDE), batch))
    total.backward()
    assert losses["loss_mask"] == losses["loss_coarse"] == losses["loss_prior"] == 0
    for name, parameter in model.mask_branch.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


def test_masks_cover_the_box_with_its_margin(priors: Path) -> None:
    model = build(priors).eval()
    assert is_mask_predictor(model)
    given = sample([], [])
    given.set_metainfo({"ori_shape": (SIDE // 2, SIDE // 2), "scale_factor": (2.0, 2.0)})
    boxes = torch.tensor(BOXES) / 2
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        (crops,) = model.masks_on_boxes(features, [given], [boxes])
        model.mask_branch.boxes_at_once = 1
        (one_by_one,) = model.masks_on_boxes(features, [given], [boxes])
        assert model.masks_on_boxes(features, [given], [boxes[:0]])[0].shape == (0, 128, 128)
        (found,) = model.detect(features, [given])
        stages = model.mask_branch(
            features, bbox2roi([boxes * 2]), bbox2roi([model.mask_frames(boxes, SIDE // 2, SIDE // 2) * 2])
        )
    assert crops.shape == (3, 128, 128)
    torch.testing.assert_close(crops, stages.fine.sigmoid())
    torch.testing.assert_close(crops, one_by_one, atol=1e-5, rtol=1e-4)
    assert len(found.mask_crops) == len(found.bboxes)


def test_a_target_pasted_is_the_mask() -> None:
    """Targets, masks and their frames belong together, also where the margin leaves the image."""
    y, x = np.mgrid[:SIDE, :SIDE]
    masks = np.stack([(x - 20) ** 2 / 300 + (y - 70) ** 2 / 500 < 1, (x + y) % 60 < 25]).astype(np.uint8)
    boxes = torch.tensor([[2.0, 47.0, 38.0, 93.0], [0.0, 0.0, 96.0, 96.0]])
    branch = build().mask_branch
    frames = branch.frames(boxes, SIDE, SIDE)
    targets = soft_mask_targets(BitmapMasks(masks, SIDE, SIDE), frames, torch.arange(2), 128)
    for mask, target, frame in zip(masks, targets, frames.tolist(), strict=True):
        placed = paste_crop(target.numpy(), tuple(frame), height=SIDE, width=SIDE)
        found = np.zeros_like(mask)
        rows, columns = placed.mask.shape
        found[placed.y : placed.y + rows, placed.x : placed.x + columns] = placed.mask
        assert (found & mask).sum() / (found | mask).sum() > 0.98
