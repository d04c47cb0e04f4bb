"""Reads what a run directory holds, for the report; what is missing is None or empty, never an error.

Only ``config.yaml`` and the three files of the scores must exist; everything else has a section that
says it is missing.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

PER_CLASS_COLUMNS = (
    "category_id", "name", "group", "instances", "box_AP", "mask_AP", "gt_box_miou", "full_box_miou", "ellipse_miou",
)  # fmt: skip
PER_INSTANCE_COLUMNS = ("image_id", "annotation_id", "category_id", "area", "iou", "full_box_iou", "ellipse_iou")


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """The files of one run, read.

    Attributes:
        directory: The run directory.
        config: ``config.yaml``.
        scores: ``scores.json``.
        per_class: ``per_class.csv``; IoU and AP in [0, 1], NaN where there is none.
        per_instance: ``per_instance.parquet`` with the class's ``name`` and ``group`` joined on.
        log: One record a logged iteration of training, ascending; empty without ``train_log.jsonl``.
        manifest: ``predictions/manifest.json``; empty when there is none.
        stages: What ``stages/<stage>.json`` says, by stage.
        notes: What could not be read, to be told on the page.
    """

    directory: Path
    config: dict[str, Any]
    scores: dict[str, Any]
    per_class: pd.DataFrame
    per_instance: pd.DataFrame
    log: list[dict[str, float]] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_run(directory: Path) -> RunFiles:
    """Read a run directory.

    Raises:
        UserError: There is no run or no scores there, or a file of the scores is damaged.
    """
    notes: list[str] = []
    per_class = _read_per_class(directory / "per_class.csv")
    return RunFiles(
        directory=directory,
        config=_read_config(directory / "config.yaml"),
        scores=_read_scores(directory / "scores.json"),
        per_class=per_class,
        per_instance=_read_per_instance(directory / "per_instance.parquet", per_class),
        log=_read_log(directory / "train_log.jsonl", notes),
        manifest=_read_optional(directory / "predictions" / "manifest.json", notes),
        stages={path.stem: _read_optional(path, notes) for path in sorted(directory.glob("stages/*.json"))},
        notes=notes,
    )


def _needed(path: Path, cure: str) -> Path:
    if not path.is_file():
        raise UserError("no such file", where=str(path), cure=cure)
    return path


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"cannot be read: {error}", where=str(path), cure="score the run again with overwrite=score")


def _read_config(path: Path) -> dict[str, Any]:
    import yaml

    try:
        value = yaml.safe_load(_needed(path, "give the directory of a run").read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", where=str(path), cure="start the run in a new directory") from error
    if not isinstance(value, dict):
        raise UserError("is not a mapping", where=str(path), cure="start the run in a new directory")
    return value


def _read_scores(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_needed(path, "score the run first").read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(value, dict) or not isinstance(value.get("groups"), dict):
        raise _damaged(path, ValueError("there is no 'groups'"))
    return value


def _read_per_class(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        # A class may be called "None" or "nan": only an empty field of a number is a missing value.
        table = pd.read_csv(
            _needed(path, "score the run first"),
            dtype={"name": str, "group": str},
            keep_default_na=False,
            na_values=[""],
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    _check_columns(path, table, PER_CLASS_COLUMNS)
    table["name"] = table["name"].fillna("")
    return table


def _read_per_instance(path: Path, per_class: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        table = pd.read_parquet(_needed(path, "score the run first"))
    except (pa.ArrowException, ValueError) as error:
        raise _damaged(path, error) from error
    _check_columns(path, table, PER_INSTANCE_COLUMNS)
    return table.merge(
        per_class[["category_id", "name", "group"]], on="category_id", how="inner", validate="many_to_one"
    )


def _check_columns(path: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise _damaged(path, ValueError(f"no column {missing[0]!r}"))


def _read_log(path: Path, notes: list[str]) -> list[dict[str, float]]:
    """Read the training log; a line cut off by a kill is left out, and of a repeated iteration the later one counts."""
    if not path.is_file():
        return []
    records: dict[int, dict[str, float]] = {}
    unread = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            iteration = int(record["iteration"])
        except (ValueError, KeyError, TypeError):
            unread += bool(line.strip())
            continue
        records[iteration] = {key: _number(value) for key, value in record.items()}
    if unread:
        notes.append(f"train_log.jsonl: {unread} line(s) could not be read and are left out")
    return [records[iteration] for iteration in sorted(records)]


def _number(value: object) -> float:
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return math.nan


def _read_optional(path: Path, notes: list[str]) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    notes.append(f"{path.name} could not be read")
    return {}
