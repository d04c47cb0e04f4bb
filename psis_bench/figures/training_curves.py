"""Training curves: the terms of the loss and the learning rate over iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psis_bench.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_loss_terms(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw one line for each term of the loss; the term called ``loss`` (their sum) stands out.

    Args:
        ax: Axes to draw on.
        table: Columns ``iteration`` (int), ``term`` (str) and ``value`` (float, any unit); NaN leaves a gap.

    Returns:
        ``ax``.
    """
    terms = list(dict.fromkeys(table["term"]))
    others = [term for term in terms if term != "loss"]
    for index, term in enumerate(others):
        rows = table[table["term"] == term]
        ax.plot(
            rows["iteration"].to_numpy(),
            rows["value"].to_numpy(),
            color=style.LINE_COLOURS[index % len(style.LINE_COLOURS)],
            linestyle=style.LINE_STYLES[index % len(style.LINE_STYLES)],
            linewidth=1.5,
            label=term.removeprefix("loss_") if term != "loss_" else term,
        )
    if "loss" in terms:
        rows = table[table["term"] == "loss"]
        ax.plot(rows["iteration"].to_numpy(), rows["value"].to_numpy(), color=style.INK, label="sum")
    ax.set_ylim(bottom=0)
    style.dress(ax, x_label="iteration", y_label="loss")
    if terms:
        style.literal(ax.legend(ncols=2 if len(terms) > 3 else 1).get_texts())
    return ax


def plot_learning_rate(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw the learning rate over iterations.

    Args:
        ax: Axes to draw on.
        table: Columns ``iteration`` (int) and ``lr`` (float).

    Returns:
        ``ax``.
    """
    ax.plot(table["iteration"].to_numpy(), table["lr"].to_numpy(), color=style.INK)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    return style.dress(ax, x_label="iteration", y_label="learning rate")
