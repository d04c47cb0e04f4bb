"""Mask heads by depth and family: what seen and unseen classes gain.

After Birodkar et al. (ICCV 2021), Figure 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psis_bench.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MARKERS: Final = ("o", "s", "D", "^", "v", "P")
_LEAST_STEP: Final = 1.2
"""Factor between the depths of two neighbouring ticks."""


def plot_depth_curves(ax: Axes, table: pd.DataFrame, *, label: str) -> Axes:
    """Draw a line a family over the depth of its mask heads: solid for unseen classes, dotted for seen ones.

    Args:
        ax: Axes to draw on.
        table: One row a mask head and group: ``family`` (str), ``depth`` (layers), ``group`` (``seen``, ``unseen``),
            ``mean``, ``low``, ``high`` (in [0, 1]; NaN ends: no interval).
        label: Of the vertical axis.

    Returns:
        ``ax``.
    """
    families = list(dict.fromkeys(table["family"]))
    for place, family in enumerate(families):
        colour, marker = style.LINE_COLOURS[place % 6], MARKERS[place % 6]
        for group, line, filled in (("unseen", "-", True), ("seen", ":", False)):
            rows = table[(table["family"] == family) & (table["group"] == group)].sort_values("depth")
            if rows.empty:
                continue
            mean = rows["mean"].to_numpy()
            ax.errorbar(
                # Side by side, so that neither hides the other's interval.
                rows["depth"].to_numpy() * (1.02 if group == "seen" else 0.98),
                mean,
                yerr=[mean - rows["low"].to_numpy(), rows["high"].to_numpy() - mean],
                color=colour,
                linestyle=line,
                marker=marker,
                markersize=6,
                markerfacecolor=colour if filled else style.SURFACE,
                markeredgecolor=colour,
                capsize=2.5,
                elinewidth=1,
                label=family if filled else None,
            )
    ax.set_xscale("log", base=2)
    depths = _apart(sorted(set(table["depth"])))
    ax.set_xticks(depths, [f"{depth:g}" for depth in depths])
    ax.set_xticks([], minor=True)
    style.percent_axis(ax, "y")
    style.dress(ax, x_label="layers of the mask head", y_label=label)
    _legend(ax, seen=bool((table["group"] == "seen").any()))
    return ax


def _apart(depths: list[float]) -> list[float]:
    """Return those of ascending depths whose numbers do not run into each other on a logarithmic axis."""
    kept: list[float] = []
    for depth in depths:
        if not kept or depth >= _LEAST_STEP * kept[-1]:
            kept.append(depth)
    return kept


def _legend(ax: Axes, *, seen: bool) -> None:
    from matplotlib.lines import Line2D

    handles, _ = ax.get_legend_handles_labels()
    groups = [Line2D([], [], color=style.INK, linestyle="-", marker="o", markersize=5, label="unseen classes")]
    if seen:
        groups.append(
            Line2D(
                [], [], color=style.INK, linestyle=":", marker="o", markersize=5, label="seen classes",
                markerfacecolor=style.SURFACE,
            )
        )  # fmt: skip
    ax.legend(handles=[*handles, *groups], loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
