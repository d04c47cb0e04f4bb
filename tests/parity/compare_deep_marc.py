"""Deep-MARC from image and boxes to mask logits, its detector's outputs, both crop operators, its mask loss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from table import Row, chw, row

from psis_bench.convert.tf_checkpoint import TfCheckpoint
from psis_bench.engine.conversion import converted_weights
from psis_bench.models.bin_centre_crops import BinCentreRoIExtractor
from psis_bench.models.compose import compose_model
from psis_bench.models.crop_and_resize import crop_and_resize
from psis_bench.models.mask_loss import mask_cross_entropy
from psis_bench.splits.categories import COCO_CATEGORIES, COCO_NAMES

_IDS = list(COCO_CATEGORIES)
_XYXY = [1, 0, 3, 2]
MODELS_OF = {
    "r50": ("deep_marc/r50_tf", "hourglass20"),
    "r101": ("deep_marc/r101_tf", "hourglass52"),
    "spinenet49": ("deep_marc/spinenet49", "hourglass20"),
    "spinenet96": ("deep_marc/spinenet96", "hourglass52"),
    "spinenet143": ("deep_marc/spinenet143", "hourglass52"),
}


def rois_of(boxes: Any) -> torch.Tensor:
    """Return boxes (ymin, xmin, ymax, xmax) of one image as rois."""
    return torch.from_numpy(np.concatenate([np.zeros((len(boxes), 1)), boxes[:, _XYXY]], axis=1).astype(np.float32))


@torch.inference_mode()
def compare(folder: Path) -> Iterator[Row]:
    """Yield the rows of what `official_deep_marc.py` saved."""
    yield from _operators(np.load(folder / "operators.npz"))
    for name, (model, mask_head) in MODELS_OF.items():
        yield from _model(folder / name, name, model, mask_head)


def _operators(saved: Any) -> Iterator[Row]:
    levels = [torch.from_numpy(chw(saved[f"level {level}"]).copy()) for level in range(2, 7)]
    extractor = BinCentreRoIExtractor(
        roi_layer={"type": "BinCentreAlign", "output_size": 16}, out_channels=8, featmap_strides=[4, 8, 16, 32, 64]
    )
    yield row("crop operator of Deep-MARC", extractor(levels, rois_of(saved["boxes"])), chw(saved["multilevel"]))
    feature = torch.from_numpy(chw(saved["feature"]).copy())
    boxes = saved["normalised"][0] * np.array([40, 56, 40, 56], np.float32)
    crops = crop_and_resize(feature, rois_of(boxes), 32, input_shape=(40, 56))
    yield row("crop operator of Deep-MAC", crops, chw(saved["matmul"]))
    logits, wanted = (torch.from_numpy(saved[name]).flatten(0, 1) for name in ("logits", "wanted"))
    loss = mask_cross_entropy(logits, wanted, torch.from_numpy(saved["classes"]).flatten() > 0)
    yield row("mask loss of Deep-MARC", loss, saved["loss"])


def _model(prefix: Path, name: str, model: str, mask_head: str) -> Iterator[Row]:
    saved = np.load(prefix.with_name(f"{prefix.name}.npz"))
    config = compose_model(
        model=model, mask_head=mask_head, crop_source=None, schedule=None, iterations=None, classes=COCO_NAMES
    )
    config.model.data_preprocessor.pad_size_divisor = 128
    network = MODELS.build(config.model).eval()
    network.load_state_dict(converted_weights(TfCheckpoint(prefix), config))
    bgr = torch.from_numpy(np.ascontiguousarray(saved["image"][..., ::-1].transpose(2, 0, 1)))
    features = network.extract_feat(network.data_preprocessor({"inputs": [bgr]}, False)["inputs"])
    finest = 3 if name.startswith("spinenet") else 2
    relative = [row("", level[0], chw(saved[f"feature {finest + place}"])) for place, level in enumerate(features)]
    yield max(relative, key=lambda found: found.relative)._replace(
        what=f"Deep-MARC {name}: features, levels {finest} to {finest + 4}, the worst"
    )
    rois = rois_of(saved["boxes"])
    head = network.roi_head
    logits = head.mask_head(head.mask_roi_extractor(features[: head.mask_roi_extractor.num_inputs], rois))[:, 0]
    yield row(f"Deep-MARC {name}, {mask_head}: mask logits from image and boxes", logits, saved["mask_logits"])
    yield from _detector(network, features, saved, what=f"Deep-MARC {name}", finest=finest)


def _detector(network: Any, features: Any, saved: Any, *, what: str, finest: int) -> Iterator[Row]:
    rois = rois_of(saved["boxes"])
    scores, deltas = network.rpn_head(features)
    here, there = [], []
    for place, (score, delta) in enumerate(zip(scores, deltas, strict=True)):
        here.append(torch.cat([score[0].flatten(), delta[0].flatten()]).numpy())
        boxes = chw(saved[f"rpn boxes {finest + place}"])
        boxes = boxes.reshape(-1, 4, *boxes.shape[1:])[:, _XYXY].reshape(boxes.shape)
        there.append(np.concatenate([chw(saved[f"rpn scores {finest + place}"]).ravel(), boxes.ravel()]))
    yield row(f"{what}: region proposal head, all levels", np.concatenate(here), np.concatenate(there))
    extractor = network.roi_head.bbox_roi_extractor
    classes, regression = network.roi_head.bbox_head(extractor(features[: extractor.num_inputs], rois))
    yield row(f"{what}: class logits of boxes", classes, saved["classes"][:, [*_IDS, 0]])
    official = saved["regression"].reshape(len(rois), 91, 4)[:, _IDS][..., _XYXY].reshape(len(rois), -1)
    yield row(f"{what}: box deltas of boxes", regression, official)
