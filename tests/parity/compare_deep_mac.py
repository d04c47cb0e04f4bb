"""Deep-MAC with Hourglass-104: features, heads, masks of given boxes and of detections, losses; other mask heads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from table import Row, chw, row

from psis_bench.convert.conversion import convert
from psis_bench.convert.deep_mac import deep_mac
from psis_bench.convert.tf_checkpoint import TfCheckpoint
from psis_bench.engine.conversion import converted_weights
from psis_bench.models.compose import compose_model
from psis_bench.splits.categories import COCO_CATEGORIES, COCO_NAMES

_IDS = list(COCO_CATEGORIES)
_CHANNELS = [number - 1 for number in _IDS]
WIDTH = 192


def composed(mask_head: str) -> Any:
    """Return the config, for an input of 256 pixels."""
    config = compose_model(
        model="deep_mac/hg104",
        mask_head=mask_head,
        crop_source=None,
        schedule=None,
        iterations=None,
        classes=COCO_NAMES,
    )
    config.model.data_preprocessor.pad_size_divisor = 256
    config.model.backbone.norm_type = "BN"
    return config


def sample(saved: Any) -> DetDataSample:
    """Return the instances of the image; those of the allowed categories have masks."""
    made = DetDataSample()
    categories = saved["categories"].tolist()
    made.gt_instances = InstanceData(
        bboxes=torch.from_numpy(saved["boxes"]),
        labels=torch.tensor([_IDS.index(number) for number in categories]),
        masks=BitmapMasks(saved["masks"][:, :, :WIDTH], 256, WIDTH),
        has_mask=torch.tensor([number in saved["allowed"] for number in categories]),
    )
    made.set_metainfo({"img_shape": (256, WIDTH), "ori_shape": (256, WIDTH), "scale_factor": (1.0, 1.0)})
    return made


def preprocessed(model: Any, saved: Any) -> Any:
    """Return the image, as MMDetection reads it (BGR), and its sample, ready for the model."""
    bgr = torch.from_numpy(np.ascontiguousarray(saved["image"][:, :WIDTH, ::-1].transpose(2, 0, 1)))
    return model.data_preprocessor({"inputs": [bgr], "data_samples": [sample(saved)]}, True)


@torch.inference_mode()
def compare(folder: Path) -> Iterator[Row]:
    """Yield the rows of what `official_deep_mac.py` saved."""
    saved = np.load(folder / "deep_mac_hg104.npz")
    config = composed("hourglass20")
    model = MODELS.build(config.model).eval()
    model.load_state_dict(converted_weights(TfCheckpoint(folder / "deep_mac_hg104"), config))
    data = preprocessed(model, saved)
    features = model.extract_feat(data["inputs"])
    boxes = [torch.from_numpy(saved["boxes"])]
    yield from _heads(model, features, saved)
    masks = model.masks_on_boxes(features, data["data_samples"], boxes)[0]
    yield row("Deep-MAC HG-104, hourglass20: masks of given boxes", masks, saved["mask_probabilities"])
    rois = torch.cat([torch.zeros(len(boxes[0]), 1), boxes[0]], dim=1)
    for stack, name in enumerate(("mask_logits_first", "mask_logits")):
        logits = model.mask_branch(features[stack], rois, stack)
        yield row(f"Deep-MAC HG-104, hourglass20: mask logits, stack {stack + 1}", logits, saved[name])
    yield from _detections(model, features, saved)
    yield from _losses(model, data, saved)
    for file in sorted(folder.glob("hg104+*.npz")):
        yield _other_head(model, features, file, rois)


def _heads(model: Any, features: Any, saved: Any) -> Iterator[Row]:
    heads = {
        "object_center": model.detection_head.centre_heads,
        "box/scale": model.detection_head.size_heads,
        "box/offset": model.detection_head.offset_heads,
        "INSTANCE_EMBEDDING": model.mask_branch.instance_heads,
        "PIXEL_EMBEDDING": model.mask_branch.pixel_heads,
    }
    for stack, feature in enumerate(features):
        yield row(
            f"Hourglass-104, features of stack {stack + 1}", feature[0], chw(saved[f"extracted_features {stack}"])
        )
        for name, modules in heads.items():
            there = chw(saved[f"{name} {stack}"])
            there = there[_CHANNELS] if name == "object_center" else there
            yield row(f"Deep-MAC HG-104, {name}, stack {stack + 1}", modules[stack](feature)[0], there)


def _detections(model: Any, features: Any, saved: Any) -> Iterator[Row]:
    """Compare the detections of categories that COCO has, as far as both have them, in the order of their scores."""
    decoded = model.detection_head.detect(features[-1])[0]
    known = np.isin(saved["detection_classes"] + 1, _IDS)
    yield row("Deep-MAC HG-104, scores of detections", decoded.scores[: known.sum()], saved["detection_scores"][known])
    count = int(known.sum())
    there = saved["detection_boxes_strided"][known][:, [1, 0, 3, 2]]
    yield row("Deep-MAC HG-104, boxes of detections", decoded.boxes[:count], there)
    crops = model.crops_of_input_boxes(features, [decoded.boxes[:count] * model.detection_head.stride])[0]
    yield row("Deep-MAC HG-104, hourglass20: masks of detections", crops, saved["detection_masks"][known])


def _losses(model: Any, data: Any, saved: Any) -> Iterator[Row]:
    losses = model.loss(data["inputs"], data["data_samples"])
    # Ten channels of the official heat map are of no category of COCO: their share is taken off.
    spare = [channel for channel in range(90) if channel not in _CHANNELS]
    boxes = len(saved["boxes"])
    empty = 0.0
    for stack in range(2):
        logits = saved[f"object_center {stack}"][..., spare].astype(np.float64)
        # A cell counts where it is on the image, 48 of 64 columns.
        probability = np.clip(1 / (1 + np.exp(-logits[:, : WIDTH // 4])), 1e-4, 1 - 1e-4)
        empty -= float((probability**2 * np.log(1 - probability)).sum()) / (2 * boxes)
    yield row("focal loss of heat maps", losses["loss_centre"], saved["loss object_center"] - empty)
    yield row("L1 loss of sizes", losses["loss_size"], saved["loss box/scale"])
    yield row("L1 loss of offsets", losses["loss_offset"], saved["loss box/offset"])
    yield row("mask loss of Deep-MAC", losses["loss_mask"], saved["loss deep_mask_estimation"])


def _other_head(model: Any, features: Any, file: Path, rois: torch.Tensor) -> Row:
    name = file.stem.removeprefix("hg104+")
    branch = MODELS.build({**composed(name).model.mask_branch})
    own = branch.state_dict()
    shapes = {
        f"mask_branch.{key}": tuple(value.shape) for key, value in own.items() if key.startswith(("trunk.", "logits."))
    }
    arrays = convert(TfCheckpoint(file.with_suffix("")), shapes, deep_mac(category_ids=_IDS))
    for key, values in arrays.items():
        own[key.removeprefix("mask_branch.")] = torch.from_numpy(np.array(values))
    for part in ("pixel_heads", "instance_heads"):
        own.update({f"{part}.{key}": value for key, value in getattr(model.mask_branch, part).state_dict().items()})
    branch.load_state_dict(own)
    logits = branch.eval()(features[-1], rois)
    return row(f"Deep-MAC HG-104, {name}: mask logits", logits, np.load(file)["mask_logits"])
