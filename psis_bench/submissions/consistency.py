"""Whether the files of one submission agree with each other and with the splits of the package.

Everything that can be said without opening a prediction: each function returns one problem a fault, with its field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psis_bench.data.problems import Problem
from psis_bench.errors import UserError, did_you_mean
from psis_bench.files import sha256_of_file
from psis_bench.splits.protocol import SplitProtocol
from psis_bench.splits.registry import get_split, is_reserved
from psis_bench.submissions.contents import shown
from psis_bench.submissions.reading import METRICS, PER_CLASS, SUBMISSION
from psis_bench.submissions.schema import ClassMetrics, Metrics, Submission
from psis_bench.submissions.weights_header import read_weights_header


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The files of a submission that could be read.

    Attributes:
        folder: Where they lie.
        submission: ``submission.json``.
        metrics: ``metrics.json``.
        per_class: ``per_class.csv``.
    """

    folder: Path
    submission: Submission
    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]

    def problem(self, name: str, field: str, what: str, cure: str) -> Problem:
        """Return a problem with a field of one of the files."""
        return Problem(
            where=f"{self.folder / name}: {field}" if field else str(self.folder / name), what=what, cure=cure
        )


def protocol_of(submission: Submission) -> SplitProtocol:
    """Return the split that a submission names: the package's, or the one it defines.

    Raises:
        UserError: There is no such split, or its definition contradicts itself; ``where`` is the field.
    """
    said = submission.split
    if is_reserved(said.name):
        if said.definition is not None:
            raise UserError(
                "the split comes with the package", where="split.definition", cure="leave the definition out"
            )
        try:
            return get_split(said.name)
        except UserError as error:
            raise UserError(error.what, where="split.name", cure=error.cure) from error
    if said.definition is None:
        cure = "give its classes in split.definition, or mend the name: " + did_you_mean(
            said.name, ["voc2nonvoc", "nonvoc2voc", "fully_supervised"]
        )
        raise UserError(f"{said.name!r} does not come with the package", where="split.name", cure=cure)
    try:
        return SplitProtocol(name=said.name, version=said.version, description="", **said.definition.model_dump())
    except UserError as error:
        raise UserError(error.what, where="split.definition", cure=error.cure) from error


def check_split(parts: Parts, protocol: SplitProtocol) -> Iterator[Problem]:
    """Hold name, version and hash of the split to the split itself, in both files."""
    said = parts.submission.split
    if said.version != protocol.version:
        what = f"is {said.version}, but the package has version {protocol.version} of {said.name}"
        yield parts.problem(SUBMISSION, "split.version", what, "score again with this version: psis-bench bundle")
    elif said.hash != protocol.hash():
        field = "split.definition" if said.definition is not None else "split.hash"
        what = f"the split has the hash {protocol.hash()}, not {said.hash}"
        yield parts.problem(SUBMISSION, field, what, "name the classes and the hash of one and the same split")
    for name in ("name", "version", "hash"):
        mine, theirs = getattr(parts.metrics.split, name), getattr(said, name)
        if mine != theirs:
            what = f"is {mine!r}, submission.json says {theirs!r}"
            yield parts.problem(METRICS, f"split.{name}", what, "score again: psis-bench bundle")
    if parts.metrics.dataset.annotations_sha256 != parts.submission.dataset.annotations_sha256:
        what = "is not that of submission.json"
        yield parts.problem(METRICS, "dataset.annotations_sha256", what, "score again: psis-bench bundle")


def check_groups(parts: Parts, protocol: SplitProtocol) -> Iterator[Problem]:
    """Look for missing groups, and hold the class names of ``per_class.csv`` to the split."""
    cure = "score again: psis-bench bundle"
    has_unseen = bool(protocol.unseen) or protocol.unseen_is_rest
    for group in ("all", "seen", *(["unseen"] if has_unseen else [])):
        if group not in parts.metrics.groups:
            yield parts.problem(METRICS, f"groups.{group}", "is missing", cure)
    if not has_unseen and "unseen" in parts.metrics.groups:
        yield parts.problem(METRICS, "groups.unseen", f"{protocol.name} has no unseen classes", cure)
    groups = dict.fromkeys(protocol.seen, "seen") | dict.fromkeys(protocol.unseen, "unseen")
    rest = "unseen" if protocol.unseen_is_rest else "other"
    names: set[str] = set()
    for row, item in enumerate(parts.per_class, start=1):
        expected = groups.get(item.name, rest)
        if item.name in names:
            yield parts.problem(PER_CLASS, f"row {row}, name", f"{shown(item.name)} is there twice", cure)
        elif item.group != expected:
            what = f"{shown(item.name)} is {expected} in {protocol.name}, not {item.group}"
            yield parts.problem(PER_CLASS, f"row {row}, group", what, f"{cure}; or the class name is wrong")
        names.add(item.name)
    for name, group in groups.items():
        if name not in names:
            what = f"has no class {shown(name)}, which is {group} in {protocol.name}"
            yield parts.problem(PER_CLASS, "name", what, did_you_mean(name, map(shown, sorted(names))))


def check_seeds(parts: Parts) -> Iterator[Problem]:
    """Look at the seeds of one submission."""
    training = parts.submission.training
    if training.seed not in training.seeds:
        yield parts.problem(SUBMISSION, "training.seeds", f"does not have the seed {training.seed}", "list every seed")
    if len(set(training.seeds)) < len(training.seeds):
        yield parts.problem(SUBMISSION, "training.seeds", "has a seed twice", "list every seed once")


def check_predictions(parts: Parts, predictions: Path) -> Iterator[Problem]:
    """Hold the files of predictions to the hashes on record; which are missing and which are too many."""
    listed = {file.path: (index, file) for index, file in enumerate(parts.submission.predictions.files)}
    if len(listed) < len(parts.submission.predictions.files):
        yield parts.problem(SUBMISSION, "predictions.files", "has a path twice", "list every file once")
    for path in sorted(predictions.glob("*/*.parquet")):
        if path.relative_to(predictions).as_posix() not in listed:
            yield Problem(where=str(path), what="is not in predictions.files", cure="leave it out, or bundle again")
    for name, (index, file) in listed.items():
        path = predictions / name
        if not path.is_file():
            yield Problem(where=str(path), what="is missing", cure="bundle again, or copy the whole folder")
        elif path.stat().st_size != file.bytes or sha256_of_file(path) != file.sha256:
            field = f"predictions.files[{index}].{'bytes' if path.stat().st_size != file.bytes else 'sha256'}"
            yield parts.problem(SUBMISSION, field, f"is not that of predictions/{name}", "bundle again")


def check_weights(parts: Parts) -> Iterator[Problem]:
    """Hold weights to their hashes and their format; nothing in them is loaded."""
    listed = {file.name: (index, file) for index, file in enumerate(parts.submission.weights)}
    if len(listed) < len(parts.submission.weights):
        yield parts.problem(SUBMISSION, "weights", "has a name twice", "list every file once")
    for path in sorted((parts.folder / "weights").glob("*")):
        try:
            read_weights_header(path)
        except UserError as error:
            yield Problem(where=error.where or str(path), what=error.what, cure=error.cure or "")
            continue
        index, file = listed.get(path.name, (0, None))
        if file is None:
            yield Problem(where=str(path), what="is not in weights", cure="leave it out, or list it in submission.json")
        elif path.stat().st_size != file.bytes or sha256_of_file(path) != file.sha256:
            what = f"is not that of weights/{file.name}"
            yield parts.problem(SUBMISSION, f"weights[{index}].sha256", what, "bundle again")
