"""How well masks of one class alone teach to segment all others: one bar a source class.

After Birodkar et al. (ICCV 2021), Figure 5a.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psis_bench.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_source_bars(ax: Axes, table: pd.DataFrame, *, label: str) -> Axes:
    """Draw a horizontal bar a source, the best at the top, with its interval and a dot for each seed.

    Args:
        ax: Axes to draw on.
        table: One row a source. Columns ``source`` (str), ``mean``, ``low``, ``high`` (in [0, 1]; NaN ends: no
            interval; NaN mean: the source has not been measured and stands at the bottom) and ``runs`` (list of
            the seeds' values).
        label: What the bars are, e.g. ``"mask AP of unseen classes"``.

    Returns:
        ``ax``.
    """
    rows = table.sort_values("mean", ascending=False, na_position="last", kind="stable").reset_index(drop=True)
    places = np.arange(len(rows))
    look = style.group_style("unseen")
    ax.barh(places, rows["mean"].to_numpy(), height=0.7, color=look.colour, alpha=0.85, linewidth=0)
    known = rows["low"].notna().to_numpy()
    if known.any():
        mean, low, high = (rows.loc[known, column].to_numpy() for column in ("mean", "low", "high"))
        ax.errorbar(
            mean,
            places[known],
            xerr=[mean - np.maximum(low, 0), high - mean],
            fmt="none",
            ecolor=style.INK,
            elinewidth=1.2,
            capsize=2.5,
        )
    for place, values in zip(places, rows["runs"], strict=True):
        ax.plot(
            values, [place] * len(values), linestyle="none", marker="o", markersize=3.4, color=style.SURFACE,
            markeredgecolor=style.INK, markeredgewidth=0.7,
        )  # fmt: skip
    for place in places[rows["mean"].isna().to_numpy()]:
        ax.text(0, place, " not measured", va="center", ha="left", color=style.MUTED, fontsize=style.SMALL)
    ax.set_yticks(places, rows["source"].tolist())
    style.literal(ax.get_yticklabels())
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(left=0)
    style.percent_axis(ax, "x")
    style.dress(ax, x_label=label, grid="x")
    ax.spines["left"].set_visible(False)
    return ax


def source_bars_size(sources: int) -> tuple[float, float]:
    """Return width and height in inches that leave the names readable."""
    return 4.6, max(1.6, 0.9 + 0.21 * sources)
