"""From an entry of the zoo to the settings that build its model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import PurePosixPath

from psis_bench.config import RunConfig, resolve_config
from psis_bench.errors import UserError
from psis_bench.splits.registry import get_split
from psis_bench.zoo.index import ZooModel
from psis_bench.zoo.metafiles import MODELS

_KEYS = {"Mask Head": "mask_head", "Crop Source": "crop_source"}
_ANY_SPLIT = "fully_supervised"


def run_settings(model: ZooModel) -> RunConfig:
    """Return the configuration of a run with the model of an entry.

    Its split is the one that the weights were trained under, where this package has it.

    Raises:
        UserError: The entry names a model or a mask head that there is not.
    """
    name = PurePosixPath(model.config).relative_to(MODELS.as_posix()).with_suffix("").as_posix()
    keys = [f"split={_split_of(model)}", f"model={name}"]
    keys += [f"{key}={model.metadata[field]}" for field, key in _KEYS.items() if model.metadata.get(field)]
    overrides = model.metadata.get("Overrides") or {}
    if not isinstance(overrides, Mapping):
        raise UserError(
            "Overrides is no mapping", where=f"model {model.name}", cure="write several lines 'path: value'"
        )
    return dataclasses.replace(resolve_config(keys), mm={str(path): value for path, value in overrides.items()})


def _split_of(model: ZooModel) -> str:
    split = str(model.metadata.get("Split") or "").partition("@")[0]
    try:
        get_split(split)
    except UserError:
        return _ANY_SPLIT
    return split
