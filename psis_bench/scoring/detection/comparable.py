"""Which predicted masks can find an object at all, told from what is known without comparing any pixels.

Below IoU 0.5 nothing matches. Two masks have no more pixels in common than the smaller one has, and none outside of
the columns that both reach and the rows that the object reaches: from that and the two areas follows the highest IoU
that is possible (with a crowd, the intersection is divided by the detection's own area). A mask that no object of its
image and class allows to reach 0.5 finds nothing, whatever its pixels are: for the scores only its area, score and
class count.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.detections import Detections, MaskMeasures
from psis_bench.scoring.inputs.ground_truth import Flags, GroundTruth, columns_between, places_in

_ABOVE_ANY_AREA = 2**33  # twice the pixels of the largest image that run lengths can hold
_PAIRS_AT_A_TIME = 2**18


def can_find(truth: GroundTruth, detections: Detections) -> Ints:
    """Return the masks that may have IoU 0.5 or more with an object of their image and class.

    Args:
        truth: The annotations.
        detections: Checked detections.

    Returns:
        Places in ``detections.strings``, int64 (c,), ascending.
    """
    drawn = np.flatnonzero(truth.has_mask)
    groups, number = np.unique(_groups(truth, truth.images[drawn], truth.categories[drawn]), return_inverse=True)
    chosen = detections.has_mask
    group, there = places_in(groups, _groups(truth, detections.images[chosen], detections.categories[chosen]))
    own = np.flatnonzero(there & (detections.mask_areas > 0))
    heights = detections.sizes[chosen, 0]
    found = np.zeros(len(there), bool)
    crowds = truth.is_crowd[drawn]
    for kind in (False, True):
        objects = np.flatnonzero(crowds == kind)
        for rows, places in _of_fitting_area(
            group[own], detections.mask_areas[own], number[objects], truth.mask_pixels[drawn[objects]], crowds=kind
        ):
            masks = own[rows]
            match = _may_match(
                truth, drawn[objects[places]], detections.measures.at(masks), heights[masks], crowds=kind
            )
            found[masks[match]] = True
    return np.flatnonzero(found)


def _of_fitting_area(
    groups: Ints, areas: Ints, object_groups: Ints, object_areas: Ints, *, crowds: bool
) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of a mask and an object of its group whose areas allow IoU 0.5, some at a time."""
    # Objects in order of group and area, each group in a range of numbers of its own.
    marks = object_groups * _ABOVE_ANY_AREA + object_areas
    order = np.argsort(marks)
    marks = marks[order]
    low = groups * _ABOVE_ANY_AREA
    most = np.full_like(areas, _ABOVE_ANY_AREA - 1) if crowds else np.minimum(2 * areas, _ABOVE_ANY_AREA - 1)
    first = np.searchsorted(marks, low + (areas + 1) // 2, side="left")
    counts = np.searchsorted(marks, low + most, side="right") - first
    busy = np.flatnonzero(counts)
    for rows in np.split(busy, np.flatnonzero(np.diff(np.cumsum(counts[busy]) // _PAIRS_AT_A_TIME)) + 1):
        own = counts[rows]
        below = np.cumsum(own) - own
        yield np.repeat(rows, own), order[np.repeat(first[rows] - below, own) + np.arange(own.sum())]


def _may_match(truth: GroundTruth, objects: Ints, masks: MaskMeasures, heights: Ints, *, crowds: bool) -> Flags:
    """Tell which pairs of a mask, in an image of this height, and an object may have IoU 0.5, bool (p,)."""
    left, right = columns_between(masks.starts, masks.stops, heights)
    first, last, top, bottom = truth.extents[objects].T.astype(np.int64)
    shared = np.maximum(np.minimum(right, last) - np.maximum(left, first), 0) * (bottom - top)
    drawn = truth.mask_pixels[objects]
    common = np.minimum(np.minimum(masks.areas, drawn), shared)
    return np.asarray(2 * common >= masks.areas if crowds else 3 * common >= masks.areas + drawn)


def _groups(truth: GroundTruth, images: Ints, categories: Ints) -> Ints:
    """Return one number for an image and a class."""
    classes = np.searchsorted(truth.category_ids, categories)
    return np.asarray(classes * len(truth.image_ids) + np.searchsorted(truth.image_ids, images), np.int64)
