"""How alike two transfer matrices rank targets and sources, e.g. those of probe mode and of full trainings.

Shapes: S sources, T targets; NaN where there is no score.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from psis_bench.errors import UserError
from psis_bench.sweep.matrix import TransferMatrix, nan_mean

Floats = npt.NDArray[np.float64]


class Agreement(NamedTuple):
    """A coefficient or a share, the ends of its interval (NaN: too few for one), and how many were compared."""

    value: float
    low: float
    high: float
    number: int


def rank_correlation(first: Floats, second: Floats, *, confidence: float = 0.95) -> Agreement:
    """Return Spearman's coefficient of two rankings with its interval.

    The interval is Fisher's, with the deviation of D. G. Bonett and T. A. Wright, *Sample size requirements for
    estimating Pearson, Kendall and Spearman correlations*, Psychometrika 65, 2000.

    Args:
        first: (N,).
        second: (N,); places where either is NaN are left out.
        confidence: Probability that the interval covers.

    Returns:
        NaN ends below ten values, where the formula does not hold; a NaN value below three.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2]))
        Agreement(value=0.5, low=nan, high=nan, number=3)
    """
    from scipy import stats

    both = ~(np.isnan(first) | np.isnan(second))
    number = int(both.sum())
    nothing = float("nan")
    if number < 3:
        return Agreement(nothing, nothing, nothing, number)
    value = float(stats.spearmanr(first[both], second[both]).statistic)
    if number < 10 or not abs(value) < 1:
        return Agreement(value, nothing, nothing, number)
    half = stats.norm.ppf((1 + confidence) / 2) * np.sqrt((1 + value**2 / 2) / (number - 3))
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return Agreement(value, float(low), float(high), number)


def same_order(first: Floats, second: Floats, *, confidence: float = 0.95, draws: int = 2000) -> Agreement:
    """Return how often two matrices put two sources in the same order: 1 always, 0.5 by chance.

    Every pair of sources is compared on every target; the interval is of percentiles over draws of targets.

    Args:
        first: (S, T).
        second: (S, T).
        confidence: Share of the draws inside the interval.
        draws: Draws of T targets with replacement.
    """
    alike, known = np.zeros(first.shape[1]), np.zeros(first.shape[1])
    for one, other in combinations(range(len(first)), 2):
        signs = np.sign(first[one] - first[other]) * np.sign(second[one] - second[other])
        there = ~np.isnan(signs)
        known += there
        alike += np.where(there, (signs + 1) / 2, 0.0)
    if not known.any():
        return Agreement(float("nan"), float("nan"), float("nan"), 0)
    drawn = np.random.default_rng(0).integers(0, len(known), (draws, len(known)))
    counts = known[drawn].sum(axis=1)
    shares = alike[drawn].sum(axis=1)[counts > 0] / counts[counts > 0]
    tail = (1 - confidence) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    return Agreement(float(alike.sum() / known.sum()), float(low), float(high), int(known.sum()))


def agreements(first: TransferMatrix, second: TransferMatrix) -> dict[str, Agreement]:
    """Return how alike two matrices rank ``targets``, ``sources``, and ``sources by target``.

    Means are over seeds; those of a target are over the sources that both have, those of a source over targets that
    it has not seen.

    Raises:
        UserError: They are of different metrics, or share no two sources or targets.
    """
    if first.metric != second.metric:
        raise UserError(f"one matrix is of {first.metric}, the other of {second.metric}", cure="choose one metric")
    sources = [name for name in first.sources if name in second.sources]
    targets = [name for name in first.targets if name in second.targets]
    if len(sources) < 2 or len(targets) < 2:
        raise UserError("the matrices share fewer than two sources or targets", cure="compare sweeps of the same data")
    one, other = (_of(matrix, sources, targets) for matrix in (first, second))
    return {
        "targets": rank_correlation(nan_mean(one, axis=0), nan_mean(other, axis=0)),
        "sources": rank_correlation(nan_mean(one, axis=1), nan_mean(other, axis=1)),
        "sources by target": same_order(one, other),
    }


def _of(matrix: TransferMatrix, sources: list[str], targets: list[str]) -> Floats:
    """Return the means over seeds, with the order of names given; NaN where the source has seen the target."""
    rows = [matrix.sources.index(name) for name in sources]
    columns = [matrix.targets.index(name) for name in targets]
    return np.where(matrix.seen, np.nan, matrix.mean())[np.ix_(rows, columns)]
