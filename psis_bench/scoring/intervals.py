"""Intervals for means over repeated runs: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class MeanInterval(NamedTuple):
    """A mean and the ends of its confidence interval; ``low`` and ``high`` are NaN for a single value."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> MeanInterval:
    """Return the mean of independent runs with Student's t interval.

    Args:
        values: One score a run, shape (runs,).
        confidence: Probability that the interval covers the expected score of a run, if scores are normal.

    Raises:
        ValueError: There is no value.

    Example:
        >>> [round(number, 4) for number in mean_interval([0.60, 0.62, 0.64])]
        [0.62, 0.5703, 0.6697]
    """
    from scipy import stats

    scores = np.asarray(values, dtype=float)
    if scores.size == 0:
        raise ValueError("a mean needs at least one value")
    mean = float(scores.mean())
    if scores.size == 1:
        return MeanInterval(mean, float("nan"), float("nan"))
    half = float(stats.t.ppf((1 + confidence) / 2, scores.size - 1) * scores.std(ddof=1) / np.sqrt(scores.size))
    return MeanInterval(mean, mean - half, mean + half)
