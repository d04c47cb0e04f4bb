"""Chooses the instances whose masks are shown: by rank, spread over classes, the same every time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

LEAST_SIDE: Final = 24
"""Boxes with an area under this number squared (pixels) are too small to be judged by eye and are not shown."""

WINDOW: Final = 5
"""Instances are drawn from the ranks within this many percentiles of the wanted one."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Instances near one percentile of a group.

    Attributes:
        percentile: The percentile, 0 (worst) to 100 (best).
        iou: The IoU there, in [0, 1].
        candidates: How many instances were large enough to be shown.
        annotation_ids: The chosen ones, best first.
    """

    percentile: float
    iou: float
    candidates: int
    annotation_ids: tuple[int, ...]


def choose_examples(instances: pd.DataFrame, *, percentiles: tuple[float, ...], count: int) -> list[Examples]:
    """Choose ``count`` instances near each percentile of the IoU, of as many classes as possible.

    Instances are ranked by IoU (ties by annotation id). From those whose rank lies within `WINDOW` percentiles of
    the wanted one (at least ``count`` nearest), the one whose class was shown least often is taken first, and
    among equals the nearest in IoU. No instance is chosen twice.

    Args:
        instances: Columns ``annotation_id``, ``category_id``, ``iou`` and ``side`` (square root of the area of the
            ground-truth box, pixels).
        percentiles: In the order in which the rows are shown.
        count: Instances a percentile.

    Returns:
        One entry a percentile; empty when no instance is large enough.
    """
    large = instances[(instances["side"] >= LEAST_SIDE) & instances["iou"].notna()]
    ordered = large.sort_values(["iou", "annotation_id"], ignore_index=True)
    if ordered.empty:
        return []
    rank = np.arange(len(ordered)) * (100 / max(len(ordered) - 1, 1))
    free = np.ones(len(ordered), dtype=bool)
    shown: Counter[int] = Counter()
    rows = []
    for percentile in percentiles:
        target = float(np.percentile(ordered["iou"], percentile))
        chosen = _nearest(ordered, np.abs(rank - percentile), free, target=target, count=count, shown=shown)
        free[chosen] = False
        ids = ordered["annotation_id"].to_numpy()[sorted(chosen, reverse=True)]
        rows.append(
            Examples(
                percentile=percentile, iou=target, candidates=len(ordered), annotation_ids=tuple(int(i) for i in ids)
            )
        )
    return rows


def _nearest(
    ordered: pd.DataFrame,
    distance: npt.NDArray[np.float64],
    free: npt.NDArray[np.bool_],
    *,
    target: float,
    count: int,
    shown: Counter[int],
) -> list[int]:
    """Return positions in ``ordered``; counts the classes taken in ``shown``."""
    available = np.flatnonzero(free)
    by_distance = available[np.argsort(distance[available], kind="stable")]
    pool = [int(i) for place, i in enumerate(by_distance) if place < count or distance[i] <= WINDOW]
    ious, categories = ordered["iou"].to_numpy(), ordered["category_id"].to_numpy()
    in_row: Counter[int] = Counter()
    chosen: list[int] = []
    while pool and len(chosen) < count:
        best = min(pool, key=lambda i: (in_row[categories[i]], shown[categories[i]], abs(ious[i] - target), i))
        pool.remove(best)
        chosen.append(best)
        in_row[categories[best]] += 1
        shown[categories[best]] += 1
    return chosen
