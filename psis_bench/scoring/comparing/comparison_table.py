"""A comparison as tables for the terminal and as Markdown (numbers times 100, one decimal), and as CSV (in full)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from psis_bench.scoring.comparing.comparison import Comparison, Entry, Number, paired_by_seed
from psis_bench.scoring.comparing.moved_classes import ClassDifference
from psis_bench.scoring.comparing.sampled_scores import GT_BOX_MIOU, Metric
from psis_bench.scoring.results.marks import marks_of

if TYPE_CHECKING:
    from rich.table import Table

MOST = 20
"""Classes that are listed of a metric, unless all are asked for."""

_TRIVIAL = (("full_box", "full box"), ("ellipse", "ellipse"))


class Sheet(NamedTuple):
    """A table before it is drawn: the first column is text, the others are numbers.

    Args:
        title: What stands above it.
        heads: The head of each column; a line break may stand between a metric and a group.
        rows: The cells of each row.
        turns: Whether rows and columns may change places, where there is no room for the columns.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    turns: bool = False

    def turned(self) -> Sheet:
        """Return the table with rows and columns exchanged."""
        heads = (self.heads[0], *(row[0] for row in self.rows))
        columns = zip(self.heads[1:], *(row[1:] for row in self.rows), strict=True)
        return Sheet(self.title, heads, tuple((head.replace("\n", ", "), *cells) for head, *cells in columns))


def sheets(
    comparison: Comparison, moved: Sequence[tuple[Metric, Sequence[ClassDifference]]], *, most: int | None = MOST
) -> list[Sheet]:
    """Return what is shown of a comparison, table by table.

    Args:
        comparison: The comparison.
        moved: For each metric, the classes to be listed.
        most: How many of them are, those with the largest differences; None for all.
    """
    found = [_scores_sheet(comparison)]
    if comparison.differences:
        found.append(_difference_sheet(comparison))
    found += [_classes_sheet(metric, rows, comparison.entries, most) for metric, rows in moved if rows]
    return found


def as_rich(sheet: Sheet, *, width: int) -> Table:
    """Return a table for the terminal, without the title, which would be broken to the width of the columns.

    Args:
        sheet: What is shown.
        width: Columns of the terminal. What may turn does so where it has no room; what still has none is wider than
            the terminal, rather than cut off.
    """
    table, needed = _drawn(sheet)
    if needed > width and sheet.turns:
        turned, less = _drawn(sheet.turned())
        table, needed = (turned, less) if less < needed else (table, needed)
    table.width = needed if needed > width else None
    return table


def _drawn(sheet: Sheet) -> tuple[Table, int]:
    """Return a table and the columns of a terminal that it needs."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    table, trivial = Table(), {label for _, label in _TRIVIAL}
    for place, head in enumerate(sheet.heads):
        style = "dim" if head in trivial else None
        table.add_column(head, justify="right" if place else "left", no_wrap=True, style=style)
    for row in sheet.rows:
        table.add_row(*row, style="dim" if row[0] in trivial else None)
    wide = Console(width=1000)
    return table, Measurement.get(wide, wide.options, table).maximum


def as_markdown(found: Sequence[Sheet], comparison: Comparison) -> str:
    """Return the tables as Markdown, with the runs and the notes beneath them."""
    lines: list[str] = []
    for sheet in found:
        heads = [head.replace("\n", " ") for head in sheet.heads]
        lines += [f"**{sheet.title}**", "", _line(heads), "| --- |" + " ---: |" * (len(heads) - 1)]
        lines += [*(_line(row) for row in sheet.rows), ""]
    lines += [f"* {line}" for line in legend(comparison)]
    lines += [f"* {note[:1].upper()}{note[1:]}." for note in comparison.notes]
    return "\n".join(lines) + "\n"


def as_csv(comparison: Comparison, classes: Sequence[tuple[Metric, Sequence[ClassDifference]]]) -> str:
    """Return every number in [-1, 1], not rounded; empty where there is none.

    Returns:
        A header ``what,entry,score,group,class,value,low,high`` and one line a number; ``what`` is ``score``,
        ``trivial``, ``difference`` or ``class difference``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["what", "entry", "score", "group", "class", "value", "low", "high"])

    def write(labels: Iterable[str], number: Number) -> None:
        values = (number.value, number.low, number.high)
        writer.writerow([*labels, *("" if value is None else repr(value) for value in values)])

    for (key, group), numbers in comparison.numbers.items():
        for entry, number in zip(comparison.entries, numbers, strict=True):
            write(("score", entry.label, key, group, ""), number)
    for name, _ in _TRIVIAL:
        for group, scores in comparison.entries[0].runs[0].scores.groups.items():
            write(
                ("trivial", name, "gt_box_miou.class_mean", group, ""), Number(value=getattr(scores, name).class_mean)
            )
    for (key, group), number in comparison.differences.items():
        write(("difference", _pair(comparison.entries), key, group, ""), number)
    for metric, rows in classes:
        for row in rows:
            write(("class difference", _pair(comparison.entries), metric.key, row.group, row.name), row.difference)
    return text.getvalue()


def legend(comparison: Comparison) -> list[str]:
    """Return one line for each run: the letter and the folder."""
    lines = []
    for entry in comparison.entries:
        for run in entry.runs:
            seed = f", seed {run.seed}" if len(entry.runs) > 1 else ""
            marks = "".join(f" ({mark})" for mark in marks_of(run.scores.notes))
            lines.append(f"{entry.label}: {run.path}{seed}{marks}")
    return lines


def _scores_sheet(comparison: Comparison) -> Sheet:
    split = comparison.entries[0].runs[0].scores.split
    data = comparison.entries[0].runs[0].scores.dataset
    groups = [group for group in comparison.groups if group != "all"] or ["all"]
    heads = [f"{metric.title}\n{group}" for metric in comparison.metrics for group in groups]
    costs = {name: _seconds(comparison.entries, name) for name in ("train", "predict")}
    costs["memory"] = [_bytes(entry) for entry in comparison.entries]
    costs = {name: column for name, column in costs.items() if any(cell != "-" for cell in column)}
    rows = []
    for place, entry in enumerate(comparison.entries):
        cells = []
        for metric in comparison.metrics:
            for group in groups:
                number = comparison.numbers[metric.key, group][place]
                cells.append(_value(number, entry) + _rank(comparison, metric, group, place))
        rows.append((_name(entry), *cells, *(column[place] for column in costs.values())))
    first = comparison.entries[0].runs[0].scores
    for name, label in _TRIVIAL if any(metric.key == GT_BOX_MIOU.key for metric in comparison.metrics) else ():
        cells = [
            _shown(getattr(first.groups[group], name).class_mean) if metric.key == GT_BOX_MIOU.key else ""
            for metric in comparison.metrics
            for group in groups
        ]
        rows.append((label, *cells, *("" for _ in costs)))
    title = f"{split.name} (version {split.version}), {data.images} images, scores x 100"
    return Sheet(title, ("", *heads, *costs), tuple(rows), turns=True)


def _difference_sheet(comparison: Comparison) -> Sheet:
    rows = []
    for metric in comparison.metrics:
        for group in comparison.groups:
            number = comparison.differences[metric.key, group]
            sign = "yes" if number.excludes_zero else "no" if number.low is not None else "-"
            cells = [_shown(number.value, sign=True), _ends(number), sign]
            rows.append((f"{metric.title}, {group}", *cells))
    heads = ("", _pair(comparison.entries), "95 % interval", "apart from 0")
    return Sheet("Difference, paired by image" + _by_seed(comparison.entries), heads, tuple(rows))


def _classes_sheet(
    metric: Metric, rows: Sequence[ClassDifference], entries: Sequence[Entry], most: int | None
) -> Sheet:
    found = len(rows)
    if most is not None and found > most:
        least = sorted(abs(row.difference.value or 0.0) for row in rows)[-most]
        rows = [row for row in rows if abs(row.difference.value or 0.0) >= least][:most]
    cells = [
        (
            row.name,
            row.group,
            str(row.images),
            _shown(row.first),
            _shown(row.second),
            _shown(row.difference.value, sign=True),
            _ends(row.difference),
        )
        for row in rows
    ]
    heads = ("class", "group", "images", entries[0].label, entries[1].label, _pair(entries), "95 % interval")
    which = "Classes that moved" if all(row.moved for row in rows) else "All classes"
    some = f", the furthest {len(rows)} of {found} (--all lists all)" if len(rows) < found else ""
    return Sheet(f"{which}: {metric.title}{some}", heads, tuple(cells))


def _by_seed(entries: Sequence[Entry]) -> str:
    paired = len(entries[0].runs) > 1 and paired_by_seed(*entries)
    return f" and by {len(entries[0].runs)} seeds" if paired else ""


def _pair(entries: Sequence[Entry]) -> str:
    return f"{entries[1].label} - {entries[0].label}"


def _name(entry: Entry) -> str:
    label = f"{entry.label}  {entry.name}" if entry.name else entry.label
    marks = "".join(f", {mark}" for mark in marks_of(note for run in entry.runs for note in run.scores.notes))
    return (f"{label} ({len(entry.runs)} seeds)" if len(entry.runs) > 1 else label) + marks


def _value(number: Number, entry: Entry) -> str:
    if len(entry.runs) == 1 or number.low is None or number.high is None:
        return _shown(number.value)
    return f"{_shown(number.value)} ±{50 * (number.high - number.low):.1f}"


def _rank(comparison: Comparison, metric: Metric, group: str, place: int) -> str:
    ranks = comparison.ranks.get((metric.key, group))
    rank = None if ranks is None else ranks[place]
    if rank is None:
        return ""
    return f"  #{rank.rank}" + ("" if rank.best == rank.worst else f" ({rank.best}-{rank.worst})")


def _ends(number: Number) -> str:
    if number.low is None or number.high is None:
        return "-"
    return f"[{_shown(number.low, sign=True)}, {_shown(number.high, sign=True)}]"


def _shown(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return "-"
    return f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"


def _seconds(entries: Sequence[Entry], stage: str) -> list[str]:
    return [_duration(list(_recorded(entry, stage))) for entry in entries]


def _recorded(entry: Entry, stage: str) -> Iterator[float]:
    for run in entry.runs:
        if stage in run.seconds:
            yield run.seconds[stage]


def _duration(seconds: Sequence[float]) -> str:
    if not seconds:
        return "-"
    mean = sum(seconds) / len(seconds)
    return f"{mean / 3600:.1f} h" if mean >= 3600 else f"{mean / 60:.1f} min" if mean >= 60 else f"{mean:.1f} s"


def _bytes(entry: Entry) -> str:
    peaks = [run.memory for run in entry.runs if run.memory is not None]
    return f"{max(peaks) / 2**30:.1f} GiB" if peaks else "-"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
