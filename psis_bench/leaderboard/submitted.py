"""Turns the submissions below ``model_zoo/submissions`` into rows: the seeds of one model become one row.

A folder is ``<split>@<version>/<model>/<seed>``; what it holds is checked by `psis_bench.submissions.schema`. Nothing
of a submission is run, and its predictions are not opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError
from psis_bench.leaderboard.rows import (
    METRICS,
    TIERS,
    ClassScore,
    Estimate,
    Link,
    Row,
    SeedScores,
    SplitKey,
)
from psis_bench.scoring.results.extra_masks import MARK

if TYPE_CHECKING:
    from psis_bench.submissions.schema import GroupMetrics, LoadedSubmission, Submission


def read_submitted(folder: Path) -> tuple[list[Row], list[str]]:
    """Return the rows of every submission, and one line for each that could not be read.

    Args:
        folder: ``model_zoo/submissions``; it need not exist.
    """
    rows: list[Row] = []
    faults: list[str] = []
    for model in sorted(_model_folders(folder)):
        seeds: list[LoadedSubmission] = []
        for path in sorted(path for path in model.iterdir() if path.is_dir() and not path.name.startswith(".")):
            try:
                seeds.append(_load(path, folder))
            except UserError as error:
                faults.append(str(error))
        rows += [_row(list(group)) for group in _of_equal_data(seeds)]
    return rows, faults


def _model_folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for split in folder.iterdir():
            if split.is_dir() and not split.name.startswith("."):
                yield from (path for path in split.iterdir() if path.is_dir() and not path.name.startswith("."))


def _load(path: Path, root: Path) -> LoadedSubmission:
    from psis_bench.submissions.schema import load_submission, place_of

    loaded = load_submission(path)
    place = place_of(loaded.submission).as_posix()
    if path.relative_to(root).as_posix() != place:
        raise UserError(f"lies in the wrong folder for what it says, {place}", where=str(path), cure="move it there")
    return loaded


def _of_equal_data(seeds: Sequence[LoadedSubmission]) -> Iterator[list[LoadedSubmission]]:
    """Group the seeds of a model by what they were scored on: a mean over different images means nothing."""
    groups: dict[tuple[str, str], list[LoadedSubmission]] = {}
    for loaded in seeds:
        dataset = loaded.submission.dataset
        groups.setdefault((dataset.name, dataset.annotations_sha256), []).append(loaded)
    for group in groups.values():
        yield sorted(group, key=lambda loaded: loaded.submission.training.seed)


def _row(seeds: Sequence[LoadedSubmission]) -> Row:
    first = seeds[0].submission
    per_seed = tuple(
        SeedScores(loaded.submission.training.seed, str(loaded.tier), numbers_of(loaded.metrics.groups))
        for loaded in seeds
    )
    suffix = f"-{first.dataset.name}-{first.dataset.annotations_sha256[:8]}"
    return Row(
        name=first.model.name + suffix,
        title=_title(first),
        tier=min((scores.tier for scores in per_seed), key=list(TIERS).index),
        split=SplitKey(first.split.name, first.split.version),
        data=first.dataset.name,
        annotations=first.dataset.annotations_sha256,
        numbers=_means([scores.numbers for scores in per_seed]),
        backbone=first.model.backbone,
        mask_head=first.model.mask_head,
        parameters=first.model.parameters,
        ms_per_image=_mean([loaded.submission.training.ms_per_image for loaded in seeds]),
        seeds=tuple(scores.seed for scores in per_seed),
        source=_authors(first),
        facts=_facts(first),
        links=_links(first),
        notes=_notes(seeds),
        commands=_commands(seeds[0]),
        how=_how(first),
        classes=_classes(seeds),
        per_seed=per_seed,
        model=first.model.name,
        folder=seeds[0].folder,
    )


def numbers_of(groups: Mapping[Any, GroupMetrics]) -> dict[str, float]:
    """Return the scores of ``metrics.json`` under the keys of a row; what is null is left out."""
    found: dict[str, float | None] = {}
    for name, group in groups.items():
        for metric, scores in (("mask", group.mask), ("box", group.box)):
            if scores is not None:
                found |= {f"{metric}_{key}.{name}": value for key, value in scores.model_dump(by_alias=True).items()}
        for metric in ("gt_box_miou", "boundary_miou", "full_box", "ellipse"):
            mean = getattr(group, metric)
            found[f"{metric}.{name}"] = None if mean is None else mean.class_mean
    return {key: value for key, value in found.items() if value is not None and key.partition(".")[0] in METRICS}


def _means(per_seed: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Return means with Student's intervals over seeds; a number that one seed lacks is left out."""
    from psis_bench.scoring.comparing.intervals import mean_interval

    keys = [key for key in per_seed[0] if all(key in numbers for numbers in per_seed)]
    if len(per_seed) == 1:
        return {key: Estimate(per_seed[0][key]) for key in keys}
    means = {}
    for key in keys:
        values = [numbers[key] for numbers in per_seed]
        # The trivial rows are the same for every seed: an interval of width zero would look like a finding.
        means[key] = Estimate(values[0]) if len(set(values)) == 1 else Estimate(*mean_interval(values))
    return means


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _classes(seeds: Sequence[LoadedSubmission]) -> tuple[ClassScore, ...]:
    by_name = [{row.name: row.model_dump(by_alias=True) for row in loaded.per_class} for loaded in seeds]
    return tuple(
        ClassScore(
            name=row.name,
            group=row.group,
            instances=row.instances,
            mask_ap=_mean([rows[row.name]["mask_AP"] for rows in by_name if row.name in rows]),
            gt_box_miou=_mean([rows[row.name]["gt_box_miou"] for rows in by_name if row.name in rows]),
            ellipse_miou=row.ellipse_miou,
        )
        for row in seeds[0].per_class
    )


def _authors(submission: Submission) -> str:
    first = submission.authors[0]
    return first if len(submission.authors) == 1 else f"{first} and {len(submission.authors) - 1} more"


def _title(submission: Submission) -> str:
    """Return the model's title, marked where its masks owe something to masks that the split does not allow."""
    extra = any(source.startswith(MARK) for source in submission.supervision.mask_sources)
    return f"{submission.model.title} ({MARK})" if extra else submission.model.title


def _facts(submission: Submission) -> tuple[tuple[str, str], ...]:
    training, code = submission.training, submission.code
    facts = {
        "authors": ", ".join(submission.authors),
        "paper": submission.paper.title if submission.paper else None,
        "pre-training": submission.model.pretraining,
        "mask sources": ", ".join(submission.supervision.mask_sources),
        "extra data": ", ".join(submission.supervision.extra_data) or "none",
        "hardware": training.hardware,
        "hours": None if training.hours is None else f"{training.hours:g}",
        "seeds trained": ", ".join(map(str, training.seeds)),
        "software": code.software,
        "commit": None if code.commit is None else code.commit + (" with changes" if code.dirty else ""),
        "SHA-256 of the annotations": submission.dataset.annotations_sha256,
        "licence": submission.licence,
        "submitted": submission.created.isoformat(),
    }
    return tuple((name, text) for name, text in facts.items() if text is not None)


def _links(submission: Submission) -> tuple[Link, ...]:
    given = [("paper", submission.paper.url if submission.paper else None), ("code", submission.code.url)]
    given += [("weights", file.url) for file in submission.weights]
    given.append(("predictions", submission.predictions.url))
    return tuple(Link(label, url) for label, url in given if url)


def _notes(seeds: Sequence[LoadedSubmission]) -> tuple[str, ...]:
    notes = list(dict.fromkeys(loaded.submission.notes for loaded in seeds if loaded.submission.notes))
    trained = {seed for loaded in seeds for seed in loaded.submission.training.seeds}
    missing = sorted(trained - {loaded.submission.training.seed for loaded in seeds})
    if missing:
        notes.append(f"Trained with more seeds than were submitted; missing: {', '.join(map(str, missing))}.")
    return tuple(notes)


def _how(submission: Submission) -> tuple[str, ...]:
    sentences = []
    if any(file.url for file in submission.weights):
        sentences.append("The weights are linked above; with --repredict the predictions are made from them again.")
    where = "are linked above" if submission.predictions.url else "lie in the folder of the submission"
    sentences.append(f"The predictions {where}; the scores are computed from them.")
    return tuple(sentences)


def _commands(loaded: LoadedSubmission) -> tuple[tuple[str, str], ...]:
    from psis_bench.submissions.schema import place_of

    place = f"model_zoo/submissions/{place_of(loaded.submission).parent}"
    commands = [("Score it again", f"psis-bench validate {place}")]
    if command := _training(loaded.folder):
        commands.insert(0, ("Train it again", command))
    return tuple(commands)


def _training(folder: Path) -> str | None:
    """Return the command of a run of this package from its ``config.json``, or None: other software has none."""
    from psis_bench.report.command import command_of
    from psis_bench.submissions.reading import CONFIG, InvalidFileError, read_record

    try:
        keys = read_record(folder / CONFIG).get("run") if (folder / CONFIG).exists() else None
    except InvalidFileError:
        return None
    return command_of(keys) if isinstance(keys, dict) and keys.get("split") else None
