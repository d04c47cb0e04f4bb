"""Mask^X R-CNN: predicted weights against NumPy, what learns from the mask loss and what must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from roi_samples import BOXES, SIDE, build, check_a_batch_without_masks, roi_losses, sample
from torch import Tensor, nn

from psis_bench.models.mask_x_rcnn import MaskXHead, detection_weights

MODEL = "mask_x_rcnn/small"


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def transferred(head: Any, bbox_head: Any) -> np.ndarray:
    """Return the predicted weights (C, D), computed class by class."""
    first, second = head.transfer.first, head.transfer.second
    scores, boxes = numbers(bbox_head.fc_cls.weight), numbers(bbox_head.fc_reg.weight)
    rows = []
    for label in range(bbox_head.num_classes):
        known = np.concatenate([scores[label], *(boxes[4 * label + side] for side in range(4))])
        hidden = numbers(first.weight) @ known + numbers(first.bias)
        hidden = np.where(hidden > 0, hidden, 0.1 * hidden)
        rows.append(numbers(second.weight) @ hidden + numbers(second.bias))
    return np.stack(rows)


def test_masks_are_those_of_numpy() -> None:
    model = build(MODEL)
    head, bbox_head = model.roi_head.mask_head, model.roi_head.bbox_head
    # As they start, nothing of this is large enough to tell right from wrong.
    for layer in (bbox_head.fc_cls, bbox_head.fc_reg, head.branch, head.transfer.first, head.transfer.second):
        nn.init.normal_(layer.weight, std=0.1)
        nn.init.normal_(layer.bias)
    wanted = transferred(head, bbox_head)
    labels = torch.tensor([2, 0, 3, 2])
    weights = model.roi_head.condition((), torch.zeros(4, 5), labels, None)
    assert np.allclose(numbers(weights), wanted[labels], atol=1e-4)
    assert np.ptp(wanted, axis=0).min() > 1e-3  # classes differ

    features: list[Tensor] = []
    head.norm.register_forward_hook(lambda _, __, upsampled: features.append(upsampled.relu()))
    width = model.roi_head.mask_roi_extractor.out_channels
    logits = head.eval().logits_given(torch.randn(4, width, 16, 16), weights)
    maps = numbers(features[0])
    branch = numbers(head.branch.weight) @ maps.reshape(4, -1).T + numbers(head.branch.bias)[:, None]
    of_class = np.stack([np.tensordot(wanted[label], own, axes=1) for label, own in zip(labels, maps, strict=True)])
    assert logits.shape == (4, 1, 32, 32)
    assert np.allclose(numbers(logits)[:, 0], of_class + branch.T.reshape(4, 32, 32), atol=1e-3)


def test_the_mask_loss_does_not_reach_the_detection_weights() -> None:
    model = build(MODEL)
    mask_loss = roi_losses(model, sample(BOXES, [True, False, True]))["loss_mask"]
    mask_loss.backward()
    for name, parameter in model.roi_head.bbox_head.named_parameters():
        assert parameter.grad is None or not parameter.grad.any(), name
    for name, parameter in model.roi_head.mask_head.named_parameters():
        assert parameter.grad.any(), name
    assert model.backbone.conv1.weight.grad.any()  # through the crops
    assert not detection_weights(model.roi_head.bbox_head).requires_grad


def test_the_weights_of_classes_without_masks_learn_nothing() -> None:
    model = build(MODEL)
    predicted: list[Tensor] = []
    model.roi_head.mask_head.transfer.register_forward_hook(lambda _, __, weights: predicted.append(weights))
    given = sample(BOXES, [True, False, True])
    given.gt_instances.labels = torch.tensor([2, 1, 0])
    mask_loss = roi_losses(model, given)["loss_mask"]
    (gradients,) = torch.autograd.grad(mask_loss, predicted)
    # The instance of class 1 has no mask, and there is none of class 3.
    assert gradients.any(dim=1).tolist() == [True, False, True, False]


def test_a_detection_and_a_given_box_have_the_mask_of_the_class_that_the_box_head_sees() -> None:
    model = build(MODEL).eval()
    roi_head = model.roi_head
    roi_head.test_cfg.score_thr = 0.0
    head = roi_head.mask_head
    # Features of ones, no branch, and weights that make the mask of label k (k + 1) / 10 everywhere.
    for layer, bias in ((head.upsample, 1.0), (head.branch, 0.0), (head.transfer.second, 0.0)):
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, bias)
    width = head.upsample.out_channels
    table = torch.logit(torch.tensor([0.1, 0.2, 0.3, 0.4]))[:, None].expand(-1, width) / width
    head.transfer.register_forward_hook(lambda *_: table)
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        found = model.detect(features, [sample([], [])])[0]
        assert len(set(found.labels.tolist())) > 1
        assert torch.allclose(found.mask_crops[:, 5, 7], (found.labels + 1) / 10, atol=1e-5)
        roi_head.bbox_head.fc_cls.bias.data = torch.tensor([0.0, 0.0, 50.0, 0.0, 90.0])
        crops, none = model.masks_on_boxes(features, [sample([], [])] * 2, [torch.tensor(BOXES), torch.zeros(0, 4)])
        assert torch.allclose(crops, torch.tensor(0.3))
        assert len(none) == 0


@pytest.mark.parametrize("crop_source", ["proposals+gt", "gt"])
@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(crop_source: str, boxes: list[list[float]]) -> None:
    model = build(MODEL)
    model.roi_head.crop_source = crop_source
    check_a_batch_without_masks(model, boxes)


def test_no_detections() -> None:
    model = build(MODEL).eval()
    model.roi_head.test_cfg.score_thr = 1.1
    with torch.inference_mode():
        found = model.detect(model.extract_feat(torch.randn(1, 3, SIDE, SIDE)), [sample([], [])])[0]
    assert len(found) == len(found.mask_crops) == 0


def test_a_box_head_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="the box head has 640 weights a class, the mask head is made for 500"):
        build(MODEL, detection_features=100)


def test_the_sizes_of_the_paper() -> None:
    """5120 to 256 to 256, and 28 * 28 * 256 to 28 * 28."""
    trunk = {"type": "ConvTrunk", "num_init_channels": 64, "width": 4, "convs": 4, "norm_type": None}
    sizes = {"upsample_channels": 256, "roi_size": 14, "detection_features": 1024, "hidden_features": 256}
    with torch.device("meta"):
        head = MaskXHead(in_channels=256, trunk=trunk, negative_slope=0.1, **sizes)
    assert sum(parameter.numel() for parameter in head.transfer.parameters()) == 1_376_768
    assert sum(parameter.numel() for parameter in head.branch.parameters()) == 157_352_720
