"""Samples of three boxes, and small models with RoI heads to give them to."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import Tensor

from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_model

SIDE = 96
BOXES = [[4.0, 6.0, 40.0, 50.0], [30.0, 30.0, 90.0, 60.0], [50.0, 8.0, 80.0, 88.0]]


def build(model: str, *, mask_head: str = "resnet4", classes: str = "abcd", **changes: Any) -> Any:
    """Return a model with its initial weights; ``changes`` are of its mask head."""
    torch.manual_seed(0)
    choices = dict.fromkeys(("crop_source", "schedule", "iterations"))
    config = compose_model(model=model, mask_head=mask_head, classes=classes, **choices)
    config.model.roi_head.mask_head.update(changes)
    built = MODELS.build(config.model)
    built.init_weights()
    return built


def sample(boxes: list[list[float]], has_mask: list[bool]) -> DetDataSample:
    """Return boxes with random masks, of classes 0, 1, 2 and so on."""
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


def roi_losses(model: Any, given: DetDataSample, *, shift: float = 2.0) -> dict[str, Tensor]:
    """Return the losses of the RoI head on one random image, with the boxes of ``given`` moved as proposals."""
    features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
    boxes = torch.cat([given.gt_instances.bboxes + shift, torch.tensor([[0.0, 90.0, 6.0, 96.0]])])
    losses: dict[str, Tensor] = model.roi_head.loss(
        features, [InstanceData(bboxes=boxes, scores=torch.ones(len(boxes)))], [given]
    )
    return losses


def check_a_batch_without_masks(model: Any, boxes: list[list[float]]) -> None:
    """Hold that such a batch has no mask loss and gives every parameter of the mask head a gradient, of zeros."""
    model.train()
    given = [sample(boxes, [False] * len(boxes))] * 2
    total, losses = model.parse_losses(model.loss(torch.randn(2, 3, SIDE, SIDE), given))
    total.backward()
    assert losses["loss_mask"] == 0
    for name, parameter in model.roi_head.mask_head.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name
