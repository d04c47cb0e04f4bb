"""No leak of mask supervision: what stands in the file as masks of unseen classes does not change one bit of a model.

Nor of what it predicts: detections, their masks, and masks on given boxes.

Every model for CPUs is trained, with each source of training crops that it has, so that a new model is covered by
being there. That the models of full size read their masks in the same way is held by tests/models/test_compose.py.

The last of the trainings is stopped on its way and goes on, so that every model is seen to resume, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from changed_masks import change_masks, no_masks, random_masks, same
from fitting_size import fitting_settings
from stopped_training import stop_in_the_third_iteration
from tiny_data import SEEN, UNSEEN, TinyData

from psis_bench.config import CROP_SOURCES, resolve_config
from psis_bench.config_listing import check_name, config_names
from psis_bench.engine.checkpoints import Weights, load_weights
from psis_bench.engine.predict import predict
from psis_bench.engine.train import train
from psis_bench.models.compose import at_path, load_config
from psis_bench.run import RunDirectory
from psis_bench.scoring.inputs.records import Kind, read_parts

NARROW = ("narrow",)
"""Stands for the overrides that make a model of full size fit."""


def cases() -> list[Any]:
    """Return each model for CPUs with each of its crop sources."""
    found = []
    for model in config_names("models"):
        config = load_config(check_name("models", model))
        # What learns from no mask is in tests/end_to_end/test_prompted.py.
        if config.get("schedule", "").startswith("cpu") and config.model.type != "DetectThenPrompt":
            sources = CROP_SOURCES if "crop_source" in config.slots else (None,)
            found += [pytest.param(model, source, (), id="-".join(filter(None, (model, source)))) for source in sources]
    assert len(found) >= 4
    # What no model for CPUs has: masks of each class, and a backbone that drops branches by chance.
    specific = ("mm.model.roi_head.mask_head.class_agnostic=false",)
    found.append(pytest.param("deep_marc/small", "gt", specific, id="deep_marc/small-class_specific"))
    found.append(pytest.param("deep_marc/spinenet49", "gt", NARROW, id="deep_marc/spinenet49-narrow"))
    return found


def trained(tiny: TinyData, name: str, model: str, *more: str, stopped: bool = False) -> Weights:
    if NARROW[0] in more:
        fitting = fitting_settings(resolve_config([f"model={model}", "split=voc2nonvoc", "mask_head=resnet4"]))
        more = (*fitting, *(word for word in more if word != NARROW[0]))
    # The other iterations' images would do as well; three of two images see most of the eight.
    run = RunDirectory.of(resolve_config(tiny.arguments(model, "mask_head=resnet4", *more, out=name, iterations=3)))
    if stopped:
        stop_in_the_third_iteration(run)
    train(run)
    predict(run)
    return load_weights(run.final_weights)


def few_detections(model: str) -> list[str]:
    """Return overrides that let a model find some objects in an image, and few, however unsure it is of them."""
    config = load_config(check_name("models", model))
    words = []
    for path in config.slots.get("max_detections", []):
        words.append(f"mm.{path}=4")
        if "score_thr" in at_path(config, path)[0]:
            words.append(f"mm.{path.rpartition('.')[0]}.score_thr=0.0")
    return words


@pytest.mark.parametrize(("model", "crop_source", "more"), cases())
def test_masks_of_unseen_classes_change_nothing(
    tiny: TinyData, model: str, crop_source: str | None, more: tuple[str, ...]
) -> None:
    if crop_source is not None:
        more = (*more, f"crop_source={crop_source}")
    more = (*more, *few_detections(model))
    # Two images to predict; the annotations whose boxes are given stay as they are.
    tiny.val["images"] = tiny.val["images"][:2]
    shown = {image["id"] for image in tiny.val["images"]}
    tiny.val["annotations"] = [one for one in tiny.val["annotations"] if one["image_id"] in shown]
    tiny.write()
    true = trained(tiny, "true", model, *more)
    assert true.classes == tuple(category["name"] for category in tiny.train["categories"])
    assert all(torch.isfinite(value).all() for value in true.tensors.values())
    before = (tiny.folder / "train.json").read_text()
    for name, change in (("random", random_masks), ("none", no_masks)):
        change_masks(tiny, UNSEEN, change)
        assert (tiny.folder / "train.json").read_text() != before
        # A difference with no masks alone may be one of resuming: tests/end_to_end/test_resume.py tells.
        found = trained(tiny, name, model, *more, stopped=change is no_masks)
        assert same(found, true), f"{name} masks of unseen classes change {model}"
    change_masks(tiny, SEEN, random_masks)
    assert not same(trained(tiny, "control", model, *more), true), "this test would not see a leak"
    assert_losses_are_equal(tiny.folder)
    # A narrow model of full size may find nothing after two iterations.
    finds = bool(few_detections(model)) and not set(NARROW) <= set(more)
    assert_predictions_are_equal(tiny.folder, finds=finds)


def assert_losses_are_equal(folder: Path) -> None:
    logs = []
    for name in ("true", "random", "none"):
        lines = [json.loads(line) for line in (folder / name / "train_log.jsonl").read_text().splitlines()]
        logs.append([{key: value for key, value in line.items() if key != "seconds"} for line in lines])
    assert logs[0] == logs[1] == logs[2]
    assert all(line["loss_mask"] > 0 for line in logs[0])


def assert_predictions_are_equal(folder: Path, *, finds: bool) -> None:
    true = predictions(folder / "true")
    assert predictions(folder / "random") == true
    assert predictions(folder / "none") == true
    assert predictions(folder / "control") != true
    kinds: tuple[Kind, ...] = ("gt_box_masks", "detections") if finds else ("gt_box_masks",)
    for kind in kinds:
        masks = [
            mask for part in read_parts(folder / "true/predictions" / kind, kind=kind) for mask in part.mask_strings()
        ]
        assert len(masks) > 1
        assert None not in masks


def predictions(run: Path) -> dict[str, bytes]:
    """Return every file of a run's predictions: detections, masks on given boxes, what they are made from."""
    return {str(file.relative_to(run)): file.read_bytes() for file in run.glob("predictions/**/*") if file.is_file()}
