"""``psis-bench compare``: two or more scored runs side by side. Imports no torch."""

from __future__ import annotations

import argparse
import contextlib
import json
import string
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from psis_bench.commands.arguments import read_arguments
from psis_bench.commands.score import annotations_of, form_of, is_true, is_word
from psis_bench.errors import UserError

if TYPE_CHECKING:
    from psis_bench.run_lengths import Ints
    from psis_bench.scoring.comparing.comparison import Comparison
    from psis_bench.scoring.comparing.moved_classes import ClassDifference
    from psis_bench.scoring.comparing.sampled_scores import Metric, SampledScores
    from psis_bench.scoring.comparing.scored_folder import ScoredFolder
    from psis_bench.scoring.comparing.sources import Sought, Source

_KEYS = ("split", "data", "data.name", "data.root", "draws", "boundary")
_CURE = "give two or more folders of scored runs, as in psis-bench compare runs/a runs/b"


@dataclass(frozen=True, kw_only=True)
class Given:
    """One thing to compare: its scores, and what they were taken from."""

    scored: ScoredFolder
    source: Source


def execute(options: argparse.Namespace) -> int:
    """Compare what is given."""
    form = form_of(options)
    words = [Path(word).expanduser() for word in options.arguments if is_word(word)]
    _, values = read_arguments([word for word in options.arguments if not is_word(word)], _KEYS)
    draws, boundary = _draws(values.pop("draws", "1000")), is_true(values, "boundary")
    if len(words) < 2:
        raise UserError(f"{len(words) or 'nothing'} to compare" if len(words) != 1 else "one run alone", cure=_CURE)
    for path in words:
        if not path.exists():
            raise UserError("no such file or folder", where=str(path), cure=_CURE)
    if values and not any(is_unscored(path) for path in words):
        raise UserError(
            f"{next(iter(values))}= is for predictions that are scored first, and all of these have their scores",
            cure="leave it out, or give results files or prediction folders",
        )
    with contextlib.redirect_stdout(sys.stderr):
        given = [_score(path, values, boundary=boundary) if is_unscored(path) else _read(path) for path in words]
        comparison, classes = _compare(given, draws)
    _show(comparison, classes, form=form, every_class=options.all)
    return 0


def _draws(text: str) -> int:
    if not text.isdecimal() or not 100 <= int(text) <= 100_000:
        raise UserError(f"draws={text} is no number of draws", cure="give a whole number from 100 to 100000")
    return int(text)


def is_unscored(path: Path) -> bool:
    """Whether a path is a results file, or a prediction folder without scores."""
    is_predictions = any((path / kind).is_dir() for kind in ("detections", "gt_box_masks"))
    return path.is_file() or (is_predictions and not (path / "scores.json").exists())


def _read(path: Path) -> Given:
    """Read the scores of a run, or of a folder of scores."""
    from psis_bench.scoring.comparing.scored_folder import read_scored
    from psis_bench.scoring.comparing.sources import Source, read_source

    scored = read_scored(path)
    if not (path / "config.yaml").is_file():
        return Given(scored=scored, source=read_source(path))
    from psis_bench.run import RunDirectory

    run = RunDirectory.load(path)
    try:
        data, limit = run.dataset, run.split.max_detections
    except UserError:
        # The data set or the split of the run is gone; its scores are still there.
        return Given(scored=scored, source=Source(missing="the data set or the split of its configuration is gone"))
    source = Source(
        predictions=run.predictions, annotations=data.val.annotations, on_bad_boxes=data.on_bad_boxes, limit=limit
    )
    return Given(scored=scored, source=source)


def _score(path: Path, values: dict[str, str], *, boundary: bool) -> Given:
    """Score predictions that have no scores yet."""
    from psis_bench.scoring.comparing.scored_folder import read_scored
    from psis_bench.scoring.comparing.sources import Source
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
            boundary=boundary,
            on_bad_boxes=rule,
        )
        scored = replace(read_scored(Path(folder)), path=path)
    return Given(
        scored=scored,
        source=Source(predictions=path, annotations=annotations, on_bad_boxes=rule, limit=split.max_detections),
    )


def _compare(given: Sequence[Given], draws: int) -> tuple[Comparison, list[tuple[Metric, Sequence[ClassDifference]]]]:
    from psis_bench.console import progress
    from psis_bench.scoring.comparing.comparison import (
        Entry,
        check_comparable,
        compare,
        names_of_entries,
        paired_by_seed,
        runs_of_entries,
    )
    from psis_bench.scoring.comparing.moved_classes import class_differences

    check_comparable([one.scored for one in given])
    by_path = {one.scored.path: one for one in given}
    groups = runs_of_entries([one.scored for one in by_path.values()])
    if len(by_path) < 2:
        raise UserError("the same folder is given twice", where=str(given[0].scored.path), cure=_CURE)
    if len(groups) == 1:  # seeds of one model, held against each other
        groups = [(run,) for run in groups[0]]
    notes: list[str] = []
    sought = _sought(given, notes)
    draw = _sampler(given, sought, draws)
    entries: list[Entry] = []
    with progress("compare", total=len(by_path)) as bar:
        for place, (runs, name) in enumerate(zip(groups, names_of_entries(groups), strict=True)):
            samples = []
            for run in runs:
                sample, why = draw(by_path[run.path])
                notes += [f"{_label(place)}: AP of {run.path} has no interval: {why}"] if why else []
                samples.append(sample)
                bar.advance()
            more = sought.groups if sought else {}
            entries.append(Entry(label=_label(place), runs=runs, samples=tuple(samples), name=name, groups=more))
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


def _sought(given: Sequence[Given], notes: list[str]) -> Sought | None:
    """Return the annotations where they are needed and found; say so where AP has no interval for want of them."""
    from psis_bench.scoring.comparing.comparison import GROUPS
    from psis_bench.scoring.comparing.sources import read_sought

    scores = [one.scored.scores for one in given]
    has_ap = any(part.groups["all"].box for part in scores)
    further = [group for group in scores[0].groups if group not in GROUPS[:3]]
    if not has_ap and not further:
        return None
    found = read_sought((one.source for one in given), sha256=scores[0].dataset.annotations_sha256)
    if found is None:
        lacking = " and ".join(["AP"] * has_ap + [f"the groups {', '.join(further)}"] * bool(further))
        cure = "score again, or give the predictions"
        notes.append(f"no intervals of {lacking}: the annotation file is not found; {cure}")
    elif found.is_lvis and has_ap:
        notes.append("AP has no interval: it is taken by LVIS's rules, and is not taken again under draws of images")
    return found


def _sampler(given: Sequence[Given], sought: Sought | None, draws: int) -> Callable[[Given], tuple[SampledScores, str]]:
    """Return what scores one of the given under draws that all share, and says why it has no AP where that is so."""
    import numpy as np

    from psis_bench.scoring.comparing.bootstrap import image_weights
    from psis_bench.scoring.comparing.sampled_scores import METRICS, sample_scores
    from psis_bench.scoring.comparing.sources import detections_of

    first = given[0].scored
    image_ids: Ints = np.unique(first.instances.images) if sought is None else sought.truth.image_ids
    weights = image_weights(first.scores.dataset.images, draws=draws)

    def sample(one: Given) -> tuple[SampledScores, str]:
        has_ap = one.scored.scores.groups["all"].box is not None
        again, why = sought if has_ap and sought is not None and not sought.is_lvis else None, ""
        detections = None
        if again is not None:
            detections, why = detections_of(one.source, again)
        found = sample_scores(
            one.scored,
            image_ids=image_ids,
            weights=weights,
            detections=(again.truth, detections) if again is not None and detections is not None else None,
            max_detections=one.source.limit,
        )
        aps = [metric for metric in METRICS if metric.instance is None and metric.of(one.scored.scores.groups["all"])]
        if detections is not None and any(metric.key not in found.classes for metric in aps):
            why = f"{one.source.predictions} does not give the AP on record; score it again"
        return found, why

    return sample


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
    found = tables.sheets(comparison, shown, most=None if every_class else tables.MOST)
    if form == "markdown":
        sys.stdout.write(tables.as_markdown(found, comparison))
        return
    from psis_bench import console

    for sheet in found:
        console.out.print(sheet.title, style="italic", soft_wrap=True, markup=False)
        console.out.print(tables.as_rich(sheet, width=console.out.width), crop=False)
    known = any(row.p_value is not None for _, rows in classes for row in rows)
    if known and not any(rows for _, rows in shown):
        console.out.print("No class moved by more than chance explains.")
    for line in [*tables.legend(comparison), *comparison.notes]:
        console.out.print(line, soft_wrap=True, markup=False)
