"""Figure 5b: the transfer matrix, relative to runs with masks of all classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psis_bench.plots.request import Made, Request, save_figure
from psis_bench.plots.transfer import describe, matrix_of, metric_label
from psis_bench.sweep.clustering import METHOD, similar_first
from psis_bench.sweep.matrix import write_matrix

if TYPE_CHECKING:
    from psis_bench.sweep.matrix import TransferMatrix


def make(request: Request) -> Made:
    """Draw the figure, and write the matrix beside it as Parquet and CSV."""
    import pandas as pd

    from psis_bench.figures import style
    from psis_bench.figures.transfer_heat_map import heat_map_size, plot_transfer_heat_map

    matrix = matrix_of(request)
    relative = matrix.reference.size > 0
    values = matrix.ratios() if relative else matrix.mean()
    rows, columns = orders(values, request.choice("order", ("clustered", "given"), "clustered"))
    shown = values[np.ix_(rows, columns)]
    sources, targets = [matrix.sources[row] for row in rows], [matrix.targets[column] for column in columns]
    word = metric_label(matrix)
    with style.themed():
        ax = style.new_axes(*heat_map_size(len(sources), len(targets)))
        plot_transfer_heat_map(
            ax,
            shown,
            sources=sources,
            targets=targets,
            label=f"{word}, % of that with all masks" if relative else word,
            top=1.0 if relative else None,
            seen=matrix.seen[np.ix_(rows, columns)],
        )
        table = pd.DataFrame(shown, columns=targets)
        table.insert(0, "source", sources)
        table.insert(1, "protocol", matrix.protocol)
        files = save_figure(request, ax, table)
    files += [write_matrix(matrix, request.out / f"matrix.{suffix}") for suffix in ("parquet", "csv")]
    return Made(files=files, lines=[*describe(matrix), *_lines(matrix, values, relative=relative)])


def orders(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], order: str) -> tuple[list[int], list[int]]:
    """Return the order of rows and columns; ratios count as at most 1, as they are drawn."""
    if order == "given":
        return list(range(values.shape[0])), list(range(values.shape[1]))
    truncated = np.minimum(values, 1.0)
    return similar_first(truncated), similar_first(truncated.T)


def _lines(
    matrix: TransferMatrix, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], *, relative: bool
) -> list[str]:
    lines = [f"order: {METHOD}"]
    if relative:
        above, runs = int((values > 1).sum()), matrix.reference.shape[1]
        lines.append(
            f"ratios are of means over seeds ({runs} run{'s' * (runs != 1)} with all masks); "
            f"{above} above 1, drawn as 1; the files have them whole"
        )
    else:
        lines.append("there is no run with masks of all classes, so scores are drawn, not ratios")
    if matrix.seen.any():
        lines.append("a dot marks a target whose own masks were in training")
    return lines
