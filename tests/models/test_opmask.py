"""OPMask: activation maps against NumPy and against the score that they explain, and whose map a crop is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import bbox2roi
from roi_samples import BOXES, SIDE, build, check_a_batch_without_masks, roi_losses, sample
from torch import Tensor, nn

from psis_bench.models.opmask import scaled

MODEL = "opmask/small"


def test_a_map_is_what_each_place_adds_to_the_score() -> None:
    head = build(MODEL).roi_head.bbox_head.eval()
    nn.init.normal_(head.fc_cls.weight)
    nn.init.normal_(head.fc_cls.bias)
    labels = torch.tensor([3, 0, 0, 2, 1])
    scores, boxes, features = head.with_features(torch.randn(5, head.convs[0].in_channels, 7, 7))
    assert (scores.shape, boxes.shape) == ((5, 5), (5, 16))
    maps = head.activation_maps(features, labels)
    assert maps.shape == (5, 1, 7, 7)
    weights, places = head.fc_cls.weight.detach().double().numpy(), features.detach().double().numpy()
    for found, label, score, own in zip(maps, labels, scores, places, strict=True):
        wanted = np.tensordot(weights[label], own, axes=1)
        assert np.allclose(found[0].detach(), wanted, atol=1e-4)
        # The mean of a class's map is its score but for the bias: the map explains the score and nothing else.
        assert wanted.mean() + head.fc_cls.bias[label].item() == pytest.approx(score[label].item(), abs=1e-4)


def test_maps_are_scaled_one_by_one() -> None:
    maps = torch.stack([torch.full((1, 2, 2), 5.0), torch.tensor([[[-4.0, 0.0], [2.0, 4.0]]])])
    assert torch.equal(scaled(maps), torch.tensor([[[[0.0, 0.0], [0.0, 0.0]]], [[[0.0, 0.5], [0.75, 1.0]]]]))


def test_the_map_is_added_to_every_channel_of_the_crop() -> None:
    roi_head = build(MODEL).roi_head
    head, width = roi_head.mask_head.eval(), roi_head.mask_roi_extractor.out_channels
    given: list[Tensor] = []
    head.trunk.register_forward_pre_hook(lambda _, crops: given.append(crops[0]))
    crops, maps = torch.randn(2, width, 14, 14), torch.zeros(2, 1, 7, 7)
    maps[1, 0, :, 3:] = 20.0
    head.logits_given(crops, maps)
    added = given[0] - crops
    assert torch.equal(added[0], torch.zeros(width, 14, 14))
    assert torch.allclose(added[1], added[1, :1].expand(width, -1, -1), atol=1e-6)
    # Half-pixel bilinear: column 5 of 14 lies between columns 2 and 3 of 7, a quarter of the way.
    assert torch.allclose(added[1, 0, 4], torch.tensor([0.0] * 5 + [0.25, 0.75] + [1.0] * 7), atol=1e-6)


def test_the_mask_loss_reaches_the_box_features_but_not_the_scores() -> None:
    model = build(MODEL).train()
    roi_losses(model, sample(BOXES, [True, False, True]))["loss_mask"].backward()
    bbox_head = model.roi_head.bbox_head
    for layer in (bbox_head.fc_cls, bbox_head.fc_reg):
        assert layer.weight.grad is None or not layer.weight.grad.any()
    assert bbox_head.convs[0].conv.weight.grad.any()


def conditions(model: Any) -> list[tuple[Tensor, Tensor, Tensor | None, Tensor]]:
    """Return a list that fills with the rois, labels, known features and maps of each crop as they are computed."""
    seen: list[Any] = []
    compute = model.roi_head.condition

    def record(x: Any, rois: Tensor, labels: Tensor, known: Tensor | None) -> Tensor:
        maps = compute(x, rois, labels, known)
        seen.append((rois, labels, known, maps))
        return maps

    model.roi_head.condition = record
    return seen


def test_in_training_a_crop_has_the_map_of_its_ground_truth_class() -> None:
    model = build(MODEL).eval()  # batch norm as it is: features of a box do not depend on the other boxes
    seen = conditions(model)
    given = sample(BOXES, [True, False, True])
    given.gt_instances.labels = torch.tensor([2, 1, 3])
    features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
    model.extract_feat = lambda _: features
    roi_losses(model, given)
    ((rois, labels, known, maps),) = seen
    nearest = torch.cdist(rois[:, 1:], given.gt_instances.bboxes).argmin(dim=1)
    assert labels.tolist() == given.gt_instances.labels[nearest].tolist()
    assert len(rois) > len(BOXES)
    again = model.roi_head._bbox_forward(features, rois)["bbox_feats"]
    assert torch.allclose(known, again, atol=1e-5)
    assert torch.allclose(maps, model.roi_head.bbox_head.activation_maps(again, labels), atol=1e-3)


def test_in_prediction_it_is_the_map_of_the_class_that_the_box_head_sees() -> None:
    model = build(MODEL).eval()
    model.roi_head.test_cfg.score_thr = 0.0
    seen = conditions(model)
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        found = model.detect(features, [sample([], [])])[0]
        rois, labels, known, _ = seen.pop()
        assert 0 < len(found) == len(found.mask_crops)
        assert labels.tolist() == found.labels.tolist()
        assert torch.allclose(rois, bbox2roi([found.bboxes]), atol=1e-4)
        assert known is None
        model.roi_head.bbox_head.fc_cls.bias.data = torch.tensor([0.0, 0.0, 50.0, 0.0, 90.0])
        crops, none = model.masks_on_boxes(features, [sample([], [])] * 2, [torch.tensor(BOXES), torch.zeros(0, 4)])
        assert seen.pop()[1].tolist() == [2, 2, 2]
        assert (crops.shape, len(none)) == ((3, 32, 32), 0)


@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(boxes: list[list[float]]) -> None:
    check_a_batch_without_masks(build(MODEL), boxes)
