"""Weights of models of this package from checkpoints of the official TensorFlow code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from psis_bench.convert.conversion import convert
from psis_bench.convert.deep_mac import deep_mac
from psis_bench.convert.deep_marc import deep_marc
from psis_bench.convert.sources import Translate
from psis_bench.convert.tf_checkpoint import TfCheckpoint
from psis_bench.errors import UserError
from psis_bench.models import registered  # noqa: F401
from psis_bench.splits.categories import COCO_CATEGORIES


def converted_weights(checkpoint: TfCheckpoint, config: Config) -> dict[str, Tensor]:
    """Return the weights of the model of a config from a checkpoint, for the 80 classes of COCO.

    Args:
        checkpoint: Saved by the official code.
        config: From `psis_bench.models.compose.compose_model`; 80 classes.

    Raises:
        UserError: There are no checkpoints of this kind of model, or this one is damaged.
        PartialConversionError: Model and checkpoint do not fit each other.
    """
    _check_kind(config.model)
    with torch.device("meta"):
        network = MODELS.build(config.model)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    arrays = convert(checkpoint, shapes, _translation(config.model, shapes, checkpoint))
    return {name: torch.from_numpy(np.array(values)) for name, values in arrays.items()}


def _check_kind(model: Mapping[str, Any]) -> None:
    kind, backbone = model["type"], model["backbone"]["type"]
    if kind == "DeepMac" and backbone == "HourglassBackbone":
        return
    if kind == "DeepMarc" and backbone in ("SpineNet", "SameResNet"):
        return
    if kind == "DeepMarc" and backbone == "ResNet":
        raise UserError(
            "its ResNet pads as torchvision's does, the official one as TensorFlow",
            where="model",
            cure="give model=deep_marc/r50_tf or deep_marc/r101_tf",
        )
    raise UserError(
        f"there are no official checkpoints of {kind} with {backbone}",
        where="model",
        cure="give deep_mac/hg104, deep_mac/hg104_1024, deep_marc/r50_tf, deep_marc/r101_tf or deep_marc/spinenet143",
    )


def _translation(model: Mapping[str, Any], names: Mapping[str, Any], checkpoint: TfCheckpoint) -> Translate:
    ids = list(COCO_CATEGORIES)
    if model["type"] == "DeepMac":
        return deep_mac(category_ids=ids)
    full_names = checkpoint.full_names()
    agnostic = bool(model["roi_head"]["mask_head"]["class_agnostic"])
    try:
        return deep_marc(names, full_names, category_ids=ids, class_agnostic=agnostic)
    except ValueError as error:
        raise UserError(str(error), where=str(checkpoint.prefix), cure="give a checkpoint of Deep-MARC") from error
