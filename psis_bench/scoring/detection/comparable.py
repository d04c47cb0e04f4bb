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
    drawn = drawn[np.argsort(number, kind="stable")]
    ends = np.cumsum(np.bincount(number, minlength=len(groups)))
    chosen = detections.has_mask
    group, there = places_in(groups, _groups(truth, detections.images[chosen], detections.categories[chosen]))
    own = np.flatnonzero(there & (detections.mask_areas > 0))
    heights = detections.sizes[chosen, 0]
    found = np.zeros(len(there), bool)
    for masks, places in _pairs(own, group[own], ends):
        match = _may_match(truth, drawn[places], detections.measures.at(masks), heights[masks])
        found[masks[match]] = True
    return np.flatnonzero(found)


def _pairs(masks: Ints, groups: Ints, ends: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield each mask with the place of each object of its group, some at a time.

    Args:
        masks: int64 (n,).
        groups: int64 (n,): the group of each.
        ends: int64 (G,): one after the last object of each group; the first is where the one before ends.
    """
    starts = np.append(0, ends[:-1])[groups] if len(ends) else groups
    counts = ends[groups] - starts if len(ends) else groups
    so_far = np.cumsum(counts)
    for part in np.split(np.arange(len(masks)), np.flatnonzero(np.diff(so_far // _PAIRS_AT_A_TIME)) + 1):
        own = counts[part]
        below = np.cumsum(own) - own
        yield np.repeat(masks[part], own), np.repeat(starts[part] - below, own) + np.arange(own.sum())


def _may_match(truth: GroundTruth, objects: Ints, masks: MaskMeasures, heights: Ints) -> Flags:
    """Tell which pairs of a mask, in an image of this height, and an object may have IoU 0.5, bool (p,)."""
    drawn, crowds = truth.mask_pixels[objects], truth.is_crowd[objects]
    common = np.minimum(masks.areas, drawn)
    near = np.flatnonzero(_is_enough(common, masks.areas, drawn, crowds))
    left, right = columns_between(masks.starts[near], masks.stops[near], heights[near])
    first, last, top, bottom = (truth.extents[objects[near], side] for side in range(4))
    shared = np.maximum(np.minimum(right, last) - np.maximum(left, first), 0) * (bottom - top)
    common = np.minimum(common[near], shared)
    found = np.zeros(len(objects), bool)
    found[near] = _is_enough(common, masks.areas[near], drawn[near], crowds[near])
    return found


def _is_enough(common: Ints, areas: Ints, drawn: Ints, crowds: Flags) -> Flags:
    """Tell where so many pixels in common make IoU 0.5 or more, bool (p,)."""
    return np.asarray(np.where(crowds, 2 * common >= areas, 3 * common >= areas + drawn))


def _groups(truth: GroundTruth, images: Ints, categories: Ints) -> Ints:
    """Return one number for an image and a class."""
    classes = np.searchsorted(truth.category_ids, categories)
    return np.asarray(classes * len(truth.image_ids) + np.searchsorted(truth.image_ids, images), np.int64)
