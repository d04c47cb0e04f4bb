"""Ranks of several runs with intervals: which places a run would take with another draw of images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psis_bench.scoring.comparing.bootstrap import CONFIDENCE
from psis_bench.scoring.inputs.ground_truth import Floats


class RankInterval(NamedTuple):
    """The place of a run, 1 the best, and the first and last place that its interval covers."""

    rank: int
    best: int
    worst: int


def rank_intervals(scores: Floats, samples: Floats, *, confidence: float = CONFIDENCE) -> list[RankInterval]:
    """Rank runs by their scores, the higher the better.

    Args:
        scores: float64 (R,): the score of each run.
        samples: float64 (B, R): the same under draws of images that all runs share.
        confidence: Share of the draws in which a run takes one of the places of its interval, at least.

    Returns:
        One a run; runs with equal scores share the better place.

    Example:
        The first run is ahead in two draws of three:

        >>> rank_intervals(np.array([0.6, 0.5]), np.array([[0.6, 0.5], [0.7, 0.4], [0.5, 0.6]]))
        [RankInterval(rank=1, best=1, worst=2), RankInterval(rank=2, best=1, worst=2)]
    """
    tail = (1 - confidence) / 2
    drawn = _places(samples)
    low = np.quantile(drawn, tail, axis=0, method="inverted_cdf")
    high = np.quantile(drawn, 1 - tail, axis=0, method="inverted_cdf")
    places = _places(scores[None])[0]
    return [RankInterval(int(rank), int(a), int(b)) for rank, a, b in zip(places, low, high, strict=True)]


def _places(scores: Floats) -> Floats:
    """Return one more than the number of runs that are better, float64 (B, R)."""
    return np.asarray(1 + (scores[:, None, :] > scores[:, :, None]).sum(axis=2), np.float64)
