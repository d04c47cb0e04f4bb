"""The transfer matrix as a picture: sources down, targets across, both in an order where the alike are neighbours.

After Birodkar et al. (ICCV 2021), Figure 5b.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from psis_bench.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = "cividis"
"""Of even steps in lightness, so that it reads the same in grey and to readers with a colour deficiency."""
_CELL = 0.155
_MOST_INCHES = 28.0
_LEGIBLE = 0.11


def plot_transfer_heat_map(
    ax: Axes,
    values: npt.NDArray[np.float64],
    *,
    sources: Sequence[str],
    targets: Sequence[str],
    label: str,
    top: float | None = 1.0,
    seen: npt.NDArray[np.bool_] | None = None,
) -> Axes:
    """Draw a cell for each source (row) and target (column), in the order given.

    Args:
        ax: Axes to draw on.
        values: (S, T), at least 0; NaN: a hole, which is drawn as such.
        sources: S names.
        targets: T names.
        label: What a colour means.
        top: Value of the brightest colour; larger ones are drawn like it. None: the largest value.
        seen: (S, T): cells whose target was in training with masks; they get a dot.

    Returns:
        ``ax``.
    """
    from matplotlib import colormaps

    colours = colormaps[COLOURS].with_extremes(bad=(0, 0, 0, 0))  # the hatching of the ground shows through
    holes = np.isnan(values)
    largest = top if top is not None else float(np.nanmax(values, initial=0.0)) or 1.0
    ax.patch.set(hatch="xxxxx", edgecolor=style.GRID, facecolor=style.SURFACE, alpha=1)
    image = ax.imshow(
        np.where(holes, np.nan, values), cmap=colours, vmin=0, vmax=largest, aspect="auto", interpolation="nearest"
    )
    if seen is not None and seen.any():
        rows, columns = np.nonzero(seen & ~holes)
        ax.plot(
            columns, rows, linestyle="none", marker="o", markersize=2.6, color=style.SURFACE,
            markeredgecolor=style.INK, markeredgewidth=0.5,
        )  # fmt: skip
    _name(ax, sources, targets)
    figure = ax.get_figure(root=True)
    if figure is not None:
        over = top is not None and bool((values > top).any())
        bar = figure.colorbar(image, ax=ax, fraction=0.02, pad=0.01, aspect=30, extend="max" if over else "neither")
        bar.set_label(label)
        bar.outline.set_visible(False)
        style.percent_axis(bar.ax, "y")
        bar.ax.tick_params(length=0)
    return ax


def heat_map_size(sources: int, targets: int) -> tuple[float, float]:
    """Return width and height in inches at which every name can be read, as far as a page allows."""
    width = min(_MOST_INCHES, max(3.4, 2.2 + _CELL * targets))
    return width, min(_MOST_INCHES, max(2.2, 1.4 + _CELL * sources))


def _name(ax: Axes, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Write the names; where there are too many to be read, every second, third, ... of them."""
    width, height = heat_map_size(len(sources), len(targets))
    for axis, names, inches in ((ax.xaxis, targets, width - 2.2), (ax.yaxis, sources, height - 1.4)):
        step = max(1, int(np.ceil(_LEGIBLE * len(names) / max(inches, 0.1))))
        places = list(range(0, len(names), step))
        axis.set_ticks(places, [names[place] for place in places])
    ax.tick_params(length=0, labelsize=7.5, pad=2)
    ax.tick_params(axis="x", labelrotation=90)
    style.literal([*ax.get_xticklabels(), *ax.get_yticklabels()])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel("target class")
    ax.set_ylabel("source class")
