"""The answer to a submission as Markdown: what is wrong with it, or how it compares with the rows of its split.

What a stranger wrote appears only inside code spans, where GitHub shows no mark-up, links or mentions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from psis_bench.errors import UserError
from psis_bench.submissions.neighbours import folders_in
from psis_bench.submissions.schema import GroupMetrics, Metrics, Submission, Tier, load_submission
from psis_bench.submissions.validation import Report

_COLUMNS = ("mask AP unseen", "mask AP seen", "box AP all", "GT-box mIoU unseen", "GT-box mIoU seen")
_MOST_PROBLEMS = 50

Key = tuple[str, int, str]
"""Split, version and annotations: rows are compared only where these are equal."""


@dataclass(frozen=True, kw_only=True)
class _Result:
    """One seed of one row."""

    submission: Submission
    metrics: Metrics
    tier: Tier
    is_new: bool


def as_markdown(reports: Sequence[Report], zoo: Path | None) -> str:
    """Return the answer to checked submissions.

    Args:
        reports: What was found.
        zoo: The model zoo with the rows to compare with; None: the submissions alone.
    """
    lines: list[str] = []
    for report in reports:
        lines += _verdict(report)
    results = [
        _Result(submission=r.parts.submission, metrics=r.parts.metrics, tier=r.tier, is_new=True)
        for r in reports
        if r.parts is not None and not r.problems
    ]
    given = {report.path.resolve() for report in reports}
    for folder in folders_in(zoo) if zoo is not None else []:
        if folder.resolve() not in given:
            try:
                loaded = load_submission(folder)
            except UserError:
                continue
            results.append(
                _Result(submission=loaded.submission, metrics=loaded.metrics, tier=loaded.tier, is_new=False)
            )
    by_key: dict[Key, list[_Result]] = defaultdict(list)
    for result in results:
        by_key[_key(result)].append(result)
    for key, members in by_key.items():
        if any(member.is_new for member in members):
            lines += _table(key, members)
    return "\n".join(lines or ["No submission is new or changed."]).strip() + "\n"


def code_span(text: str) -> str:
    """Return a text so that Markdown shows it as it is, also inside a table."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return f"`{plain.replace('`', chr(39)).replace('|', '¦')}`"


def _verdict(report: Report) -> list[str]:
    name = code_span(str(report.path))
    if not report.problems:
        lines = [f"{name}: valid, **{report.tier}**"]
    else:
        lines = [f"{name}: **{len(report.problems)} problem{'s' if len(report.problems) != 1 else ''}**", ""]
        lines += [f"* {code_span(str(problem))}" for problem in report.problems[:_MOST_PROBLEMS]]
        further = len(report.problems) - _MOST_PROBLEMS
        lines += [f"* and {further} more"] if further > 0 else []
    return [*lines, *([""] if report.notes else []), *(f"* note: {code_span(note)}" for note in report.notes), ""]


def _key(result: _Result) -> Key:
    split = result.submission.split
    return split.name, split.version, result.submission.dataset.annotations_sha256


def _table(key: Key, members: list[_Result]) -> list[str]:
    rows: dict[str, list[_Result]] = defaultdict(list)
    for member in members:
        rows[member.submission.model.name].append(member)
    values = {name: _means(results) for name, results in rows.items()}
    used = [place for place in range(len(_COLUMNS)) if any(value[place] is not None for value in values.values())]
    lines = [
        f"### {code_span(f'{key[0]}@{key[1]}')} on {code_span(members[0].submission.dataset.name)}",
        "",
        f"| model | seeds | tier | {' | '.join(_COLUMNS[place] for place in used)} |",
        f"| --- | ---: | --- |{' ---: |' * len(used)}",
    ]

    def order(name: str) -> tuple[float, ...]:
        return tuple(-1.0 if value is None else value for value in (values[name][0], values[name][3]))

    for name in sorted(rows, key=order, reverse=True):
        results = rows[name]
        mark = " **new**" if any(result.is_new for result in results) else ""
        tier = min((result.tier for result in results), key=lambda tier: tier.rank)
        cells = ["-" if values[name][place] is None else f"{100 * (values[name][place] or 0):.2f}" for place in used]
        lines.append(f"| {code_span(name)}{mark} | {len(results)} | {tier} | {' | '.join(cells)} |")
    return [*lines, "", "Means over seeds, score x 100.", ""]


def _means(results: list[_Result]) -> list[float | None]:
    columns = zip(*(_values(result.metrics.groups) for result in results), strict=True)
    found = [[value for value in column if value is not None] for column in columns]
    return [fmean(column) if column else None for column in found]


def _values(groups: Mapping[Any, GroupMetrics]) -> list[float | None]:
    def of(group: str, part: str, score: str) -> float | None:
        value: float | None = getattr(getattr(groups.get(group), part, None), score, None)
        return value

    return [
        of("unseen", "mask", "AP"),
        of("seen", "mask", "AP"),
        of("all", "box", "AP"),
        of("unseen", "gt_box_miou", "class_mean"),
        of("seen", "gt_box_miou", "class_mean"),
    ]
