"""``psis-bench score``: of a run, or of anybody's predictions. Imports no torch."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.commands.arguments import read_arguments
from psis_bench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes
    from psis_bench.scoring.results.scores import Scores

_KEYS = ("split", "data", "data.name", "data.root", "out", "boundary", "class_agnostic", "details", "other")
_KINDS = ("detections", "gt_box_masks")
_WHAT = (
    "give the folder of a run (psis-bench ls runs), a COCO results file, or a prediction folder, with detections/ or "
    "gt_box_masks/ in it"
)


def execute(options: argparse.Namespace) -> int:
    """Score predictions when a file or folder of them is given, and a run otherwise."""
    predictions = _predictions_in(options.arguments)
    if predictions is None:
        return _score_run(options)
    if options.dry_run:
        raise UserError("scoring predictions changes nothing but out=", cure="leave --dry-run out")
    form = form_of(options)
    scores = _score(predictions, options.arguments)
    if form == "json":
        sys.stdout.write(json.dumps(scores.to_dict(), indent=2) + "\n")
    else:
        show_scores(scores, form)
    return 0


def form_of(options: argparse.Namespace) -> str | None:
    """Return ``json``, ``markdown`` or ``csv``, or None for a table.

    Raises:
        UserError: Two of them are asked for.
    """
    chosen = [form for form in ("json", "markdown", "csv") if getattr(options, form, False)]
    if len(chosen) > 1:
        raise UserError(f"--{chosen[0]} and --{chosen[1]} are two forms of one result", cure="choose one of them")
    return chosen[0] if chosen else None


def show_scores(scores: Scores | Mapping[str, Any], form: str | None) -> None:
    """Write scores to standard output.

    Args:
        scores: `Scores`, or the content of ``scores.json``.
        form: ``markdown``, ``csv``, or None for a table.
    """
    from psis_bench.scoring.results import table

    if form is not None:
        sys.stdout.write(table.as_csv(scores) if form == "csv" else table.as_markdown(scores))
        return
    from psis_bench import console

    console.out.print(table.score_table(scores))


def _predictions_in(arguments: Sequence[str]) -> Path | None:
    """Return the results file or prediction folder among the arguments, if there is one."""
    for word in filter(is_word, arguments):
        path = Path(word).expanduser()
        if path.is_file() or path.suffix == ".json":
            return path
        if not (path / "config.yaml").exists() and any((path / kind).is_dir() for kind in _KINDS):
            return path
    return None


def _score_run(options: argparse.Namespace) -> int:
    from psis_bench.commands import stages

    for word in filter(is_word, options.arguments):
        _check_is_run(word)
    details = [word.removeprefix("details=") for word in options.arguments if word.startswith("details=")]
    if not all(is_true({"details": text}, "details") for text in details):
        raise UserError("the scores of a run always have their details", cure="leave details=false out")
    options.arguments = [word for word in options.arguments if not word.startswith("details=")]
    return stages.execute(options)


def _check_is_run(word: str) -> None:
    """Refuse what is neither a run nor predictions; a key without its value is told of with the other keys."""
    from psis_bench.config import RunConfig

    path, keys = Path(word).expanduser(), [item.name for item in fields(RunConfig)]
    if (path / "config.yaml").is_file() or (not path.exists() and word in (*_KEYS, *keys)):
        return
    if not path.exists():
        raise UserError("no such file or folder", where=word, cure=_WHAT)
    if path.name in _KINDS and path.is_dir():
        raise UserError("is a part of a prediction folder", where=word, cure=f"give that folder: {path.parent}")
    raise UserError("neither a run nor predictions are here", where=word, cure=_WHAT)


def is_word(argument: str) -> bool:
    """Whether an argument is no ``key=value``; a path may have an equals sign below its first folder."""
    key, equals, _ = argument.partition("=")
    return not equals or "/" in key


def _score(predictions: Path, arguments: Sequence[str]) -> Scores:
    if not predictions.exists():
        raise UserError("no such file", where=str(predictions), cure="give a COCO results file, or a prediction folder")
    rest = [word for word in arguments if not is_word(word) or Path(word).expanduser() != predictions]
    further, values = read_arguments(rest, _KEYS)
    if further is not None:
        raise UserError(f"{further!r} is one word too many", cure=f"{predictions} is what is scored")
    if "split" not in values:
        raise UserError("no split is given", cure="add split=..., as in split=voc2nonvoc (psis-bench ls splits)")
    boundary, class_agnostic, details = (is_true(values, key) for key in ("boundary", "class_agnostic", "details"))
    out = Path(values["out"]).expanduser() if "out" in values else None
    if out is not None and (out / "config.yaml").exists():
        raise UserError("is the folder of a run", where=str(out), cure="choose another out= for these scores")
    if out is not None and out.is_file():
        raise UserError("is a file", where=str(out), cure="give out= a folder")
    from psis_bench.scoring.score import score_run
    from psis_bench.splits.registry import get_split

    split = get_split(values["split"])
    annotations, on_bad_boxes = annotations_of(values)
    # Other packages print; standard output is for the result alone.
    with contextlib.redirect_stdout(sys.stderr):
        scores = score_run(
            predictions=predictions,
            annotations=annotations,
            split=split,
            out=out,
            boundary=boundary,
            class_agnostic=class_agnostic,
            details=details,
            other=Path(values["other"]).expanduser() if "other" in values else None,
            on_bad_boxes=on_bad_boxes,
        )
    if out is not None:
        from psis_bench.scoring.comparing.sources import Source, write_source

        source = Source(
            predictions=predictions, annotations=annotations, on_bad_boxes=on_bad_boxes, limit=split.max_detections
        )
        write_source(out, source)
    return scores


def annotations_of(values: dict[str, str]) -> tuple[Path, OnBadBoxes]:
    """Return the annotation file that ``data=`` stands for, and what to do about its bad boxes."""
    name = values.get("data", values.get("data.name"))
    if name is None:
        raise UserError("no data set is given", cure="add data=coco, a data set's .yaml, or an annotation file (.json)")
    if name.endswith(".json"):
        if "data.root" in values:
            raise UserError("data.root= goes with the name or the YAML of a data set", cure="leave it out")
        return Path(name).expanduser(), "error"
    from psis_bench.data.dataset_config import get_dataset

    dataset = get_dataset(name, root=values.get("data.root"))
    if dataset.synthetic is not None and not dataset.val.annotations.is_file():
        raise UserError(
            f"data set {dataset.name!r} is not made yet, so that no predictions can be of it",
            where=str(dataset.val.annotations),
            cure=did_you_mean(name, ["coco", "a path to a .yaml", "an annotation file (.json)"]),
        )
    return dataset.val.annotations, dataset.on_bad_boxes


def is_true(values: Mapping[str, str], key: str) -> bool:
    """Return whether a key is given as ``true``; without it, it is not.

    Raises:
        UserError: It is neither ``true`` nor ``false``.
    """
    value = values.get(key, "false").lower()
    if value not in ("true", "false"):
        raise UserError(f"{key} must be true or false, not {values[key]!r}")
    return value == "true"
