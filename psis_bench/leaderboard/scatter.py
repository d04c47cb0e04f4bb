"""Where the dots of the seen-against-unseen scatter go: plain geometry, drawn by the page's template as SVG.

After Birodkar et al. (ICCV 2021), §4: models alike on seen classes differ on unseen ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from psis_bench.leaderboard.rows import Row

SIDE: Final = 400.0
"""Length of either axis in units of the drawing."""

METRICS: Final = {"mask_AP": "mask AP", "gt_box_miou": "GT-box mIoU"}


class Dot(NamedTuple):
    """A row at ``x`` from the left and ``y`` from the top, in units of the drawing."""

    x: float
    y: float
    row: Row


class Tick(NamedTuple):
    """A value in [0, 1] and its distance from the lower left corner."""

    value: float
    place: float


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """A square drawing whose axes have the same scale, so that the diagonal is "unseen as good as seen".

    Attributes:
        metric: Key of `METRICS`.
        title: The metric, for readers.
        dots: One a row that has both numbers, the best on unseen classes first.
        ticks: Of both axes.
    """

    metric: str
    title: str
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]


def scatters(rows: Sequence[Row]) -> list[Scatter]:
    """Return a scatter for each metric that at least two rows give for both seen and unseen classes."""
    drawn = (_scatter(metric, rows) for metric in METRICS)
    return [scatter for scatter in drawn if scatter is not None]


def _scatter(metric: str, rows: Sequence[Row]) -> Scatter | None:
    both = [
        (seen, unseen, row)
        for row in rows
        if (seen := row.number(f"{metric}.seen")) is not None and (unseen := row.number(f"{metric}.unseen")) is not None
    ]
    if len(both) < 2:
        return None
    values = [value for seen, unseen, _ in both for value in (seen, unseen)]
    step = _step(max(values) - min(values))
    low = max(math.floor(min(values) / step - 0.2) * step, 0.0)
    high = min(math.ceil(max(values) / step + 0.2) * step, 1.0)

    def place(value: float) -> float:
        return SIDE * (value - low) / (high - low)

    count = round((high - low) / step)
    dots = [Dot(place(seen), SIDE - place(unseen), row) for seen, unseen, row in both]
    return Scatter(
        metric=metric,
        title=METRICS[metric],
        dots=tuple(sorted(dots, key=lambda dot: dot.y)),
        ticks=tuple(Tick(low + index * step, place(low + index * step)) for index in range(count + 1)),
    )


def _step(span: float) -> float:
    """Return a round distance of ticks that gives three to nine of them."""
    return next((step for step in (0.01, 0.02, 0.05, 0.1) if span / step <= 7), 0.2)
