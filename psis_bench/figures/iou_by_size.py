"""IoU of single instances against the size of the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import NullLocator

from psis_bench.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TICKS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


def plot_iou_by_size(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw the mean IoU in each bin of object size, with the middle half of the instances as a band.

    Args:
        ax: Axes to draw on.
        table: One row a group and bin, bins ascending. Columns ``group`` (a group of classes, or ``ellipse``, drawn
            without band), ``size`` (centre of the bin: square root of the mask's area, pixels), ``mean``, ``low`` and
            ``high`` (mean IoU, lower and upper quartile, in [0, 1]).

    Returns:
        ``ax``.
    """
    for group in dict.fromkeys(table["group"]):
        rows = table[table["group"] == group]
        size, mean = rows["size"].to_numpy(), rows["mean"].to_numpy()
        look = style.group_style(group)
        if group == "ellipse":
            ax.plot(size, mean, color=style.TRIVIAL, linestyle=":", linewidth=1.5, label="inscribed ellipse")
            continue
        ax.fill_between(
            size, rows["low"].to_numpy(), rows["high"].to_numpy(), color=look.colour, alpha=0.16, linewidth=0
        )
        ax.plot(
            size,
            mean,
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            markersize=5,
            markeredgecolor=style.SURFACE,
            markeredgewidth=0.8,
            label=look.label,
        )
    ax.set_xscale("log", base=2)
    ax.set_xticks(TICKS, [str(tick) for tick in TICKS])
    ax.xaxis.set_minor_locator(NullLocator())
    if len(table):
        ax.set_xlim(table["size"].min() / 1.2, table["size"].max() * 1.2)
    ax.set_ylim(0, 1.03)
    style.percent_axis(ax, "y")
    style.dress(ax, x_label="size of the object: square root of its area (pixels)", y_label="IoU")
    if len(table):
        ax.legend(loc="lower right", ncols=2)
    return ax
