"""The scores of a submission, computed again from its predictions, and where they differ from what it says."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psis_bench.data.problems import Problem
from psis_bench.errors import UserError
from psis_bench.splits.protocol import SplitProtocol
from psis_bench.submissions import reading
from psis_bench.submissions.contents import printable
from psis_bench.submissions.rescoring_process import REFUSED
from psis_bench.submissions.schema import ClassMetrics, Metrics

TOLERANCE = 1e-6
"""Largest difference of a score in [0, 1] to its own recomputation."""

_CURE = "write what the predictions give; psis-bench bundle does"
_LONGEST = 3600.0


@dataclass(frozen=True, kw_only=True)
class Rescored:
    """What predictions give.

    Attributes:
        metrics: Scores of the groups.
        per_class: Scores of the classes.
    """

    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]


def rescore(
    predictions: Path, *, annotations: Path, on_bad_boxes: str, split: SplitProtocol, said: Metrics
) -> Rescored:
    """Score predictions that nobody has checked, in a process of its own with bounds on memory and time.

    Args:
        predictions: Folder with ``detections`` and/or ``gt_box_masks``.
        annotations: The annotation file.
        on_bad_boxes: As the data set says.
        split: Which classes are seen and unseen.
        said: What the scores are said to be: which of those are wanted that are only computed when asked for, and how
            many images there are, which bounds the number of detections.

    Raises:
        UserError: Why the predictions cannot be scored.
    """
    names = {name for group in said.groups.values() for name in group.model_fields_set}
    with tempfile.TemporaryDirectory(prefix="psis_bench_") as folder:
        task = {
            "predictions": str(predictions.absolute()),
            "annotations": str(annotations.absolute()),
            "on_bad_boxes": on_bad_boxes,
            "split": dataclasses.asdict(split),
            "images": said.dataset.images,
            "boundary": any(name.startswith("boundary") for name in names),
            "class_agnostic": any(name.startswith("agnostic") for name in names),
            "out": folder,
        }
        _run(task, predictions)
        out = Path(folder)
        metrics = reading.read_model(out / "scores.json", Metrics)
        return Rescored(metrics=metrics, per_class=reading.read_per_class(out / "per_class.csv"))


def _run(task: dict[str, Any], predictions: Path) -> None:
    # -P: the current folder, which may be the submission's, is no place to import from.
    command = [sys.executable, "-P", "-m", "psis_bench.submissions.rescoring_process"]
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
    cure = "write the predictions again; psis-bench bundle does"
    try:
        done = subprocess.run(
            command,
            input=json.dumps(task),
            stdout=subprocess.PIPE,
            stderr=None if sys.stderr.isatty() else subprocess.PIPE,
            text=True,
            check=False,
            timeout=_LONGEST,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise UserError("scoring takes more than an hour", where=str(predictions), cure=cure) from None
    if done.returncode == 0:
        return
    if done.returncode == REFUSED:
        told = json.loads(done.stdout)
        raise UserError(printable(told["what"]), where=printable(told["where"] or str(predictions)), cure=told["cure"])
    if done.returncode == -signal.SIGXCPU:
        raise UserError("scoring takes longer than its size explains", where=str(predictions), cure=cure)
    if done.returncode < 0:
        what = f"scoring it was ended by {signal.Signals(-done.returncode).name}: too much memory, or damaged files"
        raise UserError(what, where=str(predictions), cure=cure)
    raise RuntimeError(f"scoring {predictions} failed: {(done.stderr or '').strip()[-2000:]}")


def differences_of_metrics(
    said: Metrics, found: Metrics, *, where: str, tolerance: float = TOLERANCE
) -> tuple[list[Problem], float]:
    """Compare the scores of the groups field by field.

    Returns:
        A problem for each field that differs, and the largest difference of two numbers.
    """
    return _differences(_leaves(said), _leaves(found), where=f"{where}: ", tolerance=tolerance)


def differences_of_classes(
    said: tuple[ClassMetrics, ...], found: tuple[ClassMetrics, ...], *, where: str
) -> tuple[list[Problem], float]:
    """Compare the scores of the classes row by row, as `differences_of_metrics` does."""
    problems: list[Problem] = []
    largest = 0.0
    rows = {item.category_id: row for row, item in enumerate(said, start=1)}
    theirs = {item.category_id: item for item in said}
    for item in found:
        mine = theirs.pop(item.category_id, None)
        if mine is None:
            problems.append(Problem(where=where, what=f"has no row for category {item.category_id}", cure=_CURE))
            continue
        place = f"{where}: row {rows[item.category_id]}, "
        values = (mine.model_dump(by_alias=True, exclude_unset=True), item.model_dump(by_alias=True))
        more, difference = _differences(*values, where=place, tolerance=TOLERANCE)
        problems += more
        largest = max(largest, difference)
    for category in theirs:
        place = f"{where}: row {rows[category]}, category_id"
        problems.append(Problem(where=place, what=f"the annotations have no category {category}", cure=_CURE))
    if len(rows) < len(said):
        problems.append(Problem(where=where, what="has a category twice", cure=_CURE))
    return problems, largest


def _differences(
    said: Mapping[str, Any], found: Mapping[str, Any], *, where: str, tolerance: float
) -> tuple[list[Problem], float]:
    problems: list[Problem] = []
    largest = 0.0
    # What an older version did not score yet is not asked for.
    for name, mine in said.items():
        theirs = found.get(name)
        if isinstance(mine, float) and isinstance(theirs, float):
            largest = max(largest, abs(mine - theirs))
            same = abs(mine - theirs) <= tolerance
        else:
            same = mine == theirs
        if not same:
            what = f"is {_shown(mine)}, the predictions give {_shown(theirs)}"
            problems.append(Problem(where=where + name, what=what, cure=_CURE))
    return problems, largest


def _leaves(metrics: Metrics) -> dict[str, Any]:
    """Return every number that is there by its place; the notes, which are words, are left out."""
    values = metrics.model_dump(by_alias=True, exclude={"notes"}, exclude_unset=True)
    return dict(_walk(values, ""))


def _walk(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield prefix + name, {}  # that it is there at all
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _shown(value: Any) -> str:
    if value == {}:
        return "scores"
    return "nothing" if value is None else repr(value) if isinstance(value, float) else ascii(value)
