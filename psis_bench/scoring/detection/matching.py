"""Which detection finds which object: COCO's greedy matching, for all groups of detections at once.

In each group (an image and a class, or an image alone) detections choose in the order of their scores. Each takes the
object of the highest IoU among those that reach the threshold and are not taken; of two with the same IoU the later
one; an object that is ignored only when there is no other. A crowd can be taken many times. This is
``COCOeval.evaluateImg`` of https://github.com/cocodataset/cocoapi/blob/master/PythonAPI/pycocotools/cocoeval.py
(and of the ``lvis`` package, which has no crowds), held to it in the tests without any difference. Here the n-th choice
of every group is made at the same time, for all thresholds and area ranges.

Shapes: ``P`` pairs of a detection and an object, ``C`` detections in them, ``G`` objects, ``A`` area ranges,
``T`` IoU thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.ground_truth import Flags, Floats

IOU_THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10, dtype=np.float64)
"""COCO's ten, in the floating-point form that pycocotools has."""

_CELLS_AT_A_TIME = 2**21


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Detections and objects of one group whose IoU reaches the lowest threshold.

    Args:
        detections: int64 (P,): places of the detections in order of group and score, ascending.
        objects: int64 (P,): places of the objects in the order of their group, ascending for each detection.
        ious: float64 (P,).
    """

    detections: Ints
    objects: Ints
    ious: Floats


@dataclass(frozen=True, kw_only=True)
class Matches:
    """What was found at each area range and threshold.

    Args:
        detections: int64 (C,): places of the detections that are in any pair, ascending.
        objects: int64 (C, A, T): the object that each one found, -1 for none.
    """

    detections: Ints
    objects: Ints


def match(pairs: Pairs, *, groups: Ints, ignored: Flags, crowds: Flags, thresholds: Floats = IOU_THRESHOLDS) -> Matches:
    """Match detections to objects.

    Args:
        pairs: All pairs that may match.
        groups: int64 (D,): group of every detection, by its place.
        ignored: bool (A, G): objects that do not count in an area range.
        crowds: bool (G,): objects that any number of detections may take; they are to be ignored ones.
        thresholds: float64 (T,).
    """
    detections, starts = np.unique(pairs.detections, return_index=True)
    found = np.full((len(detections), len(ignored), len(thresholds)), -1, np.int64)
    if not len(detections):
        return Matches(detections=detections, objects=found)
    taken = np.zeros((len(crowds), len(ignored), len(thresholds)), bool)
    reach = np.minimum(thresholds, 1 - 1e-10)
    lengths = np.diff(np.append(starts, len(pairs.detections)))
    for chosen in _rounds(groups[detections], lengths, cells=len(ignored) * len(thresholds)):
        counts = lengths[chosen]
        firsts = np.append(0, np.cumsum(counts)[:-1])
        places = np.repeat(starts[chosen] - firsts, counts) + np.arange(counts.sum())
        objects, ious = pairs.objects[places], pairs.ious[places]
        free = (~taken[objects] | crowds[objects, None, None]) & (ious[:, None, None] >= reach)
        aside = ignored[:, objects].T[:, :, None]
        best = _last_of_highest(free & ~aside, ious, firsts)
        second = _last_of_highest(free & aside, ious, firsts)
        best = np.where(best >= 0, best, second)
        found[chosen] = np.where(best >= 0, objects[best], -1)
        detection, area, threshold = np.nonzero(best >= 0)
        taken[found[chosen[detection], area, threshold], area, threshold] = True
    return Matches(detections=detections, objects=found)


def _rounds(groups: Ints, lengths: Ints, *, cells: int) -> list[Ints]:
    """Split detections, in the order of their groups, into the first of each group, the second of each, and so on."""
    first = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    turn = np.arange(len(groups)) - np.repeat(first, np.diff(np.append(first, len(groups))))
    order = np.argsort(turn, kind="stable")
    rounds = np.split(order, np.cumsum(np.bincount(turn))[:-1])
    # A round is of different groups, so that it may be cut anywhere.
    parts: list[Ints] = []
    for chosen in rounds:
        pieces = int(lengths[chosen].sum()) * cells // _CELLS_AT_A_TIME + 1
        parts += [piece for piece in np.array_split(chosen, pieces) if len(piece)]
    return parts


def _last_of_highest(allowed: Flags, ious: Floats, firsts: Ints) -> Ints:
    """Return where each detection has its highest allowed IoU, int64 (c, A, T): the last of equals, -1 for none."""
    values = np.where(allowed, ious[:, None, None], -1.0)
    highest = np.maximum.reduceat(values, firsts, axis=0)
    counts = np.diff(np.append(firsts, len(ious)))
    places = np.where(allowed & (values == np.repeat(highest, counts, axis=0)), np.arange(len(ious))[:, None, None], -1)
    last: npt.NDArray[np.int64] = np.maximum.reduceat(places, firsts, axis=0)
    return last
