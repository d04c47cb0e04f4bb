"""What evaluators are handed and give back: ids numbered from 1 in their order, and the arrays of an evaluation.

pycocotools loses matches to an annotation of id 0, and ids go through float64 columns, which cannot hold every int64.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.detection.curves import Curves
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth

IouType = Literal["bbox", "segm"]


def numbers_of(ascending: Ints, ids: Ints) -> Ints:
    """Number ids from 1 in their order: they go through float64 columns, which cannot hold every int64."""
    return np.asarray(np.searchsorted(ascending, ids) + 1, np.int64)


def detection_numbers(truth: GroundTruth, detections: Detections) -> tuple[Ints, Ints]:
    """Return the numbers of each detection's image and category, int64 (N,)."""
    return numbers_of(truth.image_ids, detections.images), numbers_of(truth.category_ids, detections.categories)


def image_records(truth: GroundTruth) -> list[dict[str, Any]]:
    """Return the images as a COCO file lists them."""
    sizes = zip(truth.heights.tolist(), truth.widths.tolist(), strict=True)
    return [{"id": number, "height": height, "width": width} for number, (height, width) in enumerate(sizes, 1)]


def category_records(truth: GroundTruth) -> list[dict[str, Any]]:
    """Return the categories as a COCO file lists them."""
    return [{"id": number, "name": str(number)} for number in range(1, len(truth.category_ids) + 1)]


def run_evaluation(evaluation: Any, truth: GroundTruth, limits: tuple[int, ...]) -> Curves:
    """Run an evaluation of either package over all images and classes; ``limits`` ascend."""
    evaluation.params.imgIds = list(range(1, len(truth.image_ids) + 1))
    evaluation.params.catIds = list(range(1, len(truth.category_ids) + 1))
    evaluation.params.maxDets = list(limits)
    evaluation.evaluate()
    evaluation.accumulate()
    return curves_from(evaluation.eval)


def curves_from(arrays: Any) -> Curves:
    """Return the arrays that either package calls ``evaluation.eval``."""
    return Curves(*(np.asarray(arrays[name], np.float64) for name in Curves._fields))
