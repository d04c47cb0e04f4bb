"""Average precision under draws of images: what AP would have been, had other images been scored.

An image that was drawn w times counts w times: its detections and its objects have the weight w. Detections are matched
to objects once; precision and recall are then sums of weights. With every weight 1 it is COCO's AP.

A precision matters only where a detection is right, since the best precision at this recall or a higher one counts, and
it is highest there: of the thousands of detections of a class, only those positions are looked at.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints
from psis_bench.scoring.comparing.bootstrap import Weights
from psis_bench.scoring.detection.curves import RECALLS
from psis_bench.scoring.detection.matching import match
from psis_bench.scoring.detection.pairs import Measure, overlapping
from psis_bench.scoring.detection.sides import detections_side, objects_side
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Flags, Floats, GroundTruth

Counts = npt.NDArray[np.int32]

_CELLS_AT_A_TIME = 2**20
_LATE: Flags = np.arange(len(RECALLS)) / 100 < RECALLS
"""Which of COCO's recalls are, as floating-point numbers, above the hundredths that they stand for: 0.35 and others."""


def resampled_ap(
    truth: GroundTruth, detections: Detections, *, measure: Measure, weights: Weights, max_detections: int = 100
) -> Floats:
    """Return the AP of every class under every draw, over objects of all sizes.

    Args:
        truth: The annotations.
        detections: Those that count, of every class.
        measure: ``bbox`` compares boxes, ``segm`` masks, ``boundary`` masks and their boundaries.
        weights: (B, I): how often each image was drawn, in the order of ``truth.image_ids``; see
            `psis_bench.scoring.comparing.bootstrap.image_weights`.
        max_detections: The limit per image and class.

    Returns:
        float64 (B, K) in [0, 1], classes in the order of ``truth.category_ids``; NaN where no object of the class was
        drawn.
    """
    images, classes, masks = len(truth.image_ids), len(truth.category_ids), measure != "bbox"
    found = detections_side(truth, detections, masks=masks, by_class=True, limit=max_detections)
    drawn = objects_side(truth, masks=masks, by_class=True)
    pairs = overlapping(found, drawn, measure=measure)
    # Of all sizes: only crowds are set aside.
    matches = match(pairs, groups=found.groups, ignored=drawn.crowds[None], crowds=drawn.crowds)
    hit = matches.objects[:, 0, :]
    right = np.zeros((len(found), hit.shape[1]), bool)
    aside = np.zeros_like(right)
    if len(drawn):
        on_crowd = drawn.crowds[np.maximum(hit, 0)]
        right[matches.detections], aside[matches.detections] = (hit >= 0) & ~on_crowd, (hit >= 0) & on_crowd
    result = np.full((len(weights), classes), np.nan)
    bounds = [np.searchsorted(side.groups, np.arange(classes + 1) * images) for side in (found, drawn)]
    for place in range(classes):
        own = np.arange(bounds[0][place], bounds[0][place + 1])
        own = own[np.argsort(-found.scores[own], kind="mergesort")]
        objects = np.arange(bounds[1][place], bounds[1][place + 1])
        objects = objects[~drawn.crowds[objects]]
        result[:, place] = _class_ap(
            right[own].T,
            aside[own].T,
            images=found.groups[own] % images,
            object_images=drawn.groups[objects] % images,
            weights=weights,
        )
    return result


def _class_ap(right: Flags, aside: Flags, *, images: Ints, object_images: Ints, weights: Weights) -> Floats:
    """Return the AP of one class under each draw, float64 (B,).

    Args:
        right: bool (T, D): detections in the order of their scores that found an object.
        aside: bool (T, D): those that do not count.
        images: int64 (D,): the place of each one's image.
        object_images: int64 (G,): the same of the objects.
        weights: (B, I).
    """
    result = np.full(len(weights), np.nan)
    step = max(1, _CELLS_AT_A_TIME // max(len(images), 1))
    for first in range(0, len(weights), step):
        chosen = slice(first, first + step)
        rows = weights[chosen]
        objects = rows[:, object_images].sum(axis=1, dtype=np.int64)
        own = rows[:, images]
        everything = np.cumsum(own, axis=1, dtype=np.int32)
        values = np.zeros((len(right), len(rows)))
        for threshold in range(len(right)):
            counted = everything
            if aside[threshold].any():
                counted = np.cumsum(np.where(aside[threshold], 0, own), axis=1, dtype=np.int32)
            places = np.flatnonzero(right[threshold])
            found = np.cumsum(own[:, places], axis=1, dtype=np.int32)
            values[threshold] = _mean_precision(found, counted[:, places], objects)
        result[chosen] = np.where(objects > 0, values.mean(axis=0), np.nan)
    return result


def _mean_precision(right: Counts, counted: Counts, objects: Ints) -> Floats:
    """Return the mean of the precisions at COCO's recalls.

    Args:
        right: int32 (b, P): how many detections are right up to the p-th of those.
        counted: int32 (b, P): how many there are up to it.
        objects: int64 (b,): how many there are to be found.
    """
    if not right.shape[1]:
        return np.zeros(len(right))
    precision = right / np.maximum(counted, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # How many of COCO's recalls are reached at each place; each is read where it is reached first.
    hundredths = 100.0 * right / np.maximum(objects, 1)[:, None]
    whole = hundredths.astype(np.int32)
    reached = whole + 1 - (_LATE[whole] & (whole == hundredths))
    return np.asarray((best * np.diff(reached, axis=1, prepend=0)).sum(axis=1) / len(RECALLS), np.float64)
