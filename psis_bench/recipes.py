"""Recipes: each training behind a row of the paper's tables, as a file of settings beside the paper's numbers.

``configs/recipes/<table or figure>/<row>.yaml`` names what `psis_bench.config.RunConfig` takes, what the paper
printed, the setting it stated, the exact command, and what is unverified. Whether a recipe can be run yet is not
written down but looked up: its model and mask head exist or not. See docs/recipes.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psis_bench import config as settings
from psis_bench.config import RunConfig, resolve_config
from psis_bench.config_listing import config_names
from psis_bench.errors import UserError, did_you_mean
from psis_bench.yaml_file import check_keys, read_mapping, text_of, wrong_type

RUN_KEYS = ("split", "data", "model", "mask_head", "crop_source", "schedule", "iterations", "mm")
PAPER_KEYS = (
    "box_ap",
    "mask_ap",
    "mask_ap50",
    "mask_ap75",
    "mask_ap_small",
    "mask_ap_medium",
    "mask_ap_large",
    "gt_box_miou",
    "ms_per_image",
)
SETTING_KEYS = ("image_size", "schedule", "start", "hardware", "hours")
GROUPS = ("all", "seen", "unseen")
_KEYS = ("where", "run", "paper", "setting", "command", "unverified", "needs")
_CONFIGS = {"model": "models", "mask_head": "mask_heads", "schedule": "schedules"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training behind a row of a table.

    Attributes:
        name: ``<table or figure>/<row>``.
        path: Its file.
        where: The place in the paper, in words.
        run: What a run is given; ``mm`` maps paths of MMEngine's configuration to values.
        paper: The printed numbers in [0, 1] by metric and group of classes, and ``ms_per_image`` in milliseconds.
        setting: What the paper or the official code states of the training; None where it states nothing.
        command: The command that runs it.
        unverified: What is not known, or not shown yet.
        needs: What has to be there first that is no model, mask head or schedule.
    """

    name: str
    path: Path
    where: str
    run: Mapping[str, Any]
    paper: Mapping[str, Any]
    setting: Mapping[str, Any]
    command: str
    unverified: tuple[str, ...]
    needs: tuple[str, ...]

    def missing(self) -> list[str]:
        """Return what has to be there before it can be run; empty when it can."""
        absent = [
            f"{word} {name}"
            for word, kind in _CONFIGS.items()
            if (name := self.run.get(word)) is not None and name not in config_names(kind)
        ]
        return [*absent, *self.needs]

    def arguments(self) -> list[str]:
        """Return its settings as the ``key=value`` arguments of ``psis-bench run``."""
        plain = [f"{key}={value}" for key, value in self.run.items() if key != "mm"]
        changes = self.run.get("mm", {})
        return plain + [f"mm.{path}={json.dumps(value)}" for path, value in changes.items()]


def recipe_names() -> list[str]:
    """Return the names of all recipes: tables before figures, each in the order of its numbers."""
    folder = settings.configs_dir() / "recipes"
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.yaml")]
    return sorted(names, key=_order)


def list_recipes() -> list[Recipe]:
    """Return all recipes, in the order of `recipe_names`."""
    return [read_recipe(name) for name in recipe_names()]


def read_recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises:
        UserError: There is none of this name, or its file is wrong.
    """
    names = recipe_names()
    if name not in names:
        holding = [known for known in names if name and known.startswith(f"{name}/")]
        cure = f"choose one of: {', '.join(holding)}" if holding else did_you_mean(name, names)
        raise UserError(f"unknown recipe {name!r}", cure=cure)
    path = settings.configs_dir() / "recipes" / f"{name}.yaml"
    where = str(path)
    values = read_mapping(path, what="recipe")
    check_keys(values, where=where, allowed=_KEYS, required=("where", "run", "setting", "command"))
    run = _mapping(values, "run", where=where, allowed=RUN_KEYS, required=("split", "data", "model"))
    _mapping(run, "mm", where=f"{where}: run")
    return Recipe(
        name=name,
        path=path,
        where=text_of(values, "where", where=where),
        run=run,
        paper=_paper(values, where=where),
        setting=_mapping(values, "setting", where=where, allowed=SETTING_KEYS),
        command=text_of(values, "command", where=where),
        unverified=_texts(values, "unverified", where=where),
        needs=_texts(values, "needs", where=where),
    )


def expand(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a run with its recipe's settings in place of ``recipe=NAME``.

    What is given beside the recipe wins over it. The run directory, if none is given, is named after the recipe, and
    after the data set where that is another than the recipe's.

    Args:
        arguments: ``key=value``; without ``recipe=`` they are returned as they are.

    Raises:
        UserError: There is no such recipe, it cannot be run yet, or two are given.
    """
    names = [word.partition("=")[2] for word in arguments if word.startswith("recipe=")]
    if not names:
        return list(arguments)
    if len(names) > 1:
        raise UserError("two recipes are given", cure="give one recipe=")
    recipe = read_recipe(names[0])
    own = [word for word in arguments if not word.startswith("recipe=")]
    replaced = {word.partition("=")[0] for word in own}
    absent = [what for what in recipe.missing() if what.partition(" ")[0] not in replaced]
    if absent:
        raise UserError(
            f"recipe {recipe.name} cannot be run yet: it needs {absent[0]}",
            cure="psis-bench ls recipes shows which can",
        )
    whole = [*recipe.arguments(), *own]
    if not any(word.startswith("out=") for word in own):
        whole.append(f"out={_out(recipe, resolve_config(whole))}")
    return whole


def _out(recipe: Recipe, config: RunConfig) -> Path:
    """Return ``runs/<recipe>-seed<k>``, with the data set's name where it is not the recipe's."""
    data = Path(config.data.name)
    name = data.parent.name if data.name == "dataset.yaml" else data.stem
    other = "" if config.data.name == recipe.run["data"] else f"-{name}"
    return Path("runs") / f"{recipe.name}{other}-seed{config.seed}"


def _order(name: str) -> tuple[bool, list[tuple[str, int]]]:
    parts = re.findall(r"(\D+)(\d*)", name)
    return name.startswith("figure"), [(text, int(digits or 0)) for text, digits in parts]


def _paper(values: Mapping[str, Any], *, where: str) -> Mapping[str, Any]:
    paper = _mapping(values, "paper", where=where, allowed=PAPER_KEYS)
    for metric, printed in paper.items():
        place = f"{where}: paper.{metric}"
        if metric == "ms_per_image":
            if not isinstance(printed, int | float) or isinstance(printed, bool):
                raise wrong_type(printed, where=place, wanted="a number of milliseconds")
            continue
        groups = _mapping(paper, metric, where=f"{where}: paper", allowed=GROUPS)
        for group, number in groups.items():
            if not isinstance(number, float) or not 0 <= number <= 1:
                raise wrong_type(number, where=f"{place}.{group}", wanted="a number from 0 to 1")
    return paper


def _mapping(
    values: Mapping[str, Any],
    key: str,
    *,
    where: str,
    allowed: Sequence[str] | None = None,
    required: Sequence[str] = (),
) -> Mapping[str, Any]:
    value = values.get(key) or {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise wrong_type(value, where=f"{where}: {key}", wanted="a mapping")
    if allowed is not None:
        check_keys(value, where=f"{where}: {key}", allowed=allowed, required=required)
    return value


def _texts(values: Mapping[str, Any], key: str, *, where: str) -> tuple[str, ...]:
    value = values.get(key) or []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise wrong_type(value, where=f"{where}: {key}", wanted="a list of texts")
    return tuple(value)
