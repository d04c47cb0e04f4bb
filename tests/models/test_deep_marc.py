"""Deep-MARC: the size of its head, where its training crops come from, and images without boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from roi_samples import BOXES, SIDE, sample
from torch import Tensor

from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_model, load_config
from psis_bench.models.deep_marc import DeepMarcMaskHead
from psis_bench.models.interface import is_mask_predictor


def build(crop_source: str = "gt", *, class_agnostic: bool = True) -> Any:
    torch.manual_seed(0)
    config = compose_model(
        model="deep_marc/small",
        mask_head="resnet4",
        crop_source=crop_source,
        schedule=None,
        iterations=None,
        classes="abcd",
    )
    config.model.roi_head.mask_head.class_agnostic = class_agnostic
    model = MODELS.build(config.model)
    model.init_weights()
    return model


def mask_rois_in_training(model: Any, samples: list[DetDataSample], proposals: list[Tensor]) -> Tensor:
    """Return the rois of which the mask head was given crops."""
    model.train()
    seen: list[Tensor] = []
    handle = model.roi_head.mask_roi_extractor.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    found = [InstanceData(bboxes=boxes, scores=torch.ones(len(boxes))) for boxes in proposals]
    features = model.extract_feat(torch.randn(len(samples), 3, SIDE, SIDE))
    losses = model.roi_head.loss(features, found, samples)
    handle.remove()
    assert torch.isfinite(losses["loss_mask"])
    return torch.cat(seen)


@pytest.mark.parametrize(("name", "parameters"), [("hourglass20", 5_682_177), ("conv4", 2_625_537)])
def test_parameters_of_the_whole_head(repository: Any, name: str, parameters: int) -> None:
    """The counts of the official code with 256 channels in."""
    config = load_config(repository / "configs" / "mask_heads" / f"{name}.py")
    with torch.device("meta"):
        head = DeepMarcMaskHead(in_channels=256, trunk=config.trunk, upsample_channels=config.upsample_channels)
    assert sum(parameter.numel() for parameter in head.parameters()) == parameters
    size = config.roi_size
    assert head(torch.empty(1, 256, size, size, device="meta")).shape == (1, 1, 2 * size, 2 * size)


def test_crop_source_gt_takes_the_ground_truth_boxes_and_nothing_else() -> None:
    samples = [sample(BOXES, [True, False, True]), sample([], []), sample(BOXES[1:], [False, True])]
    proposals = [torch.tensor(given).reshape(-1, 4) + 2 for given in (BOXES, BOXES[:1], BOXES)]
    rois = mask_rois_in_training(build("gt"), samples, proposals)
    assert rois.tolist() == [[0, *box] for box in BOXES] + [[2, *box] for box in BOXES[1:]]


def test_crop_source_proposals_and_gt_takes_positive_proposals_too() -> None:
    near, far = torch.tensor(BOXES) + 2, torch.tensor([[0.0, 90.0, 6.0, 96.0]])
    rois = mask_rois_in_training(build("proposals+gt"), [sample(BOXES, [True, False, True])], [torch.cat([near, far])])
    found = {tuple(roi) for roi in rois.tolist()}
    assert found == {(0, *box) for box in [*BOXES, *near.tolist()]}


def test_only_instances_with_a_mask_count() -> None:
    """Another mask in the place of a missing one changes nothing, for both sources of crops."""
    for crop_source in ("gt", "proposals+gt"):
        losses = []
        for filling in (0, 1):
            model = build(crop_source)
            given = sample(BOXES, [True, False, True])
            given.gt_instances.masks.masks[1] = filling
            torch.manual_seed(1)
            features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
            proposals = [InstanceData(bboxes=torch.tensor(BOXES) + 2, scores=torch.ones(3))]
            losses.append(model.roi_head.loss(features, proposals, [given])["loss_mask"])
        assert torch.equal(losses[0], losses[1])
        assert losses[0] > 0


@pytest.mark.parametrize("crop_source", ["gt", "proposals+gt"])
@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(crop_source: str, boxes: list[list[float]]) -> None:
    model = build(crop_source).train()
    total, losses = model.parse_losses(
        model.loss(torch.randn(2, 3, SIDE, SIDE), [sample(boxes, [False] * len(boxes))] * 2)
    )
    total.backward()
    assert losses["loss_mask"] == 0
    for name, parameter in model.roi_head.mask_head.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


@pytest.mark.parametrize("crop_source", ["gt", "proposals+gt"])
def test_a_class_specific_head_learns_the_mask_of_each_instance_s_class(crop_source: str) -> None:
    model = build(crop_source, class_agnostic=False)
    given = sample(BOXES, [True, False, True])
    given.gt_instances.labels = torch.tensor([2, 1, 0])
    features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
    proposals = [InstanceData(bboxes=torch.tensor(BOXES) + 2, scores=torch.ones(3))]
    model.roi_head.loss(features, proposals, [given])["loss_mask"].backward()
    last = model.roi_head.mask_head.logits
    assert last.weight.shape[0] == 4
    # The instance of class 1 has no mask, and there is none of class 3.
    assert last.weight.grad.flatten(1).any(dim=1).tolist() == [True, False, True, False]


def test_a_class_specific_head_shows_the_mask_of_the_detected_class() -> None:
    model = build(class_agnostic=False).eval()
    model.roi_head.test_cfg.score_thr = 0.0
    # The mask of label k is (k + 1) / 10 everywhere.
    last = model.roi_head.mask_head.logits
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.logit(torch.tensor([0.1, 0.2, 0.3, 0.4]))
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        found = model.detect(features, [sample([], [])])[0]
        assert len(set(found.labels.tolist())) > 1
        assert torch.allclose(found.mask_crops[:, 5, 7], (found.labels + 1) / 10)
        # On a given box: the class that the box head, made to see but one, sees.
        model.roi_head.bbox_head.fc_cls.bias.data = torch.tensor([0.0, 0.0, 50.0, 0.0, 90.0])
        (crops,) = model.masks_on_boxes(features, [sample([], [])], [torch.tensor(BOXES)])
        assert torch.allclose(crops, torch.tensor(0.3))
        assert [len(crops) for crops in model.masks_on_boxes(features, [sample([], [])], [torch.zeros(0, 4)])] == [0]


def test_an_unknown_crop_source_is_refused() -> None:
    with pytest.raises(ValueError, match="'gt' or 'proposals\\+gt', not 'proposals'"):
        build("proposals")


def test_masks_on_given_boxes() -> None:
    model = build().eval()
    assert is_mask_predictor(model)
    assert model.has_detector
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(2, 3, SIDE, SIDE))
        samples = [sample([], []), sample([], [])]
        boxes = [torch.zeros(0, 4), torch.tensor(BOXES)]
        none, some = model.masks_on_boxes(features, samples, boxes)
        assert len(none) == 0
        assert some.shape == (3, 32, 32)
        assert 0 <= some.min() < some.max() <= 1
        assert [len(crops) for crops in model.masks_on_boxes(features, samples, [boxes[0]] * 2)] == [0, 0]
        samples[1].set_metainfo({"scale_factor": (0.5, 0.5)})
        assert torch.allclose(model.masks_on_boxes(features, samples, [boxes[0], boxes[1] * 2])[1], some, atol=1e-6)


def test_detections_are_in_pixels_of_the_original_image() -> None:
    model = build().eval()
    model.test_cfg.rcnn.score_thr = model.roi_head.test_cfg.score_thr = 0.0
    images = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        features = model.extract_feat(images)
        found = model.detect(features, [sample([], [])])[0]
        assert 0 < len(found) <= 100
        assert found.mask_crops.shape == (len(found), 32, 32)
        assert "masks" not in found  # full-size masks are never made here
        half = sample([], [])
        half.set_metainfo({"scale_factor": (0.5, 0.5)})
        larger = model.detect(features, [half])[0]
        assert torch.allclose(larger.bboxes, found.bboxes * 2, atol=1e-3)
        assert torch.allclose(larger.mask_crops, found.mask_crops, atol=1e-5)


def test_no_detections() -> None:
    model = build().eval()
    model.roi_head.test_cfg.score_thr = 1.1
    with torch.inference_mode():
        found = model.detect(model.extract_feat(torch.randn(1, 3, SIDE, SIDE)), [sample([], [])])[0]
    assert len(found) == len(found.mask_crops) == 0


def test_full_size_masks_for_mmdetections_own_evaluation() -> None:
    model = build().eval()
    model.roi_head.test_cfg.update(score_thr=0.0, full_masks=True)
    with torch.inference_mode():
        found = model.predict(torch.randn(1, 3, SIDE, SIDE), [sample([], [])])[0].pred_instances
    assert found.masks.shape == (len(found), SIDE, SIDE)
    assert found.masks.dtype == torch.bool
    for mask, (x1, y1, x2, y2) in zip(found.masks, found.bboxes.tolist(), strict=True):
        inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        inside[max(0, int(y1)) : int(np.ceil(y2)), max(0, int(x1)) : int(np.ceil(x2))] = True
        assert not (mask & ~inside).any()
