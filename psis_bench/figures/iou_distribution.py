"""How the IoU of single instances is spread, for seen and for unseen classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psis_bench.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_iou_distribution(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw for each group the share of instances whose mask has at least a given IoU.

    A curve further up and right is better; the area under a curve is the group's instance mean.

    Args:
        ax: Axes to draw on.
        table: Columns ``group`` (a group of classes, or ``ellipse``), ``iou`` (threshold in [0, 1]) and
            ``share`` (share of the group's instances with IoU >= ``iou``, in [0, 1]).

    Returns:
        ``ax``.
    """
    for group in dict.fromkeys(table["group"]):
        rows = table[table["group"] == group]
        trivial = group == "ellipse"
        look = style.group_style(group)
        ax.plot(
            rows["iou"].to_numpy(),
            rows["share"].to_numpy(),
            color=style.TRIVIAL if trivial else look.colour,
            linestyle=":" if trivial else look.line,
            linewidth=1.5 if trivial else 2.0,
            label="inscribed ellipse" if trivial else look.label,
        )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    style.percent_axis(ax, "x")
    style.percent_axis(ax, "y")
    style.dress(
        ax, x_label="IoU of the mask on its ground-truth box", y_label="% of instances at least this good", grid="both"
    )
    ax.legend(loc="lower left")
    return ax
