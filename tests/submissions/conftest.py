"""A world of two images with a cat and a dog, and a valid submission in it, from which tests make invalid ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from small_world import World, make_world


@pytest.fixture(scope="session")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world; nobody writes into it."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(made_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A copy of the world that a test may change; the current folder is its own."""
    shutil.copytree(made_world.folder, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    return World(tmp_path / "world")


@pytest.fixture
def quick(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose submissions are scored in this process, which is quicker; for those that are not hostile."""

    def score(task: dict[str, Any], predictions: Path) -> None:
        from psis_bench.submissions.rescoring_process import score_task

        score_task(task, predictions, world.annotations)

    monkeypatch.setattr("psis_bench.submissions.rescoring._run", score)
    return world
