"""The strong mask generalization effect in one figure: mask heads on seen and on unseen classes.

After Birodkar et al., "The surprising impact of mask-head architecture on novel class segmentation"
(ICCV 2021), §4: mask heads that are alike on seen classes differ on unseen ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psis_bench.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TRIVIAL_ROWS: Final = {"full box": ":", "ellipse": "--"}
"""Values of the column ``head`` that are drawn as lines, with their line style."""


def plot_mask_generalization(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw a dot with its interval for each mask head, once among seen and once among unseen classes.

    Args:
        ax: Axes to draw on.
        table: One row a head and group, in the order to draw. Columns ``head`` (str; ``full box`` and ``ellipse``
            are the trivial rows, drawn as lines across their group), ``group`` (``seen`` or ``unseen``), ``mean``,
            ``low`` and ``high`` (GT-box mIoU and the ends of its 95% interval, in [0, 1]; NaN ends: no interval).

    Returns:
        ``ax``.
    """
    heads = [head for head in dict.fromkeys(table["head"]) if head not in TRIVIAL_ROWS]
    groups = [group for group in style.GROUPS if (table["group"] == group).any()]
    step = len(heads) + 0.6
    for index, group in enumerate(groups):
        rows = table[table["group"] == group].set_index("head")
        _draw_group(ax, rows, heads, left=index * step, group=group)
    ax.set_xticks(
        [index * step + place for index in range(len(groups)) for place in range(len(heads))], heads * len(groups)
    )
    style.literal(ax.get_xticklabels())
    if len(heads) > 3:
        ax.tick_params(axis="x", labelrotation=30)
        for label in ax.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    ax.margins(y=0.1)
    ax.set_xlim(-0.8, max(len(groups) * step - 0.8, 0))
    style.percent_axis(ax, "y")
    style.dress(ax, y_label="GT-box mIoU")
    ax.spines["bottom"].set_visible(False)
    return ax


def _draw_group(ax: Axes, rows: pd.DataFrame, heads: list[str], *, left: float, group: str) -> None:
    look, right = style.group_style(group), left + len(heads) - 1
    _draw_trivial(ax, rows, left=left - 0.5, right=right + 0.5)
    for place, head in enumerate(heads):
        if head not in rows.index:
            continue
        mean, low, high = (float(rows.loc[head, column]) for column in ("mean", "low", "high"))
        ax.errorbar(
            [left + place],
            [mean],
            yerr=[[mean - low], [high - mean]],
            color=look.colour,
            marker=look.marker,
            markersize=8,
            markeredgecolor=style.SURFACE,
            capsize=4,
            linewidth=1.8,
        )
        ax.annotate(
            f"{100 * mean:.1f}", (left + place, high if high >= mean else mean), xytext=(0, 5),
            textcoords="offset points", ha="center", va="bottom", color=style.INK, fontsize=style.SMALL,
        )  # fmt: skip
    ax.text(
        (left + right) / 2, 1.03, f"{look.label} classes", transform=ax.get_xaxis_transform(),
        ha="center", va="bottom", color=look.colour, fontweight="bold",
    )  # fmt: skip


def _draw_trivial(ax: Axes, rows: pd.DataFrame, *, left: float, right: float) -> None:
    values = {name: float(rows.loc[name, "mean"]) for name in TRIVIAL_ROWS if name in rows.index}
    for name, value in values.items():
        ax.plot([left, right], [value, value], color=style.TRIVIAL, linestyle=TRIVIAL_ROWS[name], linewidth=1.3)
        # The two values are often close: the higher line has its name above it, the lower one below.
        above = value == max(values.values())
        ax.annotate(
            name, (right, value), xytext=(0, 2 if above else -2), textcoords="offset points", ha="right",
            va="bottom" if above else "top", color=style.MUTED, fontsize=7.5,
        )  # fmt: skip
