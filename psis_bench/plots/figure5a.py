"""Figure 5a: how well masks of one class alone teach to segment the unseen classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from psis_bench.plots.request import Made, Request, per_cent, save_figure
from psis_bench.plots.transfer import describe, matrix_of, metric_label
from psis_bench.scoring.comparing.intervals import mean_interval
from psis_bench.splits.categories import NON_VOC_NAMES
from psis_bench.sweep.matrix import FULL

if TYPE_CHECKING:
    import pandas as pd

    from psis_bench.sweep.matrix import TransferMatrix


def make(request: Request) -> Made:
    """Draw the figure."""
    from psis_bench.figures import style
    from psis_bench.figures.source_bars import plot_source_bars, source_bars_size

    matrix = matrix_of(request)
    table = source_table(matrix)
    with style.themed():
        ax = style.new_axes(*source_bars_size(len(table)))
        plot_source_bars(ax, table, label=f"{metric_label(matrix)}, mean of unseen classes")
        plain = table.assign(runs=[" ".join(repr(value) for value in values) for values in table["runs"]])
        files = save_figure(request, ax, plain.assign(metric=matrix.metric, protocol=matrix.protocol))
    return Made(files=files, lines=[*describe(matrix), *_lines(matrix, table)])


def source_table(matrix: TransferMatrix) -> pd.DataFrame:
    """Return one row a source, best first: ``source, mean, low, high, runs``.

    The interval is Student's over seeds at 95 %; ``runs`` are the seeds' values.
    """
    import pandas as pd

    rows = []
    for source, values in zip(matrix.sources, matrix.by_source(), strict=True):
        known = [float(value) for value in values if not math.isnan(value)]
        interval = mean_interval(known)._asdict() if known else dict.fromkeys(("mean", "low", "high"), math.nan)
        rows.append({"source": source, **interval, "runs": known})
    table = pd.DataFrame(rows, columns=["source", "mean", "low", "high", "runs"])
    return table.sort_values("mean", ascending=False, na_position="last", kind="stable").reset_index(drop=True)


def _lines(matrix: TransferMatrix, table: pd.DataFrame) -> list[str]:
    known = table[table["mean"].notna()]
    if known.empty:
        return []
    best, worst = known.iloc[0], known.iloc[-1]
    text = (
        f"best source {best['source']} ({per_cent(best['mean'])}), worst {worst['source']} ({per_cent(worst['mean'])})"
    )
    as_in_paper = matrix.metric == "mask_AP" and matrix.protocol == FULL and matrix.targets == NON_VOC_NAMES
    return [f"{text}; paper: best bottle 27.8, worst 12.5" if as_in_paper else text]
