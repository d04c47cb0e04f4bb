"""How every figure looks: one palette, one set of sizes, one way to make and to save a figure.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), told apart by readers with any of the
common colour deficiencies; because print and projectors lose colours, each group also has its own marker, line
style and hatch. Each role has a colour of its own, so that a page can map the colours of a saved SVG to
those of its light or dark theme (`psis_bench.report.charts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

INK: Final = "#1f2429"
MUTED: Final = "#5b6570"
GRID: Final = "#dfe3e8"
SURFACE: Final = "#ffffff"
TRIVIAL: Final = "#737d88"

LINE_COLOURS: Final = ("#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c6bb1", "#a6761d")
LINE_STYLES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))

FONT_SIZE: Final = 10
SMALL: Final = 9


@dataclass(frozen=True, kw_only=True)
class GroupStyle:
    """How one group of classes is drawn: never by colour alone."""

    label: str
    colour: str
    marker: str
    line: str
    hatch: str | None


GROUPS: Final = {
    "seen": GroupStyle(label="seen", colour="#0072b2", marker="o", line="-", hatch=None),
    "unseen": GroupStyle(label="unseen", colour="#d55e00", marker="D", line="--", hatch="////"),
    "other": GroupStyle(label="neither", colour="#b0892f", marker="s", line="-.", hatch="...."),
    "all": GroupStyle(label="all", colour="#3d4650", marker="^", line="-.", hatch="xxxx"),
}

RC: Final[dict[Any, Any]] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "hatch.linewidth": 0.9,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "image.composite_image": False,  # pictures keep their own pixels in vector files
    "svg.hashsalt": "psis_bench",
    "pdf.fonttype": 42,
}


@contextmanager
def themed() -> Iterator[None]:
    """Make, fill and save figures inside this block to give them the project's look."""
    with mpl.rc_context(RC):
        yield


def new_axes(width: float = 4.4, height: float = 3.1) -> Axes:
    """Return the axes of a new figure that belongs to no window.

    Args:
        width: Inches.
        height: Inches.
    """
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def save(ax: Axes, path: Path) -> Path:
    """Write the figure of ``ax`` to ``path``; the suffix chooses the format (``.pdf``, ``.svg``, ``.png``)."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no figure")
    path.parent.mkdir(parents=True, exist_ok=True)
    with themed():
        figure.savefig(path, dpi=200, facecolor=SURFACE, bbox_inches="tight", pad_inches=0.04)
    return path


def dress(ax: Axes, *, x_label: str = "", y_label: str = "", grid: str = "y") -> Axes:
    """Give ``ax`` its labels, a grid behind the data along ``grid`` (``"x"``, ``"y"`` or ``"both"``) and no frame."""
    ax.set_axisbelow(True)
    ax.grid(visible=True, axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    ax.tick_params(length=0)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    return ax


def percent_axis(ax: Axes, axis: str) -> None:
    """Label the ticks of a value in [0, 1] as 0 to 100, as the project prints IoU and AP."""
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    chosen.set_major_formatter(lambda value, _: f"{100 * value:g}")


def rgb(colour: str) -> tuple[int, int, int]:
    """Return ``"#rrggbb"`` as three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def literal(texts: Sequence[Text]) -> None:
    """Show texts as they are written: a class named ``a$b$c`` is no formula."""
    for text in texts:
        text.set_parse_math(False)


def group_style(group: str) -> GroupStyle:
    """Return the style of a group of classes; an unknown name is drawn like classes of neither group."""
    return GROUPS.get(group, GROUPS["other"])
