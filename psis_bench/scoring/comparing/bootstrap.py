"""Bootstrap over images: how much a score would move with another draw of as many images.

Images are drawn, not instances, because those of one image resemble each other (a *cluster* bootstrap). A draw is a
weight for each image, how often it was drawn, so that a mean under all draws is one product of matrices. The same
draws serve every score, class and run, which makes differences *paired*. Intervals are percentiles of the draws:
B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 8 (structures), 13 (percentiles).

Shapes: ``B`` draws, ``I`` images, ``n`` instances, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.ground_truth import Floats

Weights = npt.NDArray[np.uint8]

DRAWS = 1000
CONFIDENCE = 0.95


def image_weights(images: int, *, draws: int = DRAWS, seed: int = 0) -> Weights:
    """Draw ``images`` of ``images`` with replacement, ``draws`` times.

    Args:
        images: I, at least 1.
        draws: B.
        seed: Of the draws.

    Returns:
        uint8 (B, I): how often each image was drawn; every row adds up to I.
    """
    generator = np.random.default_rng(seed)
    weights = np.empty((draws, images), np.uint8)
    for row in weights:
        row[:] = np.bincount(generator.integers(0, images, images), minlength=images)
    return weights


def class_means(values: Floats, *, images: Ints, classes: Ints, count: int, weights: Weights) -> Floats:
    """Return the mean of each class under each draw.

    Args:
        values: float64 (n,): one score an instance.
        images: int64 (n,): the place of each one's image, in [0, I).
        classes: int64 (n,): the place of each one's class, in [0, K).
        count: K.
        weights: (B, I), see `image_weights`.

    Returns:
        float64 (B, K); NaN where no image with an instance of the class was drawn.

    Example:
        Two images, the first with values 0.2 and 0.4, the second with 0.9; drawn once each, then the second twice:

        >>> weights = np.array([[1, 1], [0, 2]], np.uint8)
        >>> class_means(
        ...     np.array([0.2, 0.4, 0.9]),
        ...     images=np.array([0, 0, 1]),
        ...     classes=np.zeros(3, int),
        ...     count=1,
        ...     weights=weights,
        ... )
        array([[0.5],
               [0.9]])
    """
    from scipy.sparse import csr_matrix

    shape = (count, weights.shape[1])
    drawn = weights.T.astype(np.float64)
    sums = csr_matrix((values, (classes, images)), shape).dot(drawn)
    instances = csr_matrix((np.ones(len(values)), (classes, images)), shape).dot(drawn)
    return np.asarray(np.divide(sums, instances, out=np.full(sums.shape, np.nan), where=instances > 0).T, np.float64)


def group_mean(means: Floats, members: Collection[int] | Ints) -> Floats:
    """Return the mean over those classes of a group that were drawn.

    Args:
        means: float64 (B, K), NaN where a class was not drawn.
        members: Places of the classes of the group.

    Returns:
        float64 (B,); NaN where none was drawn.
    """
    chosen = means[:, np.asarray(list(members), np.int64)]
    drawn = ~np.isnan(chosen)
    counts = drawn.sum(axis=1)
    sums = np.where(drawn, chosen, 0).sum(axis=1)
    return np.asarray(np.divide(sums, counts, out=np.full(len(chosen), np.nan), where=counts > 0), np.float64)


def percentile_interval(samples: Floats, *, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Return the ends of the interval that the middle of the draws spans.

    Args:
        samples: float64 (..., B); draws that are NaN are left out.
        confidence: Share of the draws inside.

    Returns:
        Lower and upper ends, float64 (...); NaN where all draws are.
    """
    tail = (1 - confidence) / 2
    ends = np.full((2, *samples.shape[:-1]), np.nan)
    there = ~np.isnan(samples).all(axis=-1)
    if there.any():
        some = samples[there]
        quantile = np.nanquantile if np.isnan(some).any() else np.quantile
        ends[:, there] = quantile(some, [tail, 1 - tail], axis=-1)
    return ends[0], ends[1]
