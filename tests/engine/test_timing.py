"""Timing: what is counted is counted right, and detection is timed without masks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from psis_bench.config import resolve_config
from psis_bench.engine import timing
from psis_bench.engine.timing import Work, time_model, without_masks
from psis_bench.models.compose import compose_run
from psis_bench.splits.categories import COCO_NAMES

SMALL = Work(batches=(1, 2), images=3, warm_up=1, boxes=4, size=(96, 64))


def config_of(model: str) -> Any:
    return compose_run(
        resolve_config(["split=fully_supervised", f"model={model}", "mask_head=resnet4"]), classes=COCO_NAMES
    )


@pytest.mark.parametrize("model", ["detection_free/small", "deep_marc/small", "deep_mac/small"])
def test_every_stage_of_every_family(model: str) -> None:
    found = time_model(config_of(model), weights=None, device=torch.device("cpu"), work=SMALL)
    free = model.startswith("detection_free")
    stages = ["load", "backbone", "mask_head", "encode"] if free else list(timing.STAGES)
    assert [entry["batch"] for entry in found["measured"]] == [1, 2]
    assert [entry["images"] for entry in found["measured"]] == [3, 4]  # whole batches
    for entry in found["measured"]:
        assert list(entry["stages"]) == stages
        assert sum(times["mean"] for times in entry["stages"].values()) == pytest.approx(entry["end_to_end"]["mean"])
        assert entry["images_per_second"] == pytest.approx(1e3 / entry["end_to_end"]["mean"])
        for times in (*entry["stages"].values(), entry["end_to_end"]):
            assert 0 < times["p10"] <= times["median"] <= times["p90"] <= times["p99"]
        assert entry["peak_memory"] > 2**20
    assert found["has_detector"] is not free
    work = found["multiply_adds"]
    assert list(work) == [name for name in stages if name not in ("load", "encode")] + ["all"]
    assert work["all"] == sum(work[name] for name in work if name != "all")
    assert min(work.values()) > 0
    assert found["parameters"]["all"] == sum(count for name, count in found["parameters"].items() if name != "all")


def test_multiply_adds_and_parameters_are_those_of_the_layers() -> None:
    config = config_of("detection_free/small")
    found = time_model(config, weights=None, device=torch.device("cpu"), work=SMALL)
    predictor = timing._predictor(config, None, torch.device("cpu"))
    counted = 0

    def count(layer: nn.Conv2d, inputs: Any, output: torch.Tensor) -> None:
        nonlocal counted
        across = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        counted += output.numel() * across

    for layer in predictor.model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        # 96 x 64 pixels are brought to 256 x 171, and filled up to a multiple of 32.
        predictor.model.extract_feat(torch.zeros(1, 3, 192, 256))
    assert found["multiply_adds"]["backbone"] == counted
    assert found["parameters"]["all"] == sum(value.numel() for value in predictor.model.parameters())


@pytest.mark.parametrize(
    ("model", "head"), [("deep_marc/small", "roi_head.mask_head"), ("deep_mac/small", "mask_branch")]
)
def test_detection_is_timed_without_its_masks(model: str, head: str) -> None:
    predictor = timing._predictor(config_of(model), None, torch.device("cpu"))
    if model.startswith("deep_marc"):  # decided scores, so that there are detections
        nn.init.normal_(predictor.model.roi_head.bbox_head.fc_cls.weight, std=0.5)
    calls = []
    predictor.model.get_submodule(head).register_forward_hook(lambda *_: calls.append(1))
    work = timing._Timing(predictor, [], config_of(model).test_pipeline[1:], SMALL, trained=False)
    import numpy as np

    image = {"img": np.zeros((64, 96, 3), np.uint8), "img_id": 0, "img_path": "", "ori_shape": (64, 96)}
    image["img_shape"] = (64, 96)
    from mmengine.dataset import pseudo_collate

    with torch.inference_mode():
        data = predictor.model.data_preprocessor(pseudo_collate([work.load(image)]), False)
        features = predictor.model.extract_feat(data["inputs"])
        with without_masks(predictor.model):
            found = predictor.model.detect(features, data["data_samples"])[0]
        assert len(found)
        assert not calls
        predictor.model.detect(features, data["data_samples"])
        assert calls  # the model is as it was
