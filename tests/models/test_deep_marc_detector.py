"""Deep-MARC's detector: its size is the official one's, and norms are where they are there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_model
from psis_bench.models.deep_marc_detector import LevelNormRPNHead, NormedBoxHead
from psis_bench.splits.categories import COCO_NAMES

NORM = {"type": "BN", "eps": 1e-4}
# The official heads have 91 classes, of which 81 are those of COCO and the background: 10 rows of class logits and 44
# of box deltas are not here, each with 1024 weights and a bias.
ROWS_OF_NO_CLASS = (10 + 44) * 1025


@pytest.mark.parametrize(
    ("model", "official"),
    [("deep_marc/r50", 49_472_023), ("deep_marc/r50_tf", 49_472_023), ("deep_marc/spinenet49", 43_899_189)],
)
def test_as_many_variables_as_the_official_model(model: str, official: int) -> None:
    """Counted in TensorFlow with HG-20, moving statistics included."""
    choices: dict[str, Any] = dict.fromkeys(("crop_source", "schedule", "iterations"))
    config = compose_model(model=model, mask_head="hourglass20", classes=COCO_NAMES, **choices)
    with torch.device("meta"):
        state = MODELS.build(config.model).state_dict()
    count = sum(value.numel() for name, value in state.items() if not name.endswith("num_batches_tracked"))
    assert count == official - ROWS_OF_NO_CLASS


@pytest.mark.parametrize("model", ["deep_marc/r50", "deep_marc/spinenet143", "deep_mac/hg104", "deep_mac/r50"])
@pytest.mark.parametrize("mask_head", ["hourglass20", "resnet4", "conv4"])
def test_synchronised_batch_norm_reaches_every_layer(model: str, mask_head: str) -> None:
    choices: dict[str, Any] = dict.fromkeys(("crop_source", "schedule", "iterations"))
    config = compose_model(model=model, mask_head=mask_head, classes=COCO_NAMES, **choices)
    with torch.device("meta"):
        network = MODELS.build(config.model)
    norms = {name: layer for name, layer in network.named_modules() if isinstance(layer, _BatchNorm)}
    assert len(norms) > 50
    assert [name for name, layer in norms.items() if not isinstance(layer, torch.nn.SyncBatchNorm)] == []


def rpn_head() -> LevelNormRPNHead:
    return LevelNormRPNHead(
        norm_cfg=NORM,
        in_channels=4,
        feat_channels=6,
        anchor_generator={"type": "AnchorGenerator", "scales": [8], "ratios": [1.0], "strides": [4, 8]},
        bbox_coder={"type": "DeltaXYWHBBoxCoder"},
        loss_cls={"type": "CrossEntropyLoss", "use_sigmoid": True},
        loss_bbox={"type": "L1Loss"},
    )


def test_each_level_of_the_rpn_has_its_norm_and_all_one_convolution() -> None:
    torch.manual_seed(0)
    head = rpn_head().eval()
    assert len(head.norms) == 2
    head.norms[0].running_mean.normal_()
    head.norms[1].running_var.uniform_(0.5, 2)
    levels = [torch.randn(1, 4, side, side) for side in (6, 3)]
    scores, deltas = head(levels)
    for level, norm, score, delta in zip(levels, head.norms, scores, deltas, strict=True):
        hidden = functional.conv2d(level, head.rpn_conv.weight, head.rpn_conv.bias, padding=1)
        mean, deviation = norm.running_mean[:, None, None], (norm.running_var[:, None, None] + 1e-4).sqrt()
        hidden = ((hidden - mean) / deviation).clamp(min=0)
        assert torch.allclose(score, functional.conv2d(hidden, head.rpn_cls.weight, head.rpn_cls.bias), atol=1e-5)
        assert torch.allclose(delta, functional.conv2d(hidden, head.rpn_reg.weight, head.rpn_reg.bias), atol=1e-5)


def test_anchors_are_the_official_ones() -> None:
    """Centres half a stride from the corner; width over height 0.5, 1, 2 in this order, each of one area."""
    choices: dict[str, Any] = dict.fromkeys(("crop_source", "schedule", "iterations"))
    for model, stride, base, scales in (("deep_marc/r50", 4, 32, 1), ("deep_marc/spinenet49", 8, 32, 3)):
        config = compose_model(model=model, mask_head="conv4", classes=COCO_NAMES, **choices)
        with torch.device("cpu"):
            head = MODELS.build(config.model.rpn_head | {"train_cfg": None, "test_cfg": None})
        anchors = head.prior_generator.grid_priors([(2, 2)] * 5, device="cpu")[0][: 3 * scales]
        expected = []
        for scale in range(scales):
            side = base * 2 ** (scale / scales)
            for ratio in (0.5, 1.0, 2.0):
                half = torch.tensor([side * ratio**0.5, side / ratio**0.5]) / 2
                centre = torch.tensor([stride / 2, stride / 2])
                expected.append(torch.cat([centre - half, centre + half]))
        assert torch.allclose(anchors, torch.stack(expected), atol=1e-4)


def test_the_box_head_normalises_after_every_layer_that_has_a_bias() -> None:
    torch.manual_seed(0)
    head = NormedBoxHead(
        norm_cfg=NORM,
        in_channels=3,
        conv_out_channels=4,
        fc_out_channels=5,
        roi_feat_size=2,
        num_classes=6,
        loss_cls={"type": "CrossEntropyLoss"},
    ).train()
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in head.modules()) == 4 + 1
    assert all(layer.conv.bias is not None for layer in head.shared_convs)
    crops = torch.randn(7, 3, 2, 2) * 100
    classes, boxes = head(crops)
    assert classes.shape == (7, 7)
    assert boxes.shape == (7, 24)
    # In training the input's scale is lost in the first norm, and a bias in any.
    scaled, _ = head(crops * 3)
    assert torch.allclose(classes, scaled, atol=1e-3)
    with torch.no_grad():
        head.shared_fcs[0].bias.add_(5)
    assert torch.allclose(classes, head(crops)[0], atol=1e-3)


def test_the_box_head_takes_no_boxes_at_test_time() -> None:
    head = NormedBoxHead(
        norm_cfg=NORM, in_channels=3, roi_feat_size=7, num_classes=2, loss_cls={"type": "CrossEntropyLoss"}
    )
    classes, boxes = head.eval()(torch.zeros(0, 3, 7, 7))
    assert classes.shape == (0, 3)
    assert boxes.shape == (0, 8)
