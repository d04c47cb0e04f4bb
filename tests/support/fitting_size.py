"""A model of full size made narrow by overrides: every part and every connection stays, widths and images shrink."""

from __future__ import annotations

from typing import Any

from psis_bench.config import RunConfig
from psis_bench.models.compose import compose_run

# Not 8: the 1x1 convolutions of stride 2 that torch 2.14 has for CPUs write out of bounds with 8 channels or fewer.
_WIDTH = 16

# Mask R-CNN's own hundreds of boxes an image take most of the time.
_FEW_BOXES = {
    "model.train_cfg.rpn_proposal.max_per_img": 32,
    "model.train_cfg.rcnn.sampler.num": 16,
    "model.test_cfg.rpn.max_per_img": 32,
    "model.test_cfg.rcnn.max_per_img": 8,
    "model.roi_head.bbox_head.conv_out_channels": _WIDTH,
    "model.roi_head.bbox_head.fc_out_channels": _WIDTH,
}


def fitting_settings(config: RunConfig) -> list[str]:
    """Return the arguments that let a run of any model train on two cores within seconds."""
    composed = compose_run(config, classes=("person", "zebra"))
    model = composed.model
    # These halve their input seven times.
    halving = ("HourglassBackbone", "SpineNet", "NASFPN")
    parts = (model.backbone, model.get("neck") or {})
    side = 128 if any(part.get("type") in halving for part in parts) else 64
    place = "model.roi_head.mask_head" if "roi_head" in model else "model.mask_branch"
    changes: dict[str, Any] = _backbone(model)
    head = model.roi_head.mask_head if "roi_head" in model else model.mask_branch
    if head is not None:  # Mask GrabCut has a detector alone
        changes[f"{place}.trunk.num_init_channels"] = _WIDTH
    if "roi_head" in model:
        changes |= _FEW_BOXES
        if head is not None and head.type == "MaskXHead":
            # Its branch grows with the one, and its weight transfer reads the other.
            changes |= {f"{place}.upsample_channels": _WIDTH, f"{place}.detection_features": _WIDTH}
    if "boundary_trunk" in model.get("mask_branch", ()):
        changes["model.mask_branch.boundary_trunk.num_init_channels"] = _WIDTH
    if "pad_size_divisor" in model.data_preprocessor:
        changes["model.data_preprocessor.pad_size_divisor"] = side
    for name in ("train_pipeline", "test_pipeline"):
        for number, transform in enumerate(composed[name]):
            if "scale" in transform:
                changes[f"{name}.{number}.scale"] = [side, side]
    changes |= {"batch_size": 2, "log_interval": 1, "checkpoint_interval": 2}
    return [_argument(path, "null" if value is None else value) for path, value in changes.items()]


def _argument(path: str, value: Any) -> str:
    plus = "+" if path.startswith("+") else ""
    return f"{plus}mm.{path.removeprefix('+')}={value}"


def _backbone(model: Any) -> dict[str, Any]:
    """Return the changes that make the backbone narrow, and what reads its features fit."""
    if model.backbone.type in ("ResNet", "SameResNet"):
        wide = 4 if model.backbone.depth >= 50 else 1
        channels = [_WIDTH * wide * 2**stage for stage in range(4)]
        # The depth goes down to ResNet-50: its blocks are those of ResNet-101, of which there are more.
        fewer = {"model.backbone.depth": 50} if wide == 4 else {}
        changes = {"model.backbone.init_cfg": None, "model.neck.in_channels": channels, **fewer}
        # Added, not changed: the configs leave the width at its default.
        return changes | {"+model.backbone.base_channels": _WIDTH}
    if model.backbone.type == "HourglassBackbone":
        narrow = 2 * _WIDTH
        heads = [name for name in ("detection_head", "mask_branch") if name in model]
        return {"model.backbone.num_init_channels": _WIDTH} | {f"model.{name}.in_channels": narrow for name in heads}
    if model.backbone.type == "SpineNet":
        return {"model.backbone.width_scale": 0.125, "model.backbone.block_repeats": 1}
    return {}
