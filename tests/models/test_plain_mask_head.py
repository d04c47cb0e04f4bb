"""Mask R-CNN's mask head against MMDetection's, which is the same network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from roi_samples import BOXES, build, check_a_batch_without_masks

from psis_bench.config_listing import check_name
from psis_bench.models.compose import load_config
from psis_bench.models.mask_rcnn import PlainMaskHead


def head(**choices: Any) -> PlainMaskHead:
    trunk = load_config(check_name("mask_heads", "conv4_plain")).trunk
    return PlainMaskHead(trunk=trunk, upsample_channels=256, **choices)


@pytest.mark.parametrize("class_agnostic", [True, False])
def test_it_computes_what_mmdetections_head_computes(class_agnostic: bool) -> None:
    torch.manual_seed(0)
    mine = head(in_channels=6, class_agnostic=class_agnostic, num_classes=3)
    theirs = FCNMaskHead(in_channels=6, class_agnostic=class_agnostic, num_classes=3)
    # Both have five layers of weights and biases before the last one, in the same order.
    theirs.load_state_dict(dict(zip(theirs.state_dict(), mine.state_dict().values(), strict=True)))
    crops = torch.randn(2, 6, 14, 14)
    logits = mine(crops)
    assert logits.shape == (2, 1 if class_agnostic else 3, 28, 28)
    assert torch.allclose(logits, theirs(crops), atol=1e-6)


def test_parameters_of_the_whole_head() -> None:
    """Four convolutions of 256 * 256 * 9 + 256, 256 * 256 * 4 + 256 and 257."""
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in head(in_channels=256).parameters()) == 2_622_977


@pytest.mark.parametrize(("class_agnostic", "deviation"), [(True, 0.001), (False, (2 / 80) ** 0.5)])
def test_the_last_layer_starts_as_in_detectron(class_agnostic: bool, deviation: float) -> None:
    torch.manual_seed(0)
    made = head(in_channels=6, class_agnostic=class_agnostic, num_classes=80)
    made.init_weights()
    assert made.logits.weight.std().item() == pytest.approx(deviation, rel=0.1)


@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(boxes: list[list[float]]) -> None:
    check_a_batch_without_masks(build("mask_rcnn/small_specific"), boxes)
