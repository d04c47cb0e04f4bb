"""Deep-MAC: its structure at full size, what supervises it, and boxes and masks in the original image's pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from psis_bench.config_listing import config_names
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_model
from psis_bench.models.crop_and_resize import mask_targets
from psis_bench.models.interface import is_mask_predictor

SIDE = 64
BOXES = [[4.0, 6.0, 40.0, 50.0], [30.0, 30.0, 60.0, 58.0], [50.0, 8.0, 62.0, 40.0]]
FULL_SIZE = [name for name in config_names("models") if name.startswith("deep_mac/") and not name.endswith("small")]
# Per stack: a 3x3 convolution to 256 and a 1x1 one, for 80 classes, sizes and offsets; embedding heads of 1x3.
HEADS = {"centre": 256 * 80 + 80, "size": 256 * 2 + 2, "offset": 256 * 2 + 2}


def composed(model: str, mask_head: str = "resnet4", **changes: Any) -> Any:
    config = compose_model(
        model=model,
        mask_head=mask_head,
        crop_source=None,
        schedule=None,
        iterations=None,
        classes=[str(number) for number in range(80 if model != "deep_mac/small" else 4)],
    )
    config.model.mask_branch.update(changes)
    return config.model


def build(**changes: Any) -> Any:
    torch.manual_seed(0)
    model = MODELS.build(composed("deep_mac/small", **changes))
    model.init_weights()
    return model


def sample(boxes: list[list[float]], has_mask: list[bool], *, scale: float = 1.0) -> DetDataSample:
    shapes = dict.fromkeys(("img_shape", "batch_input_shape", "pad_shape"), (SIDE, SIDE))
    data = DetDataSample(metainfo={**shapes, "scale_factor": (scale, scale)})
    masks = np.random.default_rng(len(boxes)).integers(0, 2, (len(boxes), SIDE, SIDE)).astype(np.uint8)
    data.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.arange(len(boxes)),
        masks=BitmapMasks(masks, SIDE, SIDE),
        has_mask=torch.tensor(has_mask, dtype=torch.bool),
    )
    return data


def count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "width", "stacks", "backbone"),
    [
        ("deep_mac/hg104", 256, 2, 187_700_352),
        ("deep_mac/hg52", 128, 1, 23_435_072),
        ("deep_mac/r50", 64, 1, None),
        ("deep_mac/r101", 64, 1, None),
    ],
)
def test_parameters_at_full_size(name: str, width: int, stacks: int, backbone: int | None) -> None:
    config = composed(name, "hourglass20")
    config.backbone.init_cfg = None
    with torch.device("meta"):
        model = MODELS.build(config)
    if backbone:
        assert count(model.backbone) == backbone
    for head, last in HEADS.items():
        assert count(getattr(model.detection_head, f"{head}_heads")) == stacks * (9 * width * 256 + 256 + last)
    branch = model.mask_branch
    assert count(branch.pixel_heads) == stacks * (3 * width * 256 + 256 + 256 * 16 + 16)
    assert count(branch.instance_heads) == stacks * (3 * width * 256 + 256 + 256 * 32 + 32)
    # Shared by the stacks; the count of the official MaskHeadNetwork on 50 channels.
    assert count(branch.trunk) + count(branch.logits) == 5_530_625


# Keras' ResNet-50 and -101 without top have 23,534,592 and 42,552,832 trainable parameters, biases of the
# convolutions among them, one for each of their 26,560 and 52,672 channels.
@pytest.mark.parametrize(
    ("name", "parameters"), [("deep_mac/r50", 23_534_592 - 26_560), ("deep_mac/r101", 42_552_832 - 52_672)]
)
def test_parameters_of_the_resnets(name: str, parameters: int) -> None:
    config = composed(name)
    config.backbone.init_cfg = None
    with torch.device("meta"):
        assert count(MODELS.build(config).backbone) == parameters


@pytest.mark.parametrize("name", FULL_SIZE)
def test_synchronised_batch_norm_reaches_every_layer(name: str) -> None:
    with torch.device("meta"):
        model = MODELS.build(composed(name, "resnet20"))
    norms = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) > 70
    assert all(isinstance(layer, nn.SyncBatchNorm) for layer in norms)


def trunk_inputs(model: Any, run: Any) -> list[Tensor]:
    """Return what the mask head is given while ``run`` runs."""
    seen: list[Tensor] = []
    handle = model.mask_branch.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    run()
    handle.remove()
    return seen


def test_both_stacks_are_supervised_and_share_the_mask_head() -> None:
    model = build().train()
    samples = [sample(BOXES, [True, False, True]), sample(BOXES[:1], [True])]
    images = torch.randn(2, 3, SIDE, SIDE)
    seen = trunk_inputs(model, lambda: model.loss(images, samples))
    assert [given.shape for given in seen] == [(4, 50, 32, 32)] * 2  # every box, also those without a mask
    total, losses = model.parse_losses(model.loss(images, samples))
    assert set(losses) == {"loss_centre", "loss_size", "loss_offset", "loss_mask", "loss"}
    total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any() or name.endswith("bias"), name


def test_only_the_last_stack_may_learn_masks() -> None:
    model = build(only_last_stack=True).train()
    assert len(model.mask_branch.pixel_heads) == len(model.mask_branch.instance_heads) == 1
    seen = trunk_inputs(model, lambda: model.loss(torch.randn(1, 3, SIDE, SIDE), [sample(BOXES, [True] * 3)]))
    assert len(seen) == 1


def test_the_mask_loss_is_the_mean_over_stacks() -> None:
    model = build().eval()
    samples = [sample(BOXES, [True, False, True])]
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        whole = model.mask_branch.loss(features, samples)["loss_mask"].item()
        targets = mask_targets(samples[0].gt_instances.masks, torch.tensor(BOXES), torch.arange(3), 32).numpy()
        rois = torch.tensor([[0.0, *box] for box in BOXES])
        total = 0.0
        for stack, feature in enumerate(features):
            logits = model.mask_branch(feature, rois, stack).double().numpy()
            entropy = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
            total += 5.0 * entropy[[0, 2]].mean() / 2
    assert whole == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize(
    ("coordinates", "instance", "channels"), [(True, 32, 50), (False, 32, 48), (True, 0, 18), (False, 0, 16)]
)
def test_embeddings_of_table_10(coordinates: bool, instance: int, channels: int) -> None:
    model = build(use_coordinates=coordinates, instance_embedding=instance)
    run = lambda: model.loss(torch.randn(1, 3, SIDE, SIDE), [sample(BOXES, [True] * 3)])  # noqa: E731
    assert {given.shape[1] for given in trunk_inputs(model, run)} == {channels}


@pytest.mark.parametrize("boxes", [[], BOXES[:1]])
def test_a_batch_without_masks_or_boxes_trains(boxes: list[list[float]]) -> None:
    model = build().train()
    losses = model.loss(torch.randn(2, 3, SIDE, SIDE), [sample(boxes, [False] * len(boxes))] * 2)
    total, _ = model.parse_losses(losses)
    total.backward()
    assert losses["loss_mask"] == 0
    for name, parameter in model.mask_branch.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


def test_masks_must_cover_the_padded_input() -> None:
    given = sample(BOXES, [True] * 3)
    given.gt_instances.masks = BitmapMasks(given.gt_instances.masks.masks[:, :48], 48, SIDE)
    with pytest.raises(ValueError, match=r"masks of 48 x 64 pixels for an input of 64 x 64: .*pad_mask=True"):
        build().loss(torch.randn(1, 3, SIDE, SIDE), [given])


def test_detections_and_masks_are_in_pixels_of_the_original_image() -> None:
    model = build().eval()
    assert is_mask_predictor(model)
    assert model.has_detector
    assert model.mask_grid == "edges"
    with torch.inference_mode():
        features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
        found, larger = (model.detect(features, [sample([], [], scale=scale)])[0] for scale in (1.0, 0.5))
        assert 0 < len(found) <= 100
        assert found.mask_crops.shape == (len(found), 32, 32)
        assert (found.scores[:-1] >= found.scores[1:]).all()
        assert found.bboxes.min() >= 0
        assert found.bboxes.max() <= SIDE
        assert torch.allclose(larger.bboxes, found.bboxes * 2, atol=1e-4)
        assert torch.equal(larger.mask_crops, found.mask_crops)
        # The masks of detections are those on their boxes, which lie wholly inside this unpadded image.
        again = model.masks_on_boxes(features, [sample([], [])], [found.bboxes])[0]
        assert torch.allclose(again, found.mask_crops, atol=1e-5)


def test_detections_end_where_the_image_does() -> None:
    model = build().eval()
    given = sample([], [])
    given.set_metainfo({"img_shape": (40, 24)})
    with torch.inference_mode():
        boxes = model.detect(model.extract_feat(torch.randn(1, 3, SIDE, SIDE)), [given])[0].bboxes
    assert boxes[:, [0, 2]].max() <= 24
    assert boxes[:, [1, 3]].max() <= 40


def test_masks_on_given_boxes_of_several_images() -> None:
    model = build().eval()
    boxes = [torch.zeros(0, 4), torch.tensor(BOXES)]
    with torch.inference_mode():
        images = torch.randn(2, 3, SIDE, SIDE)
        none, some = model.masks_on_boxes(model.extract_feat(images), [sample([], [])] * 2, boxes)
        alone = model.masks_on_boxes(model.extract_feat(images[1:]), [sample([], [])], boxes[1:])[0]
    assert len(none) == 0
    assert torch.allclose(some, alone, atol=1e-5)


def test_padding_is_black() -> None:
    model = MODELS.build(composed("deep_mac/small"))
    given = DetDataSample(metainfo={"img_shape": (40, 50)})
    batch = {"inputs": [torch.full((3, 40, 50), 255, dtype=torch.uint8)], "data_samples": [given]}
    inputs = model.data_preprocessor(batch, False)["inputs"]
    mean = torch.tensor([104.01362025, 114.03422265, 119.9165958])
    std = torch.tensor([73.6027665, 69.89082075, 70.9150767])
    assert inputs.shape == (1, 3, 64, 64)
    assert torch.allclose(inputs[0, :, :40, :50], ((255 - mean) / std)[:, None, None].expand(3, 40, 50))
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[:40, :50] = False
    assert torch.allclose(inputs[0][:, outside], (-mean / std)[:, None].expand(3, int(outside.sum())))


def test_the_official_optimizer_and_its_learning_rate() -> None:
    choices: dict[str, Any] = {"mask_head": None, "crop_source": None, "schedule": None, "classes": "ab"}
    config = compose_model(model="deep_mac/hg104", iterations=None, **choices)
    settings = dict(config.optim_wrapper.optimizer)
    assert (config.max_iters, config.batch_size, settings.pop("type")) == (50_000, 128, "Adam")
    assert settings == {"lr": 1e-3, "eps": 1e-7}
    shorter = compose_model(model="deep_mac/hg104", iterations=1000, **choices)
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], **settings)
    schedulers = [PARAM_SCHEDULERS.build({**plan, "optimizer": optimizer}) for plan in shorter.param_scheduler]
    rates = []
    for _ in range(1000):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    # Official: linear from 2.5e-4 to 1e-3 over a tenth, then half a cosine. MMEngine's warm-up ends a step sooner.
    for step, expected in ((0, 2.5e-4), (50, 6.25e-4), (100, 1e-3), (550, 5e-4), (999, 0.0)):
        assert rates[step] == pytest.approx(expected, rel=0.015, abs=1e-8)
