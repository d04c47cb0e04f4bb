"""A small workshop: a data set, a split and stages that write their files without computing anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from psis_bench.files import write_json, write_text
from psis_bench.run import RunDirectory

SCORED = {"class_mean": 0.5, "instance_mean": 0.25}
GROUP = {
    "classes": 1,
    "instances": 2,
    "box": None,
    "mask": None,
    "gt_box_miou": SCORED,
    "full_box": SCORED,
    "ellipse": SCORED,
}
SCORES = {
    "schema": 1,
    "split": {"name": "pets", "version": 1, "hash": "0" * 64},
    "dataset": {"annotations_sha256": "0" * 64, "images": 2, "instances": 4},
    "groups": {"all": GROUP, "seen": GROUP, "unseen": GROUP},
    "notes": ["detection AP left out: the model has no detector"],
}


class Workshop:
    """A folder with ``data.yaml`` and ``split.yaml``; ``calls`` lists the stages that ran, in order.

    ``before`` holds functions that are called when a stage begins, e.g. to interrupt it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "run"
        self.calls: list[str] = []
        self.before: dict[str, Callable[[RunDirectory], object]] = {}
        self.write_annotations("train")
        self.write_annotations("val")
        subsets = {name: {"annotations": f"{name}.json", "images": "images"} for name in ("train", "val")}
        write_json(folder / "data.yaml", {"name": "pets", **subsets})
        self.write_split()

    def write_annotations(self, name: str, *, note: str = "") -> None:
        """Write an annotation file; another ``note`` makes it another file."""
        categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "cow"}]
        write_json(
            self.folder / f"{name}.json",
            {"info": {"note": note}, "images": [], "annotations": [], "categories": categories},
        )

    def write_split(self, *, seen: str = "cat", unseen: str = "dog") -> None:
        """Write ``split.yaml`` with one seen and one unseen class."""
        split = {"name": "pets", "version": 1, "seen": [seen], "unseen": [unseen], "description": "Pets."}
        write_json(self.folder / "split.yaml", split)

    @property
    def keys(self) -> list[str]:
        """The arguments that name data, split and run directory."""
        return [f"split={self.folder}/split.yaml", f"data={self.folder}/data.yaml", f"out={self.out}"]

    def ran(self) -> list[str]:
        """Return the stages that ran since the last call."""
        calls, self.calls = self.calls, []
        return calls

    def begin(self, stage: str, run: RunDirectory) -> None:
        """Note that a stage runs."""
        self.calls.append(stage)
        if stage in self.before:
            self.before[stage](run)

    def train(self, run: RunDirectory) -> None:
        """Stand in for training: counts in a checkpoint how often it was called."""
        previous = run.checkpoints / "last.json"
        sessions = json.loads(previous.read_text())["iteration"] + 1 if previous.is_file() else 1
        write_json(previous, {"iteration": sessions, "file": "iter.pth"})
        self.begin("train", run)
        write_text(run.train_log, json.dumps({"iteration": 1, "loss": 1.0}) + "\n")
        write_text(run.final_weights, f"weights of seed {run.config.seed}, {run.split.seen}")

    def predict(self, run: RunDirectory) -> None:
        """Stand in for prediction."""
        write_text(run.gt_box_masks / "part-00000.parquet", run.final_weights.read_text())
        self.begin("predict", run)
        write_json(run.manifest, {"schema": 1, "complete": True})

    def score_run(
        self,
        *,
        predictions: Path,
        annotations: Path,
        split: Any,
        out: Path,
        details: bool,
        on_bad_boxes: str,
        **asked: bool,
    ) -> None:
        """Stand in for scoring; ``asked`` is what is scored beyond the usual."""
        assert details
        assert on_bad_boxes == "error"
        assert (predictions / "manifest.json").is_file()
        assert annotations.name == "val.json"
        self.calls.append("score")
        if "score" in self.before:
            self.before["score"](RunDirectory.load(out))
        write_text(out / "per_class.csv", "category_id\n")
        write_text(out / "per_instance.parquet", "")
        write_json(
            out / "scores.json", SCORES | {"hash": split.hash(), "asked": [name for name in asked if asked[name]]}
        )

    def build_report(
        self, run_directory: Path, *, annotations: Path, images: Path, split: Any, on_bad_boxes: str
    ) -> Path:
        """Stand in for the report."""
        assert on_bad_boxes == "error"
        assert (annotations.name, images.name, split.name) == ("val.json", "images", "pets")
        self.begin("report", RunDirectory.load(run_directory))
        write_text(run_directory / "report.html", "<html>")
        return run_directory / "report.html"


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A workshop whose stages stand in for the real ones; the current folder is its own."""
    workshop = Workshop(tmp_path)
    stages = {
        "psis_bench.engine.train": {"train": workshop.train},
        "psis_bench.engine.predict": {"predict": workshop.predict},
        "psis_bench.scoring.score": {"score_run": workshop.score_run},
        "psis_bench.report.build": {"build_report": workshop.build_report},
    }
    for name, functions in stages.items():
        module = ModuleType(name)
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("psis_bench.pipeline.require_torch", lambda stage: None)
    monkeypatch.chdir(tmp_path)
    return workshop
