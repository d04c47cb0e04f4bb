"""The files of a score, read back: of a run, or of a folder that ``psis-bench score ... out=`` wrote."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from psis_bench.errors import UserError
from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.ground_truth import Floats
from psis_bench.scoring.results.scores import Scores

_AGAIN = "score it again: psis-bench score ... overwrite=score"
_FIRST = "give the folder of a run that is scored, or one that psis-bench score ... out= wrote"
_NOT_OF_THE_MODEL = ("seed", "out", "overwrite", "device", "workers", "threads", "boundary", "class_agnostic")


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One line of ``per_class.csv``: the class, its group, and its numbers in [0, 1]; None where there is none."""

    category_id: int
    name: str
    group: str
    values: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class InstanceScores:
    """``per_instance.parquet``.

    Args:
        images: int64 (n,): image ids.
        annotations: int64 (n,): annotation ids.
        categories: int64 (n,): category ids.
        values: Column name -> float64 (n,) in [0, 1], NaN where there is no value (``iou``, ``boundary_iou``, ...).
    """

    images: Ints
    annotations: Ints
    categories: Ints
    values: dict[str, Floats]


@dataclass(frozen=True, kw_only=True)
class ScoredFolder:
    """What a folder with ``scores.json`` holds.

    Args:
        path: The folder.
        scores: ``scores.json``.
        classes: ``per_class.csv``, ascending category ids.
        instances: ``per_instance.parquet``.
        seconds: Seconds of each stage that is recorded, by its name.
        memory: Bytes of memory at most, where that is recorded.
        config: Of a run: everything that decides it but seed and machine; None for another folder.
        seed: Of a run.
    """

    path: Path
    scores: Scores
    classes: tuple[ClassRow, ...]
    instances: InstanceScores
    seconds: dict[str, float] = field(default_factory=dict)
    memory: int | None = None
    config: str | None = None
    seed: int | None = None


def read_scored(folder: Path) -> ScoredFolder:
    """Read the scores of a folder.

    Raises:
        UserError: There are none, or a file of them is missing or damaged.
    """
    path = folder / "scores.json"
    if not path.is_file():
        raise UserError("there are no scores here", where=str(folder), cure=_FIRST)
    try:
        scores = Scores.from_dict(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"cannot be read ({error})", where=str(path), cure=_AGAIN) from error
    config, seed = _config(folder / "config.yaml")
    stages = {stage.stem: _json(stage) for stage in sorted(folder.glob("stages/*.json"))}
    peaks = [stage["peak_memory"] for stage in stages.values() if isinstance(stage.get("peak_memory"), int)]
    return ScoredFolder(
        path=folder,
        scores=scores,
        classes=_classes(folder / "per_class.csv"),
        instances=_instances(folder / "per_instance.parquet"),
        seconds={
            name: float(stage["seconds"])
            for name, stage in stages.items()
            if isinstance(stage.get("seconds"), int | float)
        },
        memory=max(peaks, default=None),
        config=config,
        seed=seed,
    )


def _classes(path: Path) -> tuple[ClassRow, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = [
            ClassRow(
                category_id=int(row["category_id"]),
                name=row["name"],
                group=row["group"],
                values={
                    name: float(text) if text else None
                    for name, text in row.items()
                    if name not in ("category_id", "name", "group", "supercategory")
                },
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot be read ({error})", where=str(path), cure=_AGAIN) from error
    return tuple(sorted(found, key=lambda row: row.category_id))


def _instances(path: Path) -> InstanceScores:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        ids = [table.column(f"{name}_id").to_numpy() for name in ("image", "annotation", "category")]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UserError(f"cannot be read ({error})", where=str(path), cure=_AGAIN) from error
    images, annotations, categories = (np.asarray(column, np.int64) for column in ids)
    values = {
        name: np.asarray(table.column(name).to_numpy(zero_copy_only=False), np.float64)
        for name in table.column_names
        if not name.endswith("_id")
    }
    return InstanceScores(images=images, annotations=annotations, categories=categories, values=values)


def _config(path: Path) -> tuple[str | None, int | None]:
    """Return what two runs that differ in their seed alone share, and the seed."""
    import yaml

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        seed = config.get("seed")
        shared = {key: value for key, value in config.items() if key not in _NOT_OF_THE_MODEL}
        return json.dumps(shared, sort_keys=True, default=str), seed if isinstance(seed, int) else None
    except (OSError, yaml.YAMLError, AttributeError, UnicodeDecodeError):
        return None, None


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
