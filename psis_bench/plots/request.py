"""What a plot is asked for, and how its files are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from psis_bench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FORMATS = ("pdf", "svg", "png")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure or table that can be asked for.

    Attributes:
        module: Where its ``make(request)`` is, which returns a `Made`.
        summary: One line in the list of plots.
        keys: Its own keys and what they mean.
    """

    module: str
    summary: str
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was typed after ``psis-bench plot``.

    Attributes:
        name: The plot.
        paths: Folders of runs or sweeps.
        values: Keys with their values, ``out`` apart.
        out: Folder for the files.
        formats: Suffixes of the pictures.
    """

    name: str
    paths: Sequence[Path]
    values: Mapping[str, str]
    out: Path
    formats: Sequence[str] = ("pdf", "png")

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Return the value of a key that has few.

        Raises:
            UserError: It is none of them.
        """
        value = self.values.get(key, default)
        if value not in allowed:
            raise UserError(f"unknown {key} {value!r}", cure=did_you_mean(value, allowed))
        return value

    def listed(self, key: str) -> list[str] | None:
        """Return the items of a key that is a list (``a,b``); None when it is not given."""
        text = self.values.get(key)
        return None if text is None else [item for item in text.split(",") if item]

    def whole(self, key: str, default: int) -> int:
        """Return the value of a key that counts something.

        Raises:
            UserError: It is no whole number of at least 1.
        """
        text = self.values.get(key, str(default))
        if not text.isdecimal() or int(text) < 1:
            raise UserError(f"{key} must be a whole number of at least 1, not {text!r}")
        return int(text)

    def need_paths(self, example: str) -> None:
        """Refuse a request without runs.

        Raises:
            UserError: There is none; ``example`` is the cure.
        """
        if not self.paths:
            raise UserError(f"{self.name} is drawn from runs, and none is given", cure=f"as in {example}")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a plot has made: its files, and lines for the terminal."""

    files: Sequence[Path]
    lines: Sequence[str] = ()


def save_figure(request: Request, ax: Axes, table: pd.DataFrame | None = None, *, name: str = "") -> list[Path]:
    """Write the figure of ``ax`` in every format that is asked for, and the numbers in it as CSV.

    Args:
        request: Says where.
        ax: Axes of the figure.
        table: What is drawn, unrounded.
        name: File name without suffix; empty: that of the plot.
    """
    from psis_bench.figures import style
    from psis_bench.files import write_text

    stem = name or request.name
    files = [style.save(ax, request.out / f"{stem}.{suffix}") for suffix in request.formats]
    if table is not None:
        path = request.out / f"{stem}.csv"
        write_text(path, table.to_csv(index=False, lineterminator="\n"))
        files.append(path)
    return files


def per_cent(value: float) -> str:
    """Return a number in [0, 1] as it is printed: times 100, one decimal; ``-`` for a hole."""
    return "-" if value != value else f"{100 * value:.1f}"  # noqa: PLR0124 - NaN is not itself
