"""Reading the small files of a submission into the models of `psis_bench.submissions.schema`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from psis_bench.data.problems import Problem
from psis_bench.errors import UserError
from psis_bench.submissions.field_types import MAX_SCORES, SCORE_NAME, Strict, visible_text
from psis_bench.submissions.plain_json import parse_json, read_bytes
from psis_bench.submissions.schema import (
    ClassMetrics,
    LoadedSubmission,
    Metrics,
    Submission,
    Tier,
    Verification,
)

SUBMISSION = "submission.json"
METRICS = "metrics.json"
PER_CLASS = "per_class.csv"
CONFIG = "config.json"
ENVIRONMENT = "environment.json"
VERIFICATION = "verification.json"
MAX_CLASSES = 5000
_IDENTITY = ("category_id", "name", "group", "instances")
_NEEDED = ("box_AP", "mask_AP", "gt_box_miou", "full_box_miou", "ellipse_miou")
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_SCORE = re.compile(r"[0-9](\.[0-9]{1,40})?([eE]-?[0-9]{1,3})?")

Part = TypeVar("Part", bound=Strict)


class InvalidFileError(Exception):
    """A file does not hold what it should.

    Args:
        problems: Every fault, at least one.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


def read_loaded(folder: Path) -> LoadedSubmission:
    """Read a submission as `psis_bench.submissions.schema.load_submission` describes.

    Raises:
        UserError: The first fault.
    """
    try:
        submission = read_model(folder / SUBMISSION, Submission)
        metrics = read_model(folder / METRICS, Metrics)
        per_class = read_per_class(folder / PER_CLASS)
        verification = read_model(folder / VERIFICATION, Verification) if (folder / VERIFICATION).exists() else None
    except InvalidFileError as invalid:
        raise invalid.problems[0].error() from invalid
    holds = verification is not None and hashes_of(folder) == verified_hashes(verification)
    return LoadedSubmission(
        folder=folder,
        submission=submission,
        metrics=metrics,
        per_class=per_class,
        verification=verification,
        tier=verification.tier if verification is not None and holds else Tier.REPORTED,
    )


def hashes_of(folder: Path) -> tuple[str, ...]:
    """Return the SHA-256 of the three files that a verification is about."""
    return tuple(hashlib.sha256(read_bytes(folder / name)).hexdigest() for name in (SUBMISSION, METRICS, PER_CLASS))


def verified_hashes(verification: Verification) -> tuple[str, ...]:
    """Return the same three as a verification has them on record."""
    return (verification.submission_sha256, verification.metrics_sha256, verification.per_class_sha256)


def read_model(path: Path, model: type[Part]) -> Part:
    """Read a JSON file into a model.

    Raises:
        InvalidFileError: Every field that is wrong, by its place in the file.
    """
    try:
        content = read_bytes(path)
        parse_json(content, where=str(path))
    except UserError as error:
        raise InvalidFileError(
            [Problem(where=error.where or str(path), what=error.what, cure=error.cure or "")]
        ) from error
    return parse_model(content, model, where=str(path))


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON file whose fields are free, ``config.json`` or ``environment.json``; its texts are visible.

    Raises:
        InvalidFileError: It is no such object.
    """
    try:
        value = parse_json(read_bytes(path), where=str(path))
        if not isinstance(value, dict):
            raise UserError("is no object", where=str(path), cure="write it with psis-bench bundle")
        _check_texts(value, str(path))
    except UserError as error:
        raise InvalidFileError(
            [Problem(where=error.where or str(path), what=error.what, cure=error.cure or "")]
        ) from error
    return value


def _check_texts(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key, where)
            _check_texts(item, where)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item, where)
    elif isinstance(value, str):
        try:
            if len(value) > 2000:
                raise ValueError("has a text of more than 2000 characters; make it shorter")
            visible_text(value.strip())
        except ValueError as error:
            what, _, cure = str(error).partition("; ")
            raise UserError(what, where=where, cure=cure) from None


def parse_model(content: bytes | str, model: type[Part], *, where: str) -> Part:
    """Turn JSON text that `parse_json` has passed into a model.

    Raises:
        InvalidFileError: Every field that is wrong.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise InvalidFileError(problems_of(error, where=where)) from None


def read_without_wrong_texts(path: Path, model: type[Part]) -> Part:
    """Read a JSON file of which `read_model` has found fault, with every wrong text replaced by ``x``.

    Raises:
        InvalidFileError: Something other than texts is wrong.
    """
    try:
        return read_model(path, model)
    except InvalidFileError as invalid:
        try:
            content = parse_json(read_bytes(path), where=str(path))
        except UserError:
            raise invalid from None
    try:
        model.model_validate_json(json.dumps(content))
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False):
            if isinstance(fault["input"], str):
                *parents, last = fault["loc"]
                owner: Any = content
                for step in parents:
                    owner = owner[step]
                owner[last] = "x"
    return parse_model(json.dumps(content), model, where=str(path))


def problems_of(error: ValidationError, *, where: str) -> list[Problem]:
    """Return one problem a wrong field, with its place in the file."""
    return [_problem(dict(fault), where) for fault in error.errors(include_url=False, include_context=False)]


def _problem(fault: dict[str, Any], where: str) -> Problem:
    place = ""
    for step in fault["loc"]:
        # A key of the stranger's own is shown as Python would write it, so that it cannot move the cursor.
        name = str(step) if isinstance(step, int) or re.fullmatch(r"\w{1,60}", str(step)) else repr(str(step)[:60])
        place += f"[{name}]" if isinstance(step, int) else f".{name}" if place else name
    what, cure = _words(fault)
    return Problem(where=f"{where}: {place}" if place else where, what=what, cure=cure)


def _words(fault: dict[str, Any]) -> tuple[str, str]:
    message = str(fault["msg"])
    if fault["type"] == "missing":
        return "is missing", "add it; docs/submit.md lists the fields"
    if fault["type"] == "extra_forbidden":
        return "is no field of this file", "leave it out"
    if fault["type"] == "value_error":
        what, _, cure = message.removeprefix("Value error, ").partition("; ")
        return what, cure
    given = fault.get("input")
    shown = f", not {str(given)[:40]!r}" if isinstance(given, str | int | float | bool) else ""
    wanted = message.removeprefix("Input should be ").removeprefix("String should ")
    return f"must be {wanted}{shown}" if message.startswith("Input should be") else f"must {wanted}{shown}", "mend it"


def read_per_class(path: Path) -> tuple[ClassMetrics, ...]:
    """Read ``per_class.csv``.

    Raises:
        InvalidFileError: Every field that is wrong, by row and column.
    """
    where = str(path)

    def invalid(place: str, what: str, cure: str) -> InvalidFileError:
        return InvalidFileError([Problem(where=f"{where}: {place}" if place else where, what=what, cure=cure)])

    try:
        text = read_bytes(path).decode("utf-8")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UserError as error:
        raise InvalidFileError([Problem(where=where, what=error.what, cure=error.cure or "")]) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise invalid("", f"is not CSV in UTF-8 ({error})", "write it with psis-bench bundle") from error
    header, lines = (rows[0], rows[1:]) if rows else ([], [])
    scores = header[len(_IDENTITY) :]
    are_names = all(SCORE_NAME.fullmatch(name) for name in scores) and len(set(header)) == len(header) <= MAX_SCORES
    if tuple(header[: len(_IDENTITY)]) != _IDENTITY or not set(_NEEDED) <= set(scores) or not are_names:
        wanted = ",".join((*_IDENTITY, *_NEEDED))
        raise invalid("row 0", "has other columns than it should", f"the first line is {wanted} and further scores")
    if not 0 < len(lines) <= MAX_CLASSES:
        raise invalid("", f"has {len(lines)} classes", f"give one line a class, {MAX_CLASSES} at most")
    problems: list[Problem] = []
    classes: list[ClassMetrics] = []
    for number, line in enumerate(lines, start=1):
        try:
            classes.append(_class_of(header, line, where=f"{where}: row {number}"))
        except InvalidFileError as error:
            problems += error.problems
    if problems:
        raise InvalidFileError(problems)
    return tuple(classes)


def _class_of(header: list[str], line: list[str], *, where: str) -> ClassMetrics:
    if len(line) != len(header):
        what = f"has {len(line)} values, not {len(header)}"
        raise InvalidFileError([Problem(where=where, what=what, cure="one value a column, empty where there is none")])
    values: dict[str, Any] = dict(zip(header, line, strict=True))
    for name in (*header[len(_IDENTITY) :], "category_id", "instances"):
        text, is_score = values[name], name not in _IDENTITY
        if text == "" and is_score:
            values[name] = None
        elif not (_SCORE if is_score else _WHOLE).fullmatch(text):
            raise InvalidFileError(
                [Problem(where=f"{where}, {name}", what=f"{text[:40]!r} is no number", cure="mend it")]
            )
        else:
            values[name] = float(text) if is_score else int(text)
    try:
        return ClassMetrics.model_validate(values)
    except ValidationError as error:
        found = problems_of(error, where=where)
        raise InvalidFileError(
            [Problem(where=p.where.replace(f"{where}: ", f"{where}, "), what=p.what, cure=p.cure) for p in found]
        ) from None
