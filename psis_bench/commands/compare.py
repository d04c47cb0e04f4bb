"""``psis-bench compare``: two or more scored runs side by side. Imports no torch."""

from __future__ import annotations

import argparse
import contextlib
import json
import string
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from psis_bench.commands.arguments import read_arguments
from psis_bench.commands.score import annotations_of, form_of, is_word
from psis_bench.errors import UserError

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes
    from psis_bench.run_lengths import Ints
    from psis_bench.scoring.comparing.comparison import Comparison, Entry
    from psis_bench.scoring.comparing.moved_classes import ClassDifference
    from psis_bench.scoring.comparing.sampled_scores import Metric
    from psis_bench.scoring.comparing.scored_folder import ScoredFolder
    from psis_bench.scoring.inputs.detections import Detections
    from psis_bench.scoring.inputs.ground_truth import GroundTruth

_KEYS = ("split", "data", "data.name", "data.root", "draws", "boundary")
_CURE = "give two or more folders of scored runs, as in psis-bench compare runs/a runs/b"


@dataclass(frozen=True, kw_only=True)
class Given:
    """One thing to compare: its scores, and where its detections and annotations are, if they are to be had."""

    scored: ScoredFolder
    predictions: Path
    annotations: Path | None
    on_bad_boxes: OnBadBoxes
    limit: int


def execute(options: argparse.Namespace) -> int:
    """Compare what is given."""
    form = form_of(options)
    words = [word for word in options.arguments if is_word(word)]
    _, values = read_arguments([word for word in options.arguments if not is_word(word)], _KEYS)
    draws = _draws(values.pop("draws", "1000"))
    if len(words) < 2:
        raise UserError(f"{len(words) or 'nothing'} to compare" if len(words) != 1 else "one run alone", cure=_CURE)
    with contextlib.redirect_stdout(sys.stderr):
        given = [_given(Path(word).expanduser(), values) for word in words]
        comparison, classes = _compare(given, draws)
    _show(comparison, classes, form=form, every_class=options.all)
    return 0


def _draws(text: str) -> int:
    if not text.isdecimal() or not 100 <= int(text) <= 100_000:
        raise UserError(f"draws={text} is no number of draws", cure="give a whole number from 100 to 100000")
    return int(text)


def _given(path: Path, values: dict[str, str]) -> Given:
    from psis_bench.scoring.comparing.scored_folder import read_scored

    if not path.exists():
        raise UserError("no such folder", where=str(path), cure=_CURE)
    is_predictions = any((path / kind).is_dir() for kind in ("detections", "gt_box_masks"))
    if path.is_file() or (is_predictions and not (path / "scores.json").exists()):
        return _score(path, values)
    scored = read_scored(path)
    if not (path / "config.yaml").is_file():
        return Given(scored=scored, predictions=path, annotations=None, on_bad_boxes="error", limit=100)
    from psis_bench.run import RunDirectory

    run = RunDirectory.load(path)
    try:
        annotations, rule = run.dataset.val.annotations, run.dataset.on_bad_boxes
        limit = run.split.max_detections
    except UserError:
        # The data set or the split of the run is gone; its scores are still there.
        return Given(scored=scored, predictions=run.predictions, annotations=None, on_bad_boxes="error", limit=100)
    return Given(scored=scored, predictions=run.predictions, annotations=annotations, on_bad_boxes=rule, limit=limit)


def _score(path: Path, values: dict[str, str]) -> Given:
    """Score predictions that have no scores yet."""
    from psis_bench.scoring.comparing.scored_folder import read_scored
    from psis_bench.scoring.score import score_run
    from psis_bench.splits.registry import get_split

    if "split" not in values:
        raise UserError("is not scored, and no split is given", where=str(path), cure="add split=... and data=...")
    split = get_split(values["split"])
    annotations, rule = annotations_of(values)
    with tempfile.TemporaryDirectory() as folder:
        score_run(
            predictions=path,
            annotations=annotations,
            split=split,
            out=Path(folder),
            boundary=values.get("boundary", "false").lower() == "true",
            on_bad_boxes=rule,
        )
        scored = replace(read_scored(Path(folder)), path=path)
    return Given(
        scored=scored, predictions=path, annotations=annotations, on_bad_boxes=rule, limit=split.max_detections
    )


def _compare(given: Sequence[Given], draws: int) -> tuple[Comparison, list[tuple[Metric, Sequence[ClassDifference]]]]:
    import numpy as np

    from psis_bench.console import progress
    from psis_bench.scoring.comparing.bootstrap import image_weights
    from psis_bench.scoring.comparing.comparison import (
        Entry,
        check_comparable,
        compare,
        names_of_entries,
        paired_by_seed,
        runs_of_entries,
    )
    from psis_bench.scoring.comparing.moved_classes import class_differences
    from psis_bench.scoring.comparing.sampled_scores import sample_scores

    check_comparable([one.scored for one in given])
    by_path = {one.scored.path: one for one in given}
    groups = runs_of_entries([one.scored for one in by_path.values()])
    if len(by_path) < 2:
        raise UserError("the same folder is given twice", where=str(given[0].scored.path), cure=_CURE)
    if len(groups) == 1:  # seeds of one model, held against each other
        groups = [(run,) for run in groups[0]]
    notes: list[str] = []
    truth = _truth(given, notes)
    images = given[0].scored.scores.dataset.images
    image_ids: Ints = np.unique(given[0].scored.instances.images) if truth is None else truth.image_ids
    weights = image_weights(images, draws=draws)
    entries: list[Entry] = []
    with progress("compare", total=len(by_path)) as bar:
        for place, (runs, name) in enumerate(zip(groups, names_of_entries(groups), strict=True)):
            samples = []
            for run in runs:
                one = by_path[run.path]
                detections = _detections(one, truth)
                samples.append(
                    sample_scores(
                        run, image_ids=image_ids, weights=weights, detections=detections, max_detections=one.limit
                    )
                )
                bar.advance()
            entries.append(Entry(label=_label(place), runs=runs, samples=tuple(samples), name=name))
    if len(entries) == 2 and not paired_by_seed(*entries):
        notes.append("the difference has no interval: the two have other seeds, so that they cannot be paired")
    comparison = compare(entries, notes=notes)
    classes: list[tuple[Metric, Sequence[ClassDifference]]] = []
    if len(entries) == 2:
        classes += [(metric, class_differences(entries[0], entries[1], metric)) for metric in comparison.metrics]
    return comparison, classes


def _label(place: int) -> str:
    letters = string.ascii_uppercase
    return letters[place % 26] * (place // 26 + 1)


def _truth(given: Sequence[Given], notes: list[str]) -> GroundTruth | None:
    """Return the annotations when any run has detections of which AP can be taken again; else say so."""
    if not any(one.scored.scores.groups["all"].box for one in given):
        return None
    expected = given[0].scored.scores.dataset.annotations_sha256
    for one in given:
        if one.annotations is not None and one.annotations.is_file():
            from psis_bench.data.coco_format import read_coco
            from psis_bench.scoring.inputs.ground_truth import read_ground_truth

            coco = read_coco(one.annotations, on_bad_boxes=one.on_bad_boxes)
            if coco.sha256 == expected:
                return read_ground_truth(coco)
    notes.append("AP has no interval: predictions and annotations are not beside the scores")
    return None


def _detections(one: Given, truth: GroundTruth | None) -> tuple[GroundTruth, Detections] | None:
    from psis_bench.scoring.inputs.predictions import counted_detections

    if truth is None or one.scored.scores.groups["all"].box is None or one.annotations is None:
        return None
    if not one.predictions.is_file() and not (one.predictions / "detections").is_dir():
        return None
    detections, _ = counted_detections(one.predictions, truth, one.limit)
    return None if detections is None else (truth, detections)


def _show(
    comparison: Comparison,
    classes: Sequence[tuple[Metric, Sequence[ClassDifference]]],
    *,
    form: str | None,
    every_class: bool,
) -> None:
    from psis_bench.scoring.comparing import comparison_table as tables
    from psis_bench.scoring.comparing.comparison import to_dict

    if form == "json":
        listed = {
            metric.key: [{**vars(row), "difference": vars(row.difference)} for row in rows] for metric, rows in classes
        }
        sys.stdout.write(json.dumps({**to_dict(comparison), "classes": listed}, indent=2) + "\n")
        return
    if form == "csv":
        sys.stdout.write(tables.as_csv(comparison, classes))
        return
    shown = [(metric, [row for row in rows if every_class or row.moved]) for metric, rows in classes]
    found = tables.sheets(comparison, shown)
    if form == "markdown":
        sys.stdout.write(tables.as_markdown(found, comparison))
        return
    from rich.measure import Measurement

    from psis_bench import console

    for sheet in found:
        table = tables.as_rich(sheet)
        # Wider than the terminal rather than cut off.
        width = Measurement.get(console.out, console.out.options.update(width=1000), table).maximum
        table.width = width if width > console.out.width else None
        console.out.print(table, crop=False)
    known = any(row.p_value is not None for _, rows in classes for row in rows)
    if known and not any(rows for _, rows in shown):
        console.out.print("No class moved by more than chance explains.")
    for line in [*tables.legend(comparison), *comparison.notes]:
        console.out.print(line, soft_wrap=True, markup=False)
