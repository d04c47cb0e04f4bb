"""The matrices of a sweep: one for each set of runs that differ in split and seed alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from psis_bench.errors import UserError
from psis_bench.sweep.assemble import ALL_CLASSES, Entry, assemble
from psis_bench.sweep.clustering import similar_first
from psis_bench.sweep.matrix import TransferMatrix, nan_mean

SHOWN: Final = ("gt_box_miou", "mask_AP")
"""Metrics of the page, the first with a value is shown first."""
MOST_CELLS: Final = 24_000
"""A matrix with more has only the targets with the most instances on the page."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A matrix as the page shows it.

    Attributes:
        title: What tells its runs from those of the other matrices; empty where there is one matrix.
        matrices: By metric, all with the same sources, targets and seeds.
        instances: Of each target in the scored data; None: not on record.
        alike: Order of rows and of columns in which similar ones are neighbours.
        left_out: How many targets are not shown.
        rows: What a row is: ``"source"``, or ``"setting"`` where each set of runs has one split, the same for all.
    """

    title: str
    matrices: Mapping[str, TransferMatrix]
    instances: Sequence[int | None]
    alike: tuple[list[int], list[int]]
    left_out: int
    rows: str = "source"

    @property
    def first(self) -> TransferMatrix:
        """The metric that is shown first."""
        return next(iter(self.matrices.values()))


def views(entries: Sequence[Entry]) -> tuple[list[View], list[str]]:
    """Return the matrices of a sweep's runs, and a line for each set of runs that gives none.

    Args:
        entries: All runs of the sweep, scored or not.
    """
    found: list[View] = []
    problems: list[str] = []
    groups = _alike(entries)
    for title, alike in groups:
        if all(entry.split == ALL_CLASSES for entry in alike):
            continue
        try:
            view = _view(title, alike)
        except UserError as error:
            problems.append(f"{title}: {error}" if title else str(error))
        else:
            if view is not None:
                found.append(view)
    return _one_of_settings(found), problems


def _one_of_settings(found: list[View]) -> list[View]:
    """Put matrices of one row each, as of a sweep over mask heads, into one whose rows are the settings."""

    def kind(view: View) -> Any:
        first = view.first
        return (first.sources, first.targets, first.seeds, first.protocol, tuple(view.matrices))

    if len(found) < 2 or len({kind(view) for view in found}) > 1 or len(found[0].first.sources) > 1:
        return found
    matrices = {}
    for metric, first in found[0].matrices.items():
        alike = [view.matrices[metric] for view in found]
        matrices[metric] = replace(
            first,
            sources=tuple(view.title for view in found),
            scores=np.concatenate([matrix.scores for matrix in alike]),
            seen=np.concatenate([matrix.seen for matrix in alike]),
            # Each row would have a reference of its own.
            reference=np.empty((len(first.targets), 0)),
        )
    means = next(iter(matrices.values())).mean()
    alike_order = (similar_first(means), similar_first(means.T))
    return [replace(found[0], title="", matrices=matrices, alike=alike_order, rows="setting")]


def _alike(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Return sets of runs with the same settings, each with the settings in which it differs from the others."""
    sets: dict[str, list[Entry]] = {}
    for entry in entries:
        sets.setdefault(json.dumps(dict(entry.settings), sort_keys=True, default=str), []).append(entry)
    firsts = [alike[0].settings for alike in sets.values()]
    keys = list(dict.fromkeys(key for settings in firsts for key in settings))
    differing = [key for key in keys if len({repr(settings.get(key)) for settings in firsts}) > 1]
    named = [key for key in differing if not key.startswith("mm.")] or differing
    return [(" ".join(_as_typed(key, alike[0].settings.get(key)) for key in named), alike) for alike in sets.values()]


def _as_typed(key: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else value
    return f"{'data' if key == 'data.name' else key}={text}"


def _view(title: str, entries: Sequence[Entry]) -> View | None:
    """Return a matrix for the page; None where it has no cell."""
    matrices = {metric: assemble(entries, metric=metric) for metric in SHOWN}
    with_values = {metric: matrix for metric, matrix in matrices.items() if not np.isnan(matrix.scores).all()}
    matrices = with_values or matrices
    first = next(iter(matrices.values()))
    if not first.sources or not first.targets:
        return None
    known = _instances(entries)
    instances = [known.get(name) for name in first.targets]
    kept = _kept(first, instances)
    chosen = {metric: _of_targets(matrix, kept) for metric, matrix in matrices.items()}
    means = nan_mean(next(iter(chosen.values())).scores, axis=2)
    return View(
        title=title,
        matrices=chosen,
        instances=[instances[place] for place in kept],
        alike=(similar_first(means), similar_first(means.T)),
        left_out=len(first.targets) - len(kept),
    )


def _kept(matrix: TransferMatrix, instances: Sequence[int | None]) -> list[int]:
    """Return the places of the targets that fit, in their order: of many those with the most instances."""
    most = max(1, MOST_CELLS // len(matrix.sources))
    by_count = sorted(range(len(instances)), key=lambda place: -(instances[place] or 0))
    return sorted(by_count[:most])


def _of_targets(matrix: TransferMatrix, kept: list[int]) -> TransferMatrix:
    return replace(
        matrix,
        targets=tuple(matrix.targets[place] for place in kept),
        scores=matrix.scores[:, kept],
        seen=matrix.seen[:, kept],
        reference=matrix.reference[kept],
    )


def _instances(entries: Sequence[Entry]) -> dict[str, int]:
    """Return how many instances each class has, from the first run that is scored: all have the same annotations."""
    for entry in entries:
        try:
            with (entry.folder / "per_class.csv").open(encoding="utf-8", newline="") as file:
                return {row["name"]: int(row["instances"]) for row in csv.DictReader(file)}
        except (OSError, KeyError, ValueError):
            continue
    return {}


def scores_of(folder: Path) -> dict[str, float | None]:
    """Return the main scores of a run, e.g. ``{"gt_box_miou.unseen": 0.61}``; empty where it is not scored."""
    try:
        groups: Any = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["groups"]
        found: dict[str, float | None] = {}
        for group in ("unseen", "seen", "all"):
            values = groups.get(group) or {}
            found[f"gt_box_miou.{group}"] = (values.get("gt_box_miou") or {}).get("class_mean")
            found[f"mask_AP.{group}"] = (values.get("mask") or {}).get("AP")
    except (OSError, ValueError, KeyError, AttributeError):
        return {}
    return found
