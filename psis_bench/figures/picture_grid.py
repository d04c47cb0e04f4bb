"""Pictures in rows and columns, with a heading over each column and a line of text under each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from psis_bench.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Picture = npt.NDArray[np.uint8]

_GAP: Final = 0.04
_TEXT: Final = 0.16
_MOST_LETTERS: Final = 15
"""Letters of a heading that fit over a picture of 1.5 inches."""


@dataclass(frozen=True)
class Tile:
    """A picture (H, W, 3) uint8 RGB, and the text under it."""

    picture: Picture
    text: str = ""


def plot_picture_grid(
    ax: Axes, rows: Sequence[Sequence[Tile]], *, columns: Sequence[str] = (), names: Sequence[str] = ()
) -> Axes:
    """Draw pictures, all at the same size, each in a square with its proportions kept.

    Args:
        ax: Axes to draw on; its figure should have the proportions of `grid_size`.
        rows: Tiles of each row.
        columns: Heading of each column.
        names: Name of each row, left of it.

    Returns:
        ``ax``, one unit a column; a row is 1 + 0.16 high with its text.
    """
    step = 1 + _TEXT
    for down, row in enumerate(rows):
        for across, tile in enumerate(row):
            height, width = tile.picture.shape[:2]
            long = max(height, width)
            half_w, half_h = (1 - _GAP) * width / long / 2, (1 - _GAP) * height / long / 2
            x, y = across + 0.5, down * step + 0.5
            ax.imshow(
                tile.picture,
                extent=(x - half_w, x + half_w, y + half_h, y - half_h),
                interpolation="antialiased",
                aspect="auto",
            )
            ax.text(x, down * step + 1.0, tile.text, ha="center", va="top", fontsize=7.5, color=style.INK)
    longest = max((len(line) for heading in columns for line in heading.splitlines()), default=0)
    for across, heading in enumerate(columns):
        ax.text(
            across + 0.5, -0.03, heading, ha="center", va="bottom", fontweight="bold", color=style.INK,
            fontsize=style.FONT_SIZE * min(1.0, _MOST_LETTERS / max(longest, 1)),
        )  # fmt: skip
    for down, name in enumerate(names):
        ax.text(-0.03, down * step + 0.5, name, ha="right", va="center", rotation=90, color=style.INK)
    style.literal(ax.texts)
    ax.set_xlim(0, max((len(row) for row in rows), default=1))
    ax.set_ylim(len(rows) * step - 0.02, 0)
    ax.set_axis_off()
    return ax


def grid_size(rows: int, columns: int, *, inches: float = 1.5) -> tuple[float, float]:
    """Return width and height in inches of a figure of so many tiles, each ``inches`` wide."""
    return inches * columns + 0.35, inches * (1 + _TEXT) * rows + 0.3
