"""ContrastMask: which boxes each loss is of, what learns from it, and how its weight grows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from roi_samples import BOXES, SIDE, build, check_a_batch_without_masks, roi_losses, sample
from torch import Tensor

MODEL = "contrastmask/small"


def shaped_sample(has_mask: list[bool]) -> Any:
    """Return boxes whose masks have foreground, background and a contour: an ellipse in the upper two thirds."""
    given = sample(BOXES, has_mask)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    for mask, (x1, y1, x2, y2) in zip(given.gt_instances.masks.masks, BOXES, strict=True):
        inside = ((columns - (x1 + x2) / 2) / (x2 - x1)) ** 2 + ((rows - (2 * y1 + y2) / 3) / (y2 - y1)) ** 2 < 0.1
        mask[:] = inside.numpy()
    return given


def test_the_mask_loss_is_of_ground_truth_boxes_with_masks_alone() -> None:
    model = build(MODEL)
    head = model.roi_head.mask_head
    counted: list[tuple[int, int]] = []
    compute = head.loss_and_target

    def record(logits: Tensor, crops: Any, instances: Any, config: Any) -> Any:
        counted.append((len(logits), sum(len(of_image.pos_priors) for of_image in crops)))
        assert {tuple(box) for box in crops[0].pos_priors.tolist()} <= {tuple(box) for box in BOXES}
        return compute(logits, crops, instances, config)

    head.loss_and_target = record
    losses = roi_losses(model, shaped_sample([True, False, True]))
    assert counted == [(3, 3)]
    assert losses["loss_mask"] > 0
    assert losses["loss_contrast"] > 0


def test_the_contrast_trains_its_own_branch_and_nothing_below() -> None:
    model = build(MODEL)
    roi_losses(model, shaped_sample([True, False, True]))["loss_contrast"].backward()
    for name, parameter in model.named_parameters():
        learns = parameter.grad is not None and bool(parameter.grad.any())
        assert learns == name.startswith("roi_head.contrast."), name


def test_what_stands_in_the_place_of_a_missing_mask_changes_nothing() -> None:
    losses = []
    for filling in (0, 1):
        model = build(MODEL)
        given = shaped_sample([True, False, True])
        given.gt_instances.masks.masks[1] = filling
        torch.manual_seed(1)
        losses.append(roi_losses(model, given))
    for name in ("loss_mask", "loss_contrast"):
        assert torch.equal(losses[0][name], losses[1][name])


def test_the_weight_grows_by_the_iterations_that_the_checkpoint_counts() -> None:
    contrast = build(MODEL).roi_head.contrast.eval()
    mask = shaped_sample([True] * 3).gt_instances.masks.masks[:1]
    masks = torch.from_numpy(mask[:, 4:50:2, 4:40:2][:, :18, :18]).bool()
    features, maps = torch.randn(1, 24, 18, 18), torch.zeros(1, 18, 18)

    def loss() -> float:
        torch.manual_seed(0)
        found: Tensor = contrast.loss(features, masks=masks, maps=maps, has_mask=torch.tensor([True]))
        return found.detach().item()

    first = loss()
    assert contrast.state_dict()["iterations"] == 1
    contrast.iterations.fill_(100)
    assert loss() == pytest.approx(first * 0.625 / 0.25)
    contrast.iterations.fill_(1000)
    assert loss() == pytest.approx(first / 0.25)


def test_detections_and_given_boxes() -> None:
    model = build(MODEL).eval()
    model.roi_head.test_cfg.score_thr = 0.0
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        found = model.detect(features, [sample([], [])])[0]
        assert found.mask_crops.shape == (len(found), 32, 32)
        crops, none = model.masks_on_boxes(features, [sample([], [])] * 2, [torch.tensor(BOXES), torch.zeros(0, 4)])
        assert (crops.shape, len(none)) == ((3, 32, 32), 0)
    assert model.roi_head.contrast.iterations == 0


@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(boxes: list[list[float]]) -> None:
    check_a_batch_without_masks(build(MODEL), boxes)
