"""From matches to COCO's arrays of precision, recall and score: ``COCOeval.accumulate`` for any pairing.

Held to pycocotools (and, for federated data, to the ``lvis`` package) without any difference in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints
from psis_bench.scoring.detection.matching import Matches, match
from psis_bench.scoring.detection.pairs import Measure, overlapping
from psis_bench.scoring.detection.sides import AREA_RANGES, Side
from psis_bench.scoring.inputs.ground_truth import Flags, Floats

RECALLS: Floats = np.linspace(0.0, 1.0, 101, dtype=np.float64)
"""The recalls at which COCO reads precision."""

_UNMATCHED, _RIGHT, _ASIDE = 0, 1, 2


class Curves(NamedTuple):
    """What pycocotools has as ``eval``; -1 where a class has no objects.

    Args:
        precision: float64 (T, R, K, A, M).
        recall: float64 (T, K, A, M).
        scores: float64 (T, R, K, A, M): the score at which that precision was read.
    """

    precision: Floats
    recall: Floats
    scores: Floats


def curves_of(
    found: Side,
    drawn: Side,
    *,
    measure: Measure,
    classes: int,
    images: int,
    limits: Sequence[int],
    forgiven: Flags | None = None,
) -> Curves:
    """Evaluate detections against objects, class by class.

    Args:
        found: Detections in groups by class, at most ``limits[-1]`` in each.
        drawn: Objects in groups by class.
        measure: What is compared.
        classes: K.
        images: How many images, so that ``group // images`` is the place of the class.
        limits: M detection limits per image and class, ascending.
        forgiven: bool (D,): detections that count as neither right nor wrong when they find nothing.
    """
    ignored = drawn.outside | drawn.crowds
    pairs = overlapping(found, drawn, measure=measure)
    matches = match(pairs, groups=found.groups, ignored=ignored, crowds=drawn.crowds)
    kinds, kind_of = _kinds(matches, ignored, len(found))
    aside = found.outside if forgiven is None else found.outside | forgiven
    thresholds = kinds.shape[2]
    shape = (classes, len(AREA_RANGES), len(limits))
    curves = Curves(
        precision=np.full((thresholds, len(RECALLS), *shape), -1.0),
        recall=np.full((thresholds, *shape), -1.0),
        scores=np.full((thresholds, len(RECALLS), *shape), -1.0),
    )
    of_class = np.searchsorted(found.groups, np.arange(classes + 1) * images)
    counts = np.stack([np.bincount(drawn.groups[~row] // images, minlength=classes) for row in ignored])
    for place, area in zip(*np.nonzero(counts.T), strict=True):
        own = np.arange(of_class[place], of_class[place + 1])
        own = own[np.argsort(-found.scores[own], kind="mergesort")]
        kind = kinds[kind_of[own], area].T
        kind = np.where((kind == _UNMATCHED) & aside[area, own], _ASIDE, kind)
        for number, limit in enumerate(limits):
            kept = found.ranks[own] < limit
            at = (place, area, number)
            curves.recall[:, *at] = _read(
                kind[:, kept], found.scores[own[kept]], int(counts[area, place]),
                precision=curves.precision[:, :, *at], scores=curves.scores[:, :, *at],
            )  # fmt: skip
    return curves


def _kinds(matches: Matches, ignored: Flags, detections: int) -> tuple[npt.NDArray[np.int8], Ints]:
    """Return what became of the detections that are in pairs, int8 (C + 1, A, T), and each one's row, int64 (D,).

    The last row is of all the others.
    """
    areas = np.arange(len(ignored))[:, None]
    found = matches.objects
    kinds = np.full((len(found) + 1, *found.shape[1:]), _UNMATCHED, np.int8)
    if ignored.shape[1]:
        hit = np.where(ignored[areas, np.maximum(found, 0)], _ASIDE, _RIGHT)
        kinds[:-1] = np.where(found >= 0, hit, _UNMATCHED)
    rows = np.full(detections, len(found), np.int64)
    rows[matches.detections] = np.arange(len(found))
    return kinds, rows


def _read(
    kind: npt.NDArray[np.int8], sorted_scores: Floats, count: int, *, precision: Floats, scores: Floats
) -> Floats:
    """Read precision and score at every recall into the given arrays (T, R); return the recall reached, (T,)."""
    right = np.cumsum(kind == _RIGHT, axis=1).astype(np.float64)
    wrong = np.cumsum(kind == _UNMATCHED, axis=1).astype(np.float64)
    precision[:], scores[:] = 0.0, 0.0
    if not kind.shape[1]:
        return np.zeros(len(kind))
    recall = right / count
    exact = right / (wrong + right + np.spacing(1))
    # The best precision at this recall or a higher one.
    best = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
    for threshold, row in enumerate(recall):
        places = np.searchsorted(row, RECALLS, side="left")
        reached = places < len(row)
        precision[threshold, reached] = best[threshold, places[reached]]
        scores[threshold, reached] = sorted_scores[places[reached]]
    return np.asarray(recall[:, -1], np.float64)
