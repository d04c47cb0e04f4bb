"""Everything that can be wrong with submissions, found at once.

The order matters: names and sizes before contents, small files before predictions, and predictions only in a process
of their own. A fault of one kind does not hide those of the others, unless these cannot be looked for any more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psis_bench.data.problems import Problem
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_file
from psis_bench.splits.protocol import SplitProtocol
from psis_bench.submissions import consistency, contents, neighbours, reading, rescoring
from psis_bench.submissions.annotations import AnnotationSource
from psis_bench.submissions.archive import unpack
from psis_bench.submissions.consistency import Parts
from psis_bench.submissions.reading import InvalidFileError
from psis_bench.submissions.schema import ClassMetrics, Metrics, Submission, Tier, Verification, place_of


@dataclass(kw_only=True)
class Report:
    """What was found out about one submission.

    Attributes:
        path: The folder or archive as it was given.
        problems: Every fault; places are relative to the submission.
        notes: What is no fault but worth knowing.
        parts: Its files, when they could be read.
        tier: What could be confirmed.
        largest_difference: Of any score to its recomputation; None when nothing was computed.
    """

    path: Path
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parts: Parts | None = None
    tier: Tier = Tier.REPORTED
    largest_difference: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "path": str(self.path),
            "place": neighbours.shown_place(self.parts.submission) if self.parts else None,
            "valid": not self.problems,
            "tier": str(self.tier),
            "largest_difference": self.largest_difference,
            "problems": [vars(problem) for problem in self.problems],
            "notes": self.notes,
        }


@dataclass(frozen=True, kw_only=True)
class Options:
    """How submissions are checked.

    Attributes:
        source: Where the annotations are.
        zoo: ``model_zoo``, whose submissions are the neighbours; None: only those that are given.
        predictions: Folder with the predictions of a submission that does not hold them itself.
        weights: File with its weights, likewise.
        repredict: Whether predictions are made again from the weights.
        retrained: A run of the same settings that the person who checks has trained.
        device: Where they are made.
        replace: Whether the submissions are to take the place of those in the zoo that lie where they will.
    """

    source: AnnotationSource
    zoo: Path | None = None
    predictions: Path | None = None
    weights: Path | None = None
    repredict: bool = False
    retrained: Path | None = None
    device: str = "auto"
    replace: bool = False


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder of a submission; an archive is unpacked for as long.

    Raises:
        InvalidFileError: The archive is refused.
        UserError: There is neither.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise UserError("no such folder or zip archive", where=str(path), cure="make one with psis-bench bundle RUN")
    with tempfile.TemporaryDirectory(prefix="psis_bench_") as folder:
        unpack(path, Path(folder))
        yield Path(folder)


def validate(paths: Sequence[Path], options: Options) -> list[Report]:
    """Check submissions, each for itself and all of them together with those of the zoo.

    Args:
        paths: Folders and zip archives.
        options: See `Options`.

    Raises:
        UserError: A path does not exist. What is wrong with a submission is in its report.
    """
    reports = [_validate_one(path, options) for path in paths]
    others = neighbours.in_zoo(options.zoo) if options.zoo else []
    given = [(report.path, report.parts.submission) for report in reports if report.parts]
    if options.replace:
        taken = {place_of(submission) for _, submission in given}
        others = [(path, submission) for path, submission in others if place_of(submission) not in taken]
    for report in reports:
        if report.parts is not None:
            found = neighbours.check(report.path, report.parts.submission, given=given, zoo=others, root=options.zoo)
            report.problems += found.problems
            report.notes += found.notes
        if report.problems:
            report.tier = Tier.REPORTED
    return reports


def _validate_one(path: Path, options: Options) -> Report:
    report = Report(path=path)
    try:
        with opened(path) as folder:
            report.problems += contents.check_folder(folder)
            if not report.problems:
                _look_into(folder, report, options)
                _compare_with_record(folder, report)
            report.problems = [_relative(problem, folder) for problem in report.problems]
    except InvalidFileError as invalid:
        report.problems += invalid.problems
    return report


def _look_into(folder: Path, report: Report, options: Options) -> None:
    report.parts = read_parts(folder, report.problems)
    # A wrong text hides nothing else: the numbers are looked at all the same.
    parts = report.parts or _without_wrong_texts(folder)
    if parts is None:
        return
    report.problems += [*consistency.check_seeds(parts), *consistency.check_weights(parts)]
    predictions = _predictions_of(parts, report, options)
    if predictions is not None:
        report.problems += consistency.check_predictions(parts, predictions)
    try:
        protocol = consistency.protocol_of(parts.submission)
    except UserError as error:
        report.problems.append(parts.problem(reading.SUBMISSION, error.where or "split", error.what, error.cure or ""))
        return
    report.problems += [*consistency.check_split(parts, protocol), *consistency.check_groups(parts, protocol)]
    try:
        annotations = options.source.path_for(parts.submission)
        if sha256_of_file(annotations) != parts.submission.dataset.annotations_sha256:
            what = f"is not that of {annotations.name} here; the submission was scored against another file"
            field = "dataset.annotations_sha256"
            report.problems.append(parts.problem(reading.SUBMISSION, field, what, "give the right one with data="))
            return
    except UserError as error:
        place = f"dataset.name ({error.where})" if error.where else "dataset.name"
        report.problems.append(parts.problem(reading.SUBMISSION, place, error.what, error.cure or ""))
        return
    if predictions is not None:
        _rescore(parts, report, predictions=predictions, annotations=annotations, protocol=protocol)
    if not report.problems and (options.repredict or options.retrained):
        _predict_again(parts, report, options)


def _predict_again(parts: Parts, report: Report, options: Options) -> None:
    """Raise the tier of a submission in which nothing was found wrong."""
    from psis_bench.submissions.repredicting import compare_with_training, repredict

    if options.repredict:
        report.largest_difference = repredict(parts, report.problems, options=options)
        report.tier = report.tier if report.problems else Tier.REPREDICTED
    if options.retrained is not None and not report.problems:
        report.largest_difference = compare_with_training(
            parts, report.problems, run_folder=options.retrained, options=options
        )
        report.tier = report.tier if report.problems else Tier.RETRAINED


def read_parts(folder: Path, problems: list[Problem]) -> Parts | None:
    """Read the small files; collect every fault of each. None when one of them could not be read."""
    before = len(problems)
    submission: Submission | None = None
    metrics: Metrics | None = None
    per_class: tuple[ClassMetrics, ...] = ()
    try:
        submission = reading.read_model(folder / reading.SUBMISSION, Submission)
    except InvalidFileError as invalid:
        problems += invalid.problems
    try:
        metrics = reading.read_model(folder / reading.METRICS, Metrics)
    except InvalidFileError as invalid:
        problems += invalid.problems
    try:
        per_class = reading.read_per_class(folder / reading.PER_CLASS)
    except InvalidFileError as invalid:
        problems += invalid.problems
    for name in (reading.CONFIG, reading.ENVIRONMENT, reading.VERIFICATION):
        if (folder / name).exists():
            problems += _problems_of_record(folder / name)
    if len(problems) > before or submission is None or metrics is None:
        return None
    return Parts(folder=folder, submission=submission, metrics=metrics, per_class=per_class)


def _compare_with_record(folder: Path, report: Report) -> None:
    """Hold ``verification.json``, where there is one, to the files it is about and to what was found now."""
    if not (folder / reading.VERIFICATION).exists() or report.parts is None:
        return
    said = reading.read_model(folder / reading.VERIFICATION, Verification)
    if reading.verified_hashes(said) != reading.hashes_of(folder):
        what = "is the record of other files than these"
        cure = "remove it and add the submission again: psis-bench add"
        report.problems.append(Problem(where=reading.VERIFICATION, what=what, cure=cure))
    elif said.tier.rank > report.tier.rank and not report.problems:
        report.notes.append(
            f"on record as {said.tier}, by {said.checked_with}; this check went as far as {report.tier}"
        )


def _without_wrong_texts(folder: Path) -> Parts | None:
    """Return the files with every wrong text of the description replaced; None when something else is wrong, too."""
    try:
        submission = reading.read_without_wrong_texts(folder / reading.SUBMISSION, Submission)
        metrics = reading.read_model(folder / reading.METRICS, Metrics)
        per_class = reading.read_per_class(folder / reading.PER_CLASS)
    except InvalidFileError:
        return None
    return Parts(folder=folder, submission=submission, metrics=metrics, per_class=per_class)


def _problems_of_record(path: Path) -> list[Problem]:
    """Check one of the files that no score depends on."""
    try:
        if path.name == reading.VERIFICATION:
            reading.read_model(path, Verification)
        else:
            reading.read_record(path)
    except InvalidFileError as invalid:
        return invalid.problems
    return []


def _predictions_of(parts: Parts, report: Report, options: Options) -> Path | None:
    """Return the folder of the predictions, or None when they are somewhere else."""
    own = parts.folder / "predictions"
    if own.is_dir() or options.predictions is not None:
        return own if own.is_dir() else options.predictions
    url = parts.submission.predictions.url
    if url is None:
        report.problems.append(
            Problem(where=str(own), what="is missing", cure="bundle again; it holds the predictions")
        )
    else:
        report.notes.append(f"not recomputed: the predictions are at {url}; give them with predictions=FOLDER")
    return None


def _rescore(parts: Parts, report: Report, *, predictions: Path, annotations: Path, protocol: SplitProtocol) -> None:
    before = len(report.problems)
    try:
        found = rescoring.rescore(
            predictions,
            annotations=annotations,
            on_bad_boxes=parts.submission.dataset.on_bad_boxes,
            split=protocol,
            said=parts.metrics,
        )
    except UserError as error:
        place = error.where or str(predictions)
        report.problems.append(Problem(where=place, what=error.what, cure=error.cure or "bundle again"))
        return
    groups = rescoring.differences_of_metrics(parts.metrics, found.metrics, where=str(parts.folder / reading.METRICS))
    classes = rescoring.differences_of_classes(
        parts.per_class, found.per_class, where=str(parts.folder / reading.PER_CLASS)
    )
    report.problems += [*groups[0], *classes[0]]
    report.problems += [
        Problem(where=str(predictions), what=note, cure="keep only those; psis-bench bundle does")
        for note in found.metrics.notes
        if "detections left out" in note
    ]
    report.largest_difference = max(groups[1], classes[1])
    if len(report.problems) == before:
        report.tier = Tier.RECOMPUTED


def _relative(problem: Problem, folder: Path) -> Problem:
    where = problem.where.replace(f"{folder}/", "").replace(f"{folder}: ", "")
    return Problem(where="." if where == str(folder) else where, what=problem.what, cure=problem.cure)
