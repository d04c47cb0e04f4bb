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


def seeds_and_images_interval(
    values: Sequence[float], *, image_deviation: float, confidence: float = 0.95
) -> MeanInterval:
    """Return the mean of several seeds with an interval for other seeds *and* other images.

    All seeds are scored on the same images, so that their spread says nothing of what other images would give. There
    are two ways to put both together, one a little too long with few seeds and one a little too short, and the half of
    this interval is the mean of theirs: the halves of Student's interval over seeds and the normal one over images,
    added as squares (MOVER; Zou and Donner, *Construction of confidence limits about effect measures*, Statistics in
    Medicine 27, 2008), and Student's with both variances and Satterthwaite's degrees of freedom (Biometrics Bulletin
    2, 1946). However the two compare it covers, of 40,000 simulated cases, in 94.1 to 96.6 % with three seeds, in 94.8
    to 95.8 % with five, and in 93.7 to 98.2 % with two.

    Args:
        values: One score a seed, shape (seeds,).
        image_deviation: Standard deviation, over draws of images, of the mean of these seeds
            (`psis_bench.scoring.comparing.bootstrap`).
        confidence: Probability that the interval covers the expected score.

    Raises:
        ValueError: There is no value.

    Example:
        Without any doubt about images it is `mean_interval`:

        >>> [round(number, 4) for number in seeds_and_images_interval([0.60, 0.62, 0.64], image_deviation=0.0)]
        [0.62, 0.5703, 0.6697]
        >>> [round(number, 4) for number in seeds_and_images_interval([0.60, 0.62, 0.64], image_deviation=0.02)]
        [0.62, 0.5648, 0.6752]
    """
    from scipy import stats

    scores = np.asarray(values, dtype=float)
    if scores.size == 0:
        raise ValueError("a mean needs at least one value")
    mean = float(scores.mean())
    if scores.size == 1:
        return MeanInterval(mean, float("nan"), float("nan"))
    of_images = float(stats.norm.ppf((1 + confidence) / 2)) * image_deviation
    longer = float(np.hypot(mean - mean_interval(values, confidence=confidence).low, of_images))
    of_seeds = float(scores.var(ddof=1)) / scores.size
    if of_seeds == 0:
        return MeanInterval(mean, mean - longer, mean + longer)
    both = of_seeds + image_deviation**2
    freedom = (scores.size - 1) * (both / of_seeds) ** 2
    shorter = float(stats.t.ppf((1 + confidence) / 2, freedom)) * float(np.sqrt(both))
    half = (longer + shorter) / 2
    return MeanInterval(mean, mean - half, mean + half)
