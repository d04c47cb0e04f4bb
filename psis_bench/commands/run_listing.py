"""The runs below a folder: how far each is, and its main numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.run import RunDirectory, Stage
from psis_bench.scoring.results.extra_masks import is_marked
from psis_bench.scoring.results.probe_mark import is_probe


def list_runs(folder: Path) -> list[dict[str, Any]]:
    """Return one row a run directory found in ``folder``, itself included, at most three folders deep.

    Args:
        folder: Where to look; it need not exist.

    Returns:
        Rows with ``run``, a state for each stage (``done``, ``begun``, ``-``; for a begun training its iteration)
        and, in [0, 1] or None, the class mean of GT-box mIoU and mask AP of seen and unseen classes; ``extra_masks``
        tells whether masks were learned from that the split does not allow, ``probe`` whether the run is of probe mode.
    """
    return [_row(path.parent, folder) for path in sorted(set(_config_files(folder)))]


def _config_files(folder: Path) -> Iterator[Path]:
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        yield from folder.glob(f"{depth}config.yaml")


def _row(path: Path, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"run": str(path.relative_to(folder)) if path != folder else str(path)}
    try:
        run = RunDirectory.load(path)
        row |= {str(stage): _state(run, stage) for stage in Stage}
    except UserError:
        row |= {str(stage): "damaged" for stage in Stage}
    scores = _read(path / "scores.json")
    for group in ("seen", "unseen"):
        row[f"mIoU_{group}"] = _number(scores, group, "gt_box_miou", "class_mean")
    for group in ("seen", "unseen"):
        row[f"AP_{group}"] = _number(scores, group, "mask", "AP")
    notes = [str(note) for note in scores.get("notes") or ()]
    row |= {"extra_masks": is_marked(notes), "probe": is_probe(notes)}
    return row


def _state(run: RunDirectory, stage: Stage) -> str:
    if run.marker(stage).is_file():
        return "done"
    if stage is Stage.TRAIN and (iteration := _read(run.checkpoints / "last.json").get("iteration")) is not None:
        return str(iteration)
    return "begun" if run.started(stage).is_file() or run.has_results_of(stage) else "-"


def _number(scores: dict[str, Any], *keys: str) -> float | None:
    value: Any = scores.get("groups")
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
