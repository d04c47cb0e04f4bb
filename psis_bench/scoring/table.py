"""The scores as a table for the terminal: numbers times 100, one decimal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from psis_bench.scoring.results import Scores

_GROUPS = ("seen", "unseen", "all")
_DETECTION_ROWS = (
    ("box AP", "box", "ap"),
    ("mask AP", "mask", "ap"),
    ("mask AP50", "mask", "ap50"),
    ("mask AP75", "mask", "ap75"),
    ("mask AP small", "mask", "ap_small"),
    ("mask AP medium", "mask", "ap_medium"),
    ("mask AP large", "mask", "ap_large"),
)


def score_table(scores: Scores | Mapping[str, Any]) -> Table:
    """Return seen, unseen and all classes side by side, with the trivial rows beneath GT-box mIoU.

    Args:
        scores: Scores, or the content of ``scores.json``.
    """
    if not isinstance(scores, Scores):
        scores = Scores.from_dict(scores)
    groups = {name: scores.groups[name] for name in _GROUPS if name in scores.groups}
    caption = "\n".join(f"{note[:1].upper()}{note[1:]}." for note in scores.notes)
    table = Table(title=f"{scores.split.name} (version {scores.split.version})", caption=caption or None)
    table.caption_justify = "left"
    table.add_column("score x 100", no_wrap=True)
    for name, group in groups.items():
        table.add_column(f"{name}\n{group.classes} {'class' if group.classes == 1 else 'classes'}", justify="right")

    def add(label: str, part: str, name: str, style: str | None = None) -> None:
        found = [getattr(group, part) for group in groups.values()]
        if any(found):
            table.add_row(label, *(_shown(getattr(scored, name, None)) for scored in found), style=style)

    for label, part, name in _DETECTION_ROWS:
        add(label, part, name)
    for label, name in (("class mean", "class_mean"), ("instance mean", "instance_mean")):
        table.add_section()
        add(f"GT-box mIoU, {label}", "gt_box_miou", name, "bold")
        add("  full box", "full_box", name, "dim")
        add("  inscribed ellipse", "ellipse", name, "dim")
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
