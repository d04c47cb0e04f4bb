"""Composing one MMEngine config from a run's choices, and its ``mm.`` overrides."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from psis_bench.config import RunConfig
from psis_bench.config_listing import config_names
from psis_bench.errors import UserError
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import (
    at_path,
    compose_model,
    compose_run,
    fill_slots,
    load_config,
    override,
    scale_schedule,
)

CLASSES = ("person", "dog", "zebra")
SMALL = "detection_free/small"


def compose(**choices: Any) -> Config:
    settings: dict[str, Any] = {"model": SMALL, "mask_head": None, "crop_source": None}
    settings |= {"schedule": None, "iterations": None, "classes": CLASSES}
    return compose_model(**settings | choices)


def run(**mm: Any) -> Config:
    return compose_run(
        RunConfig(split="x", mm={path.replace("__", "."): value for path, value in mm.items()}), classes=CLASSES
    )


def parts_with_trunk(config: Any) -> list[Any]:
    """Return every config of a model's part that has a trunk."""
    if isinstance(config, dict):
        own = [config] if "trunk" in config else []
        return own + [part for value in config.values() for part in parts_with_trunk(value)]
    return []


def with_trunks() -> list[str]:
    """Return the models that have a place for a trunk."""
    return [name for name in config_names("models") if compose(model=name).mask_head is not None]


def build(part: Any, side: int) -> None:
    """Build a part with a trunk, which must take crops of this side."""
    with torch.device("meta"):
        head = MODELS.build(part)
        head.trunk.check_sides(torch.empty(1, head.trunk.in_channels, side, side))


def test_every_model_takes_every_mask_head(monkeypatch: pytest.MonkeyPatch) -> None:
    read = functools.cache(load_config)  # MMEngine takes a while to read a file
    monkeypatch.setattr("psis_bench.models.compose.load_config", lambda path: copy.deepcopy(read(path)))
    built = set()
    for model in with_trunks():
        for name in config_names("mask_heads"):
            config = compose(model=model, mask_head=name)
            assert config.mask_head == name
            (part,) = parts_with_trunk(config.model)
            roi_head = config.model.get("roi_head")
            side = part.crop_size if roi_head is None else roi_head.mask_roi_extractor.roi_layer.output_size
            # Models differ in the head's width, which decides nothing about whether it fits.
            if (part.type, name, side) not in built:
                build(part, side)
            built.add((part.type, name, side))
    assert len(built) >= 2 * len(config_names("mask_heads"))


@pytest.mark.parametrize("model", config_names("models"))
def test_every_model_is_complete(model: str) -> None:
    config = compose(model=model)
    assert config.test_pipeline[0].type == "LoadCheckedImage"
    if not config.trained:
        assert "train_pipeline" not in config
        return
    transforms = [transform.type for transform in config.train_pipeline]
    assert transforms[:2] == ["LoadCheckedImage", "LoadMaskSupervision"]
    assert transforms[-1] == "PackMaskSupervision"
    assert not [name for name in transforms[2:] if name.startswith("Load")]
    assert config.checkpoint_interval > 0
    ends = [scheduler.end for scheduler in config.param_scheduler]
    assert max(ends) == config.max_iters


@pytest.mark.parametrize("model", [name for name in config_names("models") if name.endswith("/small")])
def test_small_models_build_with_the_number_of_classes(model: str) -> None:
    built = MODELS.build(compose(model=model).model)
    if built.has_detector:
        parts = [getattr(built, name, None) for name in ("detection_head", "roi_head", "bbox_head")]
        head = next(part for part in parts if part is not None)
        head = getattr(head, "bbox_head", head)
        assert head.num_classes == len(CLASSES)


def test_deep_marcs_crop_follows_the_mask_head() -> None:
    for name, side, width in (("conv4", 14, 256), ("hourglass20", 16, 64)):
        head = compose(model="deep_marc/r50", mask_head=name).model.roi_head
        assert head.mask_roi_extractor.roi_layer.output_size == side
        assert head.mask_head.upsample_channels == width


def test_crop_source() -> None:
    assert compose(model="deep_marc/small", crop_source="proposals+gt").model.roi_head.crop_source == "proposals+gt"
    assert compose(model="deep_marc/small").model.roi_head.crop_source == "gt"
    with pytest.raises(UserError, match=r"the model has no crop_source.*leave crop_source= out"):
        compose(crop_source="gt")


def test_unknown_names() -> None:
    for choice, name in (("model", "detection_free/smallx"), ("mask_head", "hourglass20x"), ("schedule", "cpux")):
        with pytest.raises(UserError, match="did you mean"):
            compose(**{choice: name})


def test_iterations_scale_the_schedule() -> None:
    plan = compose(model="deep_marc/r50", iterations=7000)
    assert plan.max_iters == 7000
    warm_up, steps = plan.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 50)
    assert (steps.end, steps.milestones) == (7000, [5000, 6500])


def test_a_schedule_of_one_iteration_still_has_length() -> None:
    schedule = Config(
        {
            "max_iters": 1000,
            "param_scheduler": [
                {"type": "LinearLR", "begin": 0, "end": 50},
                {"type": "CosineAnnealingLR", "begin": 50, "end": 1000, "T_max": 950},
            ],
        }
    )
    scale_schedule(schedule, 1)
    assert schedule.max_iters == 1
    for scheduler in schedule.param_scheduler:
        assert scheduler.end > scheduler.begin
        assert scheduler.get("T_max", 1) >= 1


def test_overrides() -> None:
    config = run(
        optim_wrapper__optimizer__lr=0.5,
        train_pipeline__2__scale=[64, 32],
        model__mask_branch__use_coordinates=False,
        batch_size=1,
        **{"+model__backbone__with_cp": True, "+find_unused_parameters": True},
    )
    assert config.optim_wrapper.optimizer.lr == 0.5
    assert config.train_pipeline[2].scale == (64, 32)  # a tuple as before: MMCV takes a list for something else
    assert config.model.mask_branch.use_coordinates is False
    assert config.batch_size == 1
    assert config.model.backbone.with_cp is True
    assert config.find_unused_parameters is True


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("optim_wrapperx.optimizer.lr", r"no 'optim_wrapperx' in mm\.<top>; did you mean 'optim_wrapper'\?"),
        ("model.neck.out_channelsx", r"no 'out_channelsx' in mm\.model\.neck; did you mean 'out_channels'"),
        ("model.neck.out_channels.x", r"no 'x' in mm\.model\.neck\.out_channels"),
        ("train_pipeline.17.scale", r"no '17' in mm\.train_pipeline; "),
        ("train_pipeline.first.scale", r"no 'first' in mm\.train_pipeline"),
    ],
)
def test_an_unknown_path_names_the_nearest(path: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        run(**{path: 1})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("optim_wrapper.optimizer.lr", "fast"),
        ("optim_wrapper.optimizer.lr", True),
        ("model.mask_branch.use_coordinates", 1),
        ("model.backbone", 18),
        ("model.neck.in_channels", 24),
        ("model.backbone.type", 3),
    ],
)
def test_a_value_of_another_kind_is_refused(path: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"mm\.{path} is .*, not "):
        run(**{path: value})


@pytest.mark.parametrize("value", [0, -1, 2.5])
@pytest.mark.parametrize("name", ["batch_size", "checkpoint_interval", "test_images_per_part"])
def test_counts_are_whole_and_positive(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"mm.{name} is {value}; give a whole number of at least 1"):
        run(**{name: value})


@pytest.mark.parametrize("name", ["image_scale", "mask_head", "slots.trunk"])
def test_an_override_without_effect_is_refused(name: str) -> None:
    """A config file's own variables have been copied to where they are used by the time an override comes."""
    with pytest.raises(
        UserError, match=rf"mm\.{name.partition('.')[0]} has no effect; set what is made from it in mm\.model"
    ):
        run(**{name: [64, 64]})


def test_an_entry_of_a_tuple_cannot_be_set_alone() -> None:
    with pytest.raises(UserError, match="give the whole tuple"):
        override(Config({"a": {"b": (1, 2)}}), "a.b.0", 3)


def test_paths_reach_into_lists() -> None:
    config = Config({"a": [{"b": 1}, {"b": 2}]})
    place, key = at_path(config, "a.1.b")
    assert place[key] == 2


def test_slots() -> None:
    config = Config({"slots": {"trunk": ["model.head.trunk"], "crop_source": []}, "model": {"head": {"trunk": None}}})
    fill_slots(config, {"trunk": {"type": "X"}, "crop_source": "gt", "num_classes": 80})
    assert config.model.head.trunk.type == "X"
    with pytest.raises(UserError, match=r"unknown slot 'trunks'; did you mean 'trunk'\?"):
        fill_slots(Config({"slots": {"trunks": []}}), {})
    with pytest.raises(UserError, match=r"no 'headx' in mm\.model; did you mean 'head'\?"):
        fill_slots(Config({"slots": {"trunk": ["model.headx"]}, "model": {"head": 1}}), {"trunk": 1})


def test_a_config_that_does_not_run(tmp_path: Path) -> None:
    broken = tmp_path / "mine.py"
    broken.write_text("model = dict(type='DetectionFree'\n")
    with pytest.raises(UserError, match=r"mine\.py: cannot read the config"):
        compose(model=str(broken))


def test_the_split_caps_the_detections_of_an_image() -> None:
    config = compose(model="deep_marc/small", max_detections=300)
    assert config.model.test_cfg.rcnn.max_per_img == 300
