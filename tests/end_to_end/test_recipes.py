"""Recipes run: their models, made narrow, for two iterations on generated images.

A few of them always; all of them with ``make recipes``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fitting_size import fitting_settings

from psis_bench.cli import main
from psis_bench.commands.stages import config_of
from psis_bench.recipes import list_recipes

RUNNABLE = [recipe.name for recipe in list_recipes() if not recipe.missing()]
FEW = [name for name in ("table1/r50_proposals", "table8/deep_marc") if name in RUNNABLE]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated set of six and two images with the 80 class names."""
    folder = tmp_path_factory.mktemp("recipes") / "set"
    numbers = ("images=6", "val_images=2", "size=96", "workers=1")
    assert main(["data", "make", "synthetic", *numbers, f"out={folder}"]) == 0
    return folder / "dataset.yaml"


def arguments(name: str, images: Path, out: Path) -> list[str]:
    words = [f"recipe={name}", f"data={images}", "iterations=2", "device=cpu", "workers=0", "threads=1", f"out={out}"]
    return [*words, *fitting_settings(config_of(words))]


@pytest.mark.parametrize("name", FEW)
def test_a_recipe_runs_to_its_report(name: str, images: Path, tmp_path: Path) -> None:
    assert main(["run", *arguments(name, images, tmp_path / "run")]) == 0
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert (scores["groups"]["seen"]["classes"], scores["groups"]["unseen"]["classes"]) == (20, 60)
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.parametrize("name", [name for name in ("table4/hg20", "table10/hg20_none") if name in RUNNABLE])
def test_a_recipe_trains(name: str, images: Path, tmp_path: Path) -> None:
    check_training(name, images, tmp_path)


@pytest.mark.all_recipes
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_recipe_trains(name: str, images: Path, tmp_path: Path) -> None:
    check_training(name, images, tmp_path)


def check_training(name: str, images: Path, tmp_path: Path) -> None:
    assert main(["train", *arguments(name, images, tmp_path / "run")]) == 0
    lines = (tmp_path / "run" / "train_log.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [1, 2]
