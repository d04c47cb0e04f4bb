"""The scores as a table for the terminal and as Markdown (numbers times 100, one decimal), and as CSV (in full)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from psis_bench.scoring.results.marks import marks_of
from psis_bench.scoring.results.quality_table import quality_leaves, quality_markdown, quality_table
from psis_bench.scoring.results.scores import GroupScores, Scores

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

_GROUPS = ("seen", "unseen", "all", "frequent", "common", "rare", "coco", "not_coco")
_SIDE_BY_SIDE = 3  # more columns do not fit beside the names of the scores in a terminal of 80
_SHORT = {"frequent": "freq.", "common": "comm.", "not_coco": "not\ncoco"}
_DETECTION_ROWS = (
    ("box AP", "box", "ap"),
    ("mask AP", "mask", "ap"),
    ("mask AP50", "mask", "ap50"),
    ("mask AP75", "mask", "ap75"),
    ("mask AP small", "mask", "ap_small"),
    ("mask AP medium", "mask", "ap_medium"),
    ("mask AP large", "mask", "ap_large"),
    ("mask AR with 100", "mask", "ar100"),
    ("mask AR with 300", "mask", "ar300"),
    ("boundary AP", "boundary", "ap"),
    *((f"agnostic box AR, {limit}", "agnostic_box", f"ar{limit}") for limit in (10, 100, 300, 1000)),
    *((f"agnostic mask AR, {limit}", "agnostic_mask", f"ar{limit}") for limit in (10, 100, 300, 1000)),
)
_LIMIT_ROWS = (
    ("mask AP, best masks for its boxes", "best_masks"),
    ("mask AP, ground-truth boxes", "gt_boxes"),
    ("  lost to detection", "detection_error"),
    ("  lost to masks", "mask_error"),
)
# One is COCO's, the other LVIS's; the others need masks on ground-truth boxes.
_ELSEWHERE = ("ar100", "ar300", "gt_boxes", "detection_error", "mask_error")


class _Row(NamedTuple):
    """One line of the table: what it is called, the number of each group as text, and how it is shown."""

    section: str
    label: str
    numbers: tuple[str, ...]
    style: str | None


def score_table(scores: Scores | Mapping[str, Any]) -> Group:
    """Return seen, unseen and all classes side by side, with the trivial rows beneath GT-box mIoU, and the notes.

    Below it stand LVIS's other groups and, when details were asked for, masks by kind of object.

    Args:
        scores: Scores, or the content of ``scores.json``.
    """
    from rich.console import Group
    from rich.text import Text

    scores, groups = _typed(scores)
    names = list(groups)
    title = f"{scores.split.name} (version {scores.split.version}){_marks(scores)}"
    tables = [_table(title, {name: groups[name] for name in names[:_SIDE_BY_SIDE]})]
    if names[_SIDE_BY_SIDE:]:
        others = {name: groups[name] for name in names[_SIDE_BY_SIDE:]}
        tables.append(_table("classes by their frequency in LVIS, and COCO's", others))
    if scores.mask_quality:
        tables.append(quality_table(scores.mask_quality))
    notes = [Text(f"{note[:1].upper()}{note[1:]}.", style="table.caption") for note in scores.notes]
    return Group(*tables, *notes)


def _table(title: str, groups: Mapping[str, GroupScores]) -> Table:
    from rich.table import Table

    table = Table(title=title)
    table.add_column("score x 100", no_wrap=True)
    for name, group in groups.items():
        shown = _classes(group) if name in _GROUPS[:_SIDE_BY_SIDE] else f"{group.classes:,}"
        table.add_column(f"{_SHORT.get(name, name)}\n{shown}", justify="right")
    section = ""
    for row in _rows(groups):
        if row.section != section:
            table.add_section()
        section = row.section
        table.add_row(row.label, *row.numbers, style=row.style)
    return table


def _marks(scores: Scores) -> str:
    return "".join(f", {mark}" for mark in marks_of(scores.notes))


def as_markdown(scores: Scores | Mapping[str, Any]) -> str:
    """Return the same table as Markdown, with the notes beneath it.

    Args:
        scores: Scores, or the content of ``scores.json``.
    """
    scores, groups = _typed(scores)
    heads = [f"{name} ({_classes(group)})" for name, group in groups.items()]
    lines = [f"| {scores.split.name} v{scores.split.version}{_marks(scores)}, score x 100 | {' | '.join(heads)} |"]
    lines.append("| --- |" + " ---: |" * len(groups))
    for row in _rows(groups):
        label = f"{row.label.strip()}, {row.section}" if row.label.startswith(" ") else row.label
        lines.append(f"| {label} | {' | '.join(row.numbers)} |")
    notes = [f"{note[:1].upper()}{note[1:]}." for note in scores.notes]
    quality = ["", *quality_markdown(scores.mask_quality)] if scores.mask_quality else []
    return "\n".join([*lines, *quality, *([""] if notes else []), *(f"* {note}" for note in notes)]) + "\n"


def as_csv(scores: Scores | Mapping[str, Any]) -> str:
    """Return every number of every group in [0, 1], not rounded; empty where there is none.

    Args:
        scores: Scores, or the content of ``scores.json``.

    Returns:
        A header ``score,seen,unseen,all`` and one line a number, named as in ``scores.json`` (``mask.AP``); masks by
        kind of object are named ``mask_quality.size.small.gt_box_miou.class_mean``.
    """
    scores, groups = _typed(scores)
    columns = {name: dict(_leaves(group.to_dict())) for name, group in groups.items()}
    for place, name, value in quality_leaves(scores.mask_quality):
        columns[name][place] = value
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["score", *groups])
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        found = [column.get(name) for column in columns.values()]
        writer.writerow([name, *("" if value is None else repr(value) for value in found)])
    return text.getvalue()


def _typed(scores: Scores | Mapping[str, Any]) -> tuple[Scores, dict[str, GroupScores]]:
    scores = scores if isinstance(scores, Scores) else Scores.from_dict(scores)
    return scores, {name: scores.groups[name] for name in _GROUPS if name in scores.groups}


def _rows(groups: Mapping[str, GroupScores]) -> Iterator[_Row]:
    def row(section: str, label: str, part: str, name: str, style: str | None = None) -> Iterator[_Row]:
        found = [getattr(group, part) for group in groups.values()]
        if any(getattr(scored, name, None) is not None for scored in found) or (any(found) and name not in _ELSEWHERE):
            yield _Row(section, label, tuple(_shown(getattr(scored, name, None)) for scored in found), style)

    for label, part, name in _DETECTION_ROWS:
        yield from row("detection", label, part, name)
    for label, name in _LIMIT_ROWS:
        yield from row("what limits mask AP", label, "limits", name)
    given = any(group.gt_box_miou for group in groups.values())
    for label, name in (("class mean", "class_mean"), ("instance mean", "instance_mean")):
        if not given:  # the trivial rows stand beside a GT-box mIoU, not alone
            yield from (line._replace(section="objects") for line in _annotator_rows(groups, label, name))
            continue
        yield from row(label, f"GT-box mIoU, {label}", "gt_box_miou", name, "bold")
        yield from row(label, "  boundary IoU", "boundary_miou", name)
        yield from _jittered_rows(groups, label, name)
        yield from row(label, "  full box", "full_box", name, "dim")
        yield from row(label, "  inscribed ellipse", "ellipse", name, "dim")
        yield from _annotator_rows(groups, label, name)
    found = [group.annotators for group in groups.values()]
    if any(found):
        counts = tuple(f"{item.objects:,}" if item else "-" for item in found)
        yield _Row("objects", "objects with two annotations", counts, None)


def _jittered_rows(groups: Mapping[str, GroupScores], section: str, name: str) -> Iterator[_Row]:
    found = [group.jittered.strengths if group.jittered else {} for group in groups.values()]
    for strength in found[0]:
        numbers = tuple(_shown(getattr(means.get(strength), name, None)) for means in found)
        yield _Row(section, f"  boxes moved by {100 * float(strength):g} %", numbers, None)


def _annotator_rows(groups: Mapping[str, GroupScores], section: str, name: str) -> Iterator[_Row]:
    found = [group.annotators for group in groups.values()]
    if not any(found):
        return
    numbers = tuple(_shown(getattr(item.agreement, name) if item else None) for item in found)
    yield _Row(section, f"annotators, {section}", numbers, None)
    if any(item and item.gt_box_miou for item in found):
        numbers = tuple(_shown(getattr(item.gt_box_miou, name, None) if item else None) for item in found)
        yield _Row(section, "  GT-box mIoU of the same objects", numbers, None)


def _classes(group: GroupScores) -> str:
    return f"{group.classes} {'class' if group.classes == 1 else 'classes'}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
