"""GT-box mIoU by size, aspect and supercategory as lines of a table, the better trivial row in brackets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from psis_bench.scoring.results.details import PartQuality

if TYPE_CHECKING:
    from rich.table import Table

GROUPS = ("seen", "unseen", "all")
"""The groups that are shown; the files have them all."""

TITLE = "GT-box mIoU x 100, class mean (better trivial row)"


class PartRow(NamedTuple):
    """One kind of object.

    Args:
        axis: What it is a kind by, e.g. ``size``.
        part: What it is called.
        instances: Objects of that kind, of all classes.
        cells: Of each group that is shown, as in ``72.1 (61.7)``; ``-`` for one without such objects.
    """

    axis: str
    part: str
    instances: int
    cells: tuple[str, ...]


def part_rows(parts: Sequence[PartQuality]) -> tuple[tuple[str, ...], list[PartRow]]:
    """Return the groups that are shown, and a line for each kind of object, in the order of the scores."""
    groups = tuple(name for name in GROUPS if any(part.group == name for part in parts))
    cells = {(part.axis, part.part, part.group): _cell(part) for part in parts}
    rows = [
        PartRow(
            part.axis,
            part.part,
            part.instances,
            tuple(cells.get((part.axis, part.part, group), "-") for group in groups),
        )
        for part in parts
        if part.group == "all"
    ]
    return groups, rows


def quality_table(parts: Sequence[PartQuality]) -> Table:
    """Return the table for the terminal."""
    from rich.table import Table

    groups, rows = part_rows(parts)
    table = Table(title=TITLE)
    table.add_column("objects")
    table.add_column("number", justify="right")
    for group in groups:
        table.add_column(group, justify="right", no_wrap=True)
    axis = ""
    for row in rows:
        if row.axis != axis:
            table.add_section()
        axis = row.axis
        table.add_row(row.part, f"{row.instances:,}", *row.cells)
    return table


def quality_markdown(parts: Sequence[PartQuality]) -> list[str]:
    """Return the lines of the same table as Markdown."""
    groups, rows = part_rows(parts)
    lines = [f"| {TITLE} | number | {' | '.join(groups)} |", "| --- |" + " ---: |" * (len(groups) + 1)]
    return [*lines, *(f"| {row.axis}: {row.part} | {row.instances} | {' | '.join(row.cells)} |" for row in rows)]


def quality_leaves(parts: Sequence[PartQuality]) -> Iterator[tuple[str, str, Any]]:
    """Yield every number by its place below ``mask_quality`` (``size.small.gt_box_miou.class_mean``), and its group."""
    for part in parts:
        place = f"mask_quality.{part.axis}.{part.part}"
        yield f"{place}.classes", part.group, part.classes
        yield f"{place}.instances", part.group, part.instances
        for name, (class_mean, instance_mean) in part.means.items():
            yield f"{place}.{name}.class_mean", part.group, class_mean
            yield f"{place}.{name}.instance_mean", part.group, instance_mean


def _cell(part: PartQuality) -> str:
    trivial = max(part.means[name][0] for name in ("full_box", "ellipse"))
    return f"{100 * part.means['gt_box_miou'][0]:.1f} ({100 * trivial:.1f})"
