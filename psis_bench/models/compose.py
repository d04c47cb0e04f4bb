"""From the choices of a run to one MMEngine config.

A model's config says in ``slots`` where each choice goes: the mask head's trunk, the crop source, the number
of classes, the crop size. So a newcomer's model is one config file, whatever its structure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from psis_bench.config import RunConfig
from psis_bench.config_listing import check_name
from psis_bench.errors import UserError, did_you_mean

_SLOTS = ("trunk", "crop_source", "num_classes", "roi_size", "upsample_channels", "max_detections")
_COUNTS = ("batch_size", "max_iters", "checkpoint_interval", "log_interval", "test_images_per_part")
# What training and prediction read of a config; the rest has done its work when the file has run.
_READ = (
    "model",
    "train_pipeline",
    "test_pipeline",
    "optim_wrapper",
    "param_scheduler",
    "vis_backends",
    "only_images_with_masks",
    "shape_priors",
    *_COUNTS,
)


def load_config(path: Path) -> Config:
    """Read an MMEngine config file.

    Raises:
        UserError: The file is missing or does not run.
    """
    try:
        return Config.fromfile(path, lazy_import=False)
    except Exception as error:  # a config is a program: anything can come out of it
        raise UserError(f"cannot read the config: {error}", where=str(path)) from error


def at_path(config: Any, path: str) -> tuple[Any, str | int]:
    """Return the container and the key that a dotted path such as ``model.neck.out_channels`` names.

    Raises:
        UserError: A part of the path does not exist; the nearest names at that place are given.
    """
    parts = path.split(".")
    place: Any = config
    for depth, part in enumerate(parts):
        key: str | int = part
        if isinstance(place, (Mapping, Config)):
            valid: Sequence[str] = [str(name) for name in place]
        elif isinstance(place, (list, tuple)):
            valid = [str(index) for index in range(len(place))]
            key = int(part) if part.isdigit() else part
        else:
            valid = []
        if part not in valid:
            raise UserError(f"no '{part}' in mm.{'.'.join(parts[:depth]) or '<top>'}", cure=did_you_mean(part, valid))
        if depth == len(parts) - 1:
            return place, key
        place = place[key]
    raise AssertionError("unreachable: a path has at least one part")


def override(config: Config, path: str, value: Any, *, add: bool = False) -> None:
    """Set ``path`` to ``value``; the path must exist unless ``add``.

    Raises:
        UserError: The path does not exist, or the value is of another kind than what stands there.
    """
    if add:
        config.merge_from_dict({path: value})
        return
    place, key = at_path(config, path)
    before = place[key]
    numbers = _is_number(before) and _is_number(value)
    if before is not None and value is not None and not numbers and type(before) is not type(value):
        both_mappings = isinstance(before, Mapping) and isinstance(value, Mapping)
        both_sequences = isinstance(before, (list, tuple)) and isinstance(value, (list, tuple))
        if not (both_mappings or both_sequences):
            raise UserError(
                f"mm.{path} is {type(before).__name__} ({before!r}), not {type(value).__name__} ({value!r})"
            )
    if isinstance(place, tuple):
        raise UserError(f"mm.{path} is an entry of a tuple and cannot be set alone", cure="give the whole tuple")
    if isinstance(before, tuple) and isinstance(value, list):
        value = tuple(value)  # the command line has no tuples, and MMCV tells an image scale by its being one
    place[key] = ConfigDict(value) if isinstance(value, Mapping) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def scale_schedule(schedule: Config, iterations: int) -> None:
    """Stretch a schedule to ``iterations``: every point in time moves in proportion.

    Args:
        schedule: Has ``max_iters`` and ``param_scheduler``; changed in place.
        iterations: The new length.
    """
    ratio = iterations / schedule.max_iters
    for scheduler in schedule.param_scheduler:
        for name in ("begin", "end", "T_max"):
            if name in scheduler:
                scheduler[name] = round(scheduler[name] * ratio)
        if "milestones" in scheduler:
            scheduler["milestones"] = [round(milestone * ratio) for milestone in scheduler["milestones"]]
        if scheduler.get("end", 1) <= scheduler.get("begin", 0):
            scheduler["end"] = scheduler.get("begin", 0) + 1
        if scheduler.get("T_max", 1) < 1:
            scheduler["T_max"] = 1
    schedule.max_iters = iterations


def fill_slots(config: Config, choices: Mapping[str, Any]) -> None:
    """Write each choice to the places that the model's ``slots`` name for it.

    Args:
        config: A model's config; changed in place.
        choices: slot name -> value; None leaves the model's own value.

    Raises:
        UserError: A choice was made for which the model has no slot, or a slot names no place.
    """
    slots = config.get("slots", {})
    unknown = sorted(set(slots) - set(_SLOTS))
    if unknown:
        raise UserError(f"unknown slot '{unknown[0]}'", where=config.filename, cure=did_you_mean(unknown[0], _SLOTS))
    for name, value in choices.items():
        if value is None:
            continue
        if name not in slots and name == "crop_source":
            raise UserError(f"the model has no {name}: it has its own boxes for masks", cure=f"leave {name}= out")
        for path in slots.get(name, []):
            place, key = at_path(config, path)
            place[key] = value


def compose_run(run: RunConfig, *, classes: Sequence[str], max_detections: int = 100) -> Config:
    """Compose what a run's configuration names and apply its ``mm.`` overrides; see `compose_model`.

    Raises:
        UserError: An override names no place, has no effect, or its value is of another kind.
    """
    config = compose_model(
        model=run.model,
        mask_head=run.mask_head,
        crop_source=run.crop_source,
        schedule=run.schedule,
        iterations=run.iterations,
        classes=classes,
        max_detections=max_detections,
    )
    for path, value in run.mm.items():
        first = path.partition(".")[0]
        if first in config and first not in _READ:
            # A config file may name a number once and use it in several places: these have their copies by now.
            raise UserError(f"mm.{first} has no effect", cure=f"set what is made from it in mm.{', mm.'.join(_READ)}")
        override(config, path.removeprefix("+"), value, add=path.startswith("+"))
    for name in (name for name in _COUNTS if name in config):
        if type(config[name]) is not int or config[name] < 1:
            raise UserError(f"mm.{name} is {config[name]!r}", cure="give a whole number of at least 1")
    return config


def compose_model(
    *,
    model: str,
    mask_head: str | None,
    crop_source: str | None,
    schedule: str | None,
    iterations: int | None,
    classes: Sequence[str],
    max_detections: int = 100,
) -> Config:
    """Put model, mask head and schedule together.

    Args:
        model: Name below ``configs/models``, or the path of a config file.
        mask_head: Name below ``configs/mask_heads``; None takes the model's own, if it has a choice of them.
        crop_source: ``"gt"`` or ``"proposals+gt"``; None takes the model's own.
        schedule: Name below ``configs/schedules``; None takes the model's own.
        iterations: Length of training; None takes the schedule's own.
        classes: Class names of the data set, in the order of its annotation file.
        max_detections: Detections an image that the split allows.

    Returns:
        A config with ``model``, ``train_pipeline``, ``test_pipeline``, ``batch_size``, ``optim_wrapper``,
        ``param_scheduler``, ``max_iters``, ``checkpoint_interval``, ``log_interval``, ``test_images_per_part``
        (images that one file of predictions holds), ``only_images_with_masks`` (whether the other images are left out
        of training) and ``trained``: a model that is not has no train pipeline and no schedule.
    """
    config = load_config(check_name("models", model))
    choices = {"crop_source": crop_source, "num_classes": len(classes), "max_detections": max_detections}
    config.mask_head = mask_head or config.get("mask_head")
    if config.mask_head is not None:
        choices |= _head_choices(config, config.mask_head)
    fill_slots(config, choices)
    config.trained = config.get("trained", True)
    _add_schedule(config, schedule=schedule, iterations=iterations)
    config.test_images_per_part = config.get("test_images_per_part", 64)
    config.only_images_with_masks = config.get("only_images_with_masks", False)
    return config


def _head_choices(config: Config, name: str) -> dict[str, Any]:
    """Return what a mask head brings into the slots of a model.

    Raises:
        UserError: The model has no place for a trunk.
    """
    if "trunk" not in config.get("slots", {}):
        raise UserError("the model has a mask head of its own, or none", cure="leave mask_head= out")
    head = load_config(check_name("mask_heads", name))
    trunk = {**head.trunk, **config.get("trunk_overrides", {})}
    return {"trunk": trunk, "roi_size": head.get("roi_size"), "upsample_channels": head.get("upsample_channels")}


def _add_schedule(config: Config, *, schedule: str | None, iterations: int | None) -> None:
    """Add the schedule of a model that is trained.

    Raises:
        UserError: One is given for a model that is not.
    """
    if not config.trained:
        for key, value in (("schedule", schedule), ("iterations", iterations)):
            if value is not None:
                raise UserError("the model is not trained", cure=f"leave {key}= out")
        return
    plan = load_config(check_name("schedules", schedule or config.schedule))
    if iterations is not None:
        scale_schedule(plan, iterations)
    for name in ("max_iters", "checkpoint_interval", "log_interval", "optim_wrapper", "param_scheduler"):
        config[name] = plan[name]
