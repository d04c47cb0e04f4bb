"""Which predicted masks can find an object at all, told from areas alone: the others need not be compared.

Below IoU 0.5 nothing matches, and IoU is at most the smaller of two areas divided by the larger one (with a crowd, by
the detection's own area). A mask with no object of about its size in its image and class finds nothing, whatever its
pixels are: for the scores only its area, score and class count.
"""

from __future__ import annotations

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Flags, GroundTruth, places_in

_ABOVE_ANY_AREA = 2**33  # twice the pixels of the largest image that run lengths can hold


def can_find(truth: GroundTruth, detections: Detections) -> Ints:
    """Return the masks that may have IoU 0.5 or more with an object of their image and class.

    Args:
        truth: The annotations.
        detections: Checked detections.

    Returns:
        Places in ``detections.strings``, int64 (c,), ascending.
    """
    own = detections.mask_areas
    drawn = np.flatnonzero(truth.has_mask)
    groups, number = np.unique(_groups(truth, truth.images[drawn], truth.categories[drawn]), return_inverse=True)
    chosen = detections.has_mask
    place, there = places_in(groups, _groups(truth, detections.images[chosen], detections.categories[chosen]))
    # Objects in order of group and area, each group in a range of numbers of its own.
    marks = number * _ABOVE_ANY_AREA + truth.mask_pixels[drawn]
    low = place * _ABOVE_ANY_AREA
    high = low + np.minimum(2 * own, _ABOVE_ANY_AREA - 1)
    crowds = np.sort(marks[truth.is_crowd[drawn]])
    marks.sort()
    large_enough = low + (own + 1) // 2
    near = _any_between(marks, large_enough, high) | _any_between(crowds, large_enough, low + _ABOVE_ANY_AREA - 1)
    return np.flatnonzero(there & (own > 0) & near)


def _any_between(ascending: Ints, low: Ints, high: Ints) -> Flags:
    """Tell where there is a number from ``low`` to ``high``, bool (n,)."""
    found = np.searchsorted(ascending, low, side="left") < np.searchsorted(ascending, high, side="right")
    return np.asarray(found)


def _groups(truth: GroundTruth, images: Ints, categories: Ints) -> Ints:
    """Return one number for an image and a class."""
    classes = np.searchsorted(truth.category_ids, categories)
    return np.asarray(classes * len(truth.image_ids) + np.searchsorted(truth.image_ids, images), np.int64)
