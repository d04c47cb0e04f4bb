"""GT-box mIoU of each class as a bar, with the value of the inscribed ellipse as a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from psis_bench.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_class_bars(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw one horizontal bar a class, from top to bottom in the order of the table.

    Seen and unseen classes differ in colour and in hatch. The dark tick on a bar is what the inscribed ellipse
    of each box reaches on the same instances: a bar that ends left of its tick is worse than no model.

    Args:
        ax: Axes to draw on.
        table: Columns ``name`` (str), ``group`` (``seen``, ``unseen`` or ``other``), ``miou`` and
            ``ellipse_miou`` (float in [0, 1]).

    Returns:
        ``ax``.
    """
    rows = table.reset_index(drop=True)
    groups = [group for group in style.GROUPS if (rows["group"] == group).any()]
    for group in groups:
        chosen, look = rows[rows["group"] == group], style.group_style(group)
        ax.barh(
            chosen.index.to_numpy(),
            chosen["miou"].to_numpy(),
            height=0.72,
            color=look.colour,
            hatch=look.hatch,
            edgecolor=style.SURFACE,
            linewidth=0,
        )
    positions, ticks = rows.index.to_numpy(), rows["ellipse_miou"].to_numpy()
    ax.vlines(ticks, positions - 0.46, positions + 0.46, color=style.SURFACE, linewidth=3.4)
    ax.vlines(ticks, positions - 0.42, positions + 0.42, color=style.INK, linewidth=1.5)
    ax.set_yticks(positions, rows["name"].tolist())
    style.literal(ax.get_yticklabels())
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    style.percent_axis(ax, "x")
    style.dress(ax, x_label="GT-box mIoU", grid="x")
    ax.spines["left"].set_visible(False)
    _legend(ax, groups)
    return ax


def _legend(ax: Axes, groups: list[str]) -> None:
    looks = [style.group_style(group) for group in groups]
    handles: list[Patch | Line2D] = [
        Patch(facecolor=look.colour, hatch=look.hatch, edgecolor=style.SURFACE, linewidth=0, label=look.label)
        for look in looks
    ]
    handles.append(
        Line2D(
            [], [], color=style.INK, linestyle="none", marker="|", markersize=9, markeredgewidth=1.5, label="ellipse"
        )
    )
    ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1.0),
        ncols=len(handles),
        borderaxespad=0.2,
        handlelength=1.6,
    )
