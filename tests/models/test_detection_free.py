"""The detection-free model: masks on the boxes it is given, in the frame they are given in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_model
from psis_bench.models.interface import is_mask_predictor

SIDE = 64


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    config = compose_model(
        model="detection_free/small",
        mask_head="resnet4",
        crop_source=None,
        schedule=None,
        iterations=None,
        classes="ab",
    )
    built = MODELS.build(config.model)
    built.init_weights()
    return built.eval()


def sample(scale: float = 1.0) -> DetDataSample:
    return DetDataSample(metainfo={"scale_factor": (scale, scale), "img_shape": (SIDE, SIDE)})


def test_masks_do_not_depend_on_the_other_images_and_boxes(model: Any) -> None:
    images = torch.randn(3, 3, SIDE, SIDE)
    boxes = [torch.tensor([[4.0, 6, 30, 40], [10, 10, 60, 20]]), torch.zeros(0, 4), torch.tensor([[0.0, 0, 64, 64]])]
    with torch.inference_mode():
        together = model.masks_on_boxes(model.extract_feat(images), [sample()] * 3, boxes)
        size = model.mask_branch.crop_size
        assert [tuple(crops.shape) for crops in together] == [(2, size, size), (0, size, size), (1, size, size)]
        for image in (0, 2):
            alone = model.masks_on_boxes(model.extract_feat(images[image : image + 1]), [sample()], [boxes[image]])[0]
            assert torch.allclose(alone, together[image], atol=1e-5)
            assert 0 <= alone.min() <= alone.max() <= 1
            assert alone.std() > 0


def test_boxes_are_in_pixels_of_the_original_image(model: Any) -> None:
    features = model.extract_feat(torch.randn(1, 3, SIDE, SIDE))
    boxes = torch.tensor([[4.0, 6, 30, 40]])
    plain = model.masks_on_boxes(features, [sample()], [boxes])[0]
    assert torch.allclose(model.masks_on_boxes(features, [sample(0.5)], [boxes * 2])[0], plain, atol=1e-6)


def test_predict_returns_crops_on_ground_truth_boxes(model: Any) -> None:
    given = sample()
    given.gt_instances = InstanceData(bboxes=torch.tensor([[4.0, 6, 30, 40]]))
    images = torch.randn(1, 3, SIDE, SIDE)
    found = model.predict(images, [given])[0].pred_instances
    expected = model.masks_on_boxes(model.extract_feat(images), [sample()], [given.gt_instances.bboxes])[0]
    assert torch.equal(found.bboxes, given.gt_instances.bboxes)
    assert torch.allclose(found.mask_crops, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "backbone", "width", "stacks"), [("hg104", 187_700_352, 256, 2), ("hg52", 23_435_072, 128, 1)]
)
def test_parameters_at_full_size(name: str, backbone: int, width: int, stacks: int) -> None:
    choices: dict[str, Any] = {"crop_source": None, "schedule": None, "iterations": None, "classes": "ab"}
    config = compose_model(model=f"detection_free/{name}", mask_head="hourglass52", **choices)
    with torch.device("meta"):
        built = MODELS.build(config.model)
    assert not built.has_detector
    # Embedding heads: 1x3 to 256, 1x1 to 16 and 32; then the official MaskHeadNetwork on 50 channels.
    heads = stacks * (2 * (3 * width * 256 + 256) + 256 * (16 + 32) + 16 + 32)
    assert sum(parameter.numel() for parameter in built.parameters()) == backbone + heads + 23_454_593


def test_it_finds_no_boxes(model: Any) -> None:
    assert is_mask_predictor(model)
    assert not model.has_detector
    with pytest.raises(NotImplementedError, match="finds no boxes"):
        model.detect(model.extract_feat(torch.randn(1, 3, SIDE, SIDE)), [sample()])
