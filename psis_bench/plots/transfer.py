"""The transfer matrix that Figures 5a and 5b are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.plots.request import Request
from psis_bench.scoring.results.probe_mark import NOTE
from psis_bench.sweep.assemble import ALL_CLASSES, Entry, assemble, choose_entries, find_entries
from psis_bench.sweep.matrix import METRICS, PROBE, TransferMatrix, read_matrix

OWN_KEYS = ("metric", "sources", "targets", "groups", "reference", "order")
_OF_WRITTEN = ("groups", "order")


def matrix_of(request: Request) -> TransferMatrix:
    """Return the matrix that a request names: of runs, or a matrix that was written.

    Raises:
        UserError: No run has the metric, a written matrix is to be another one, or see
            `psis_bench.sweep.assemble.assemble`.
    """
    request.need_paths(f"psis-bench plot {request.name} runs/sweeps/transfer")
    if len(request.paths) == 1 and request.paths[0].suffix == ".parquet":
        choosing = next((key for key in request.values if key not in _OF_WRITTEN), None)
        if choosing:
            raise UserError(
                f"a written matrix is drawn as it is, so that {choosing}= has no meaning",
                where=str(request.paths[0]),
                cure="leave it out, or give the folder of the sweep",
            )
        matrix = read_matrix(request.paths[0])
    else:
        where = {key: value for key, value in request.values.items() if key not in OWN_KEYS}
        entries = choose_entries(find_entries(request.paths), where)
        metric = request.values.get("metric") or metric_of(entries)
        matrix = assemble(
            entries,
            metric=metric,
            sources=request.listed("sources"),
            targets=request.listed("targets"),
            reference=request.values.get("reference", ALL_CLASSES),
        )
    if matrix.holes() == matrix.scores.size:
        other = "gt_box_miou" if matrix.metric != "gt_box_miou" else "mask_AP"
        raise UserError(f"no run has {METRICS[matrix.metric]}", cure=f"choose another, as in metric={other}")
    groups = request.values.get("groups")
    return matrix.grouped(read_groups(Path(groups))) if groups else matrix


def metric_of(entries: Sequence[Entry]) -> str:
    """Return mask AP where a run has a detector, and GT-box mIoU otherwise."""
    import csv

    for entry in entries:
        path = entry.folder / "per_class.csv"
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                if any(row.get("mask_AP") for row in csv.DictReader(file)):
                    return "mask_AP"
    return "gt_box_miou"


def read_groups(path: Path) -> Mapping[str, list[str]]:
    """Read a YAML file of groups of classes.

    Raises:
        UserError: It is missing, or is not names with lists of names.
    """
    import yaml

    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), cure="give the path of a YAML file with groups=") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path)) from None
    if not isinstance(content, dict) or not all(isinstance(names, list) and names for names in content.values()):
        raise UserError("holds no groups", where=str(path), cure="write lines like animals: [cat, dog]")
    return {str(group): [str(name) for name in names] for group, names in content.items()}


def describe(matrix: TransferMatrix) -> list[str]:
    """Return what a reader of the picture has to know, one line each."""
    sources, targets, seeds = matrix.scores.shape
    counts = ((sources, "source"), (targets, "target"), (seeds, "seed"))
    shape = ", ".join(f"{count} {name}{'s' * (count != 1)}" for count, name in counts)
    lines = [f"{METRICS[matrix.metric]}: {shape}"]
    if seeds == 1:
        lines.append("one seed says nothing about others: there are no intervals")
    if matrix.protocol == PROBE:
        lines.append(NOTE)
    if matrix.holes():
        lines.append(f"{matrix.holes()} of {matrix.scores.size} scores are missing and stay empty")
    return lines


def metric_label(matrix: TransferMatrix) -> str:
    """Return the name of the metric, with the protocol where it is not the full one."""
    return METRICS[matrix.metric] + (" (probe)" if matrix.protocol == PROBE else "")
