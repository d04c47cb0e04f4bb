"""``psis-bench validate`` and ``psis-bench add``: checking submissions and placing them in the model zoo.

No torch is imported unless predictions are to be made again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psis_bench.commands.submission_arguments import existing, paths_and_values, submissions_below, zoo_of
from psis_bench.errors import UserError

if TYPE_CHECKING:
    from psis_bench.submissions.validation import Report

_KEYS = ("data", "data.root", "zoo", "base", "predictions", "weights", "retrained", "device")


def execute(options: argparse.Namespace) -> int:
    """Check submissions; with ``add``, place those that are valid. Exit code 1 when there is a problem."""
    adding = options.command == "add"
    paths, values = paths_and_values(options.arguments, _KEYS)
    zoo = zoo_of(values)
    if not paths and adding:
        raise UserError("no submission is given", cure="psis-bench add FOLDER")
    given = [folder for path in paths for folder in submissions_below(path)] or _of_zoo(zoo, values)
    for path in given:
        existing(path, "submission")
    reports = _validate(given, values, zoo, options)
    if not paths:
        reports += _strays(zoo)
    _show(reports, zoo, options)
    if any(report.problems for report in reports):
        return 1
    if adding:
        from psis_bench.submissions.adding import add

        for folder in add(reports, zoo):
            _say(f"added {folder}")
    return 0


def _of_zoo(zoo: Path, values: dict[str, str]) -> list[Path]:
    """Return the submissions of the model zoo, or those of them that another one does not hold."""
    from psis_bench.submissions import neighbours

    folders = neighbours.folders_in(zoo)
    base = Path(values["base"]).expanduser() if "base" in values else None
    return folders if base is None else neighbours.unlike(folders, zoo, base)


def _strays(zoo: Path) -> list[Report]:
    from psis_bench.submissions import neighbours
    from psis_bench.submissions.validation import Report

    problems = neighbours.strays(zoo)
    return [Report(path=zoo / "submissions", problems=problems)] if problems else []


def _validate(paths: Sequence[Path], values: dict[str, str], zoo: Path, options: argparse.Namespace) -> list[Report]:
    from psis_bench.submissions.adding import raise_tier
    from psis_bench.submissions.annotations import AnnotationSource
    from psis_bench.submissions.validation import Options, validate

    for key in ("predictions", "weights", "retrained"):
        if key in values and len(paths) != 1:
            raise UserError(f"{key}= goes with one submission", cure="check them one by one")
    places = {
        key: existing(Path(values[key]).expanduser(), key) if key in values else None
        for key in ("predictions", "weights", "retrained")
    }
    with contextlib.redirect_stdout(sys.stderr):
        reports = validate(
            paths,
            Options(
                source=AnnotationSource(data=values.get("data"), root=values.get("data.root")),
                zoo=zoo if zoo.is_dir() else None,
                repredict=options.repredict,
                device=values.get("device", "auto"),
                replace=getattr(options, "replace", False),
                **places,
            ),
        )
    for report in reports:
        if raise_tier(report):
            report.notes.append(f"its record says {report.tier} now")
    return reports


def _show(reports: Sequence[Report], zoo: Path, options: argparse.Namespace) -> None:
    if options.json:
        sys.stdout.write(json.dumps({"submissions": [report.to_dict() for report in reports]}, indent=2) + "\n")
        return
    if getattr(options, "markdown", False):
        from psis_bench.submissions.comparison import as_markdown

        sys.stdout.write(as_markdown(reports, zoo if zoo.is_dir() else None))
        return
    for report in reports:
        _say(f"{report.path}: {_verdict(report)}")
        for problem in report.problems:
            _say(f"  {problem}")
        for note in report.notes:
            _say(f"  note: {note}")
    wrong = sum(1 for report in reports if report.problems)
    _say(f"{len(reports)} submission{'s' if len(reports) != 1 else ''}, {wrong} with problems")


def _verdict(report: Report) -> str:
    if report.problems:
        return f"{len(report.problems)} problem{'s' if len(report.problems) != 1 else ''}"
    difference = "" if report.largest_difference is None else f", largest difference {report.largest_difference:.1e}"
    return f"valid, {report.tier}{difference}"


def _say(line: str) -> None:
    # Everything of a stranger's in it has been escaped or found to be visible text.
    sys.stdout.write(f"{line}\n")
