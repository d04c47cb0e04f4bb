"""COCO's and LVIS's evaluation by hotcoco.

`hotcoco <https://github.com/derekallman/hotcoco>`_ gives the arrays of pycocotools and ``lvis`` much faster. It differs
from them in what it makes of unusual input (docs/exactness.md); here both get the same:

* it does not sort category ids, image ids and detection limits: they are handed over sorted;
* its summary uses other detection limits: the summary is taken from the arrays by pycocotools' rule;
* it hangs in a process forked from one that has used it: `psis_bench.scoring.engine`;
* pycocotools loses matches to an annotation of id 0: annotations are numbered from 1 for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from psis_bench.data.lvis import Federation
from psis_bench.data.lvis_images import ABSENT, NOT_EXHAUSTIVE
from psis_bench.run_length_strings import encode_string
from psis_bench.run_lengths import Ints
from psis_bench.scoring.detection.comparable import can_find
from psis_bench.scoring.detection.curves import Curves
from psis_bench.scoring.detection.numbered import (
    IouType,
    category_records,
    curves_from,
    detection_numbers,
    image_records,
    numbers_of,
    run_evaluation,
)
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth
from psis_bench.scoring.inputs.mask_texts import rles_of, texts_as_bytes


def by_hotcoco(
    truth: GroundTruth, detections: Detections, iou_type: IouType, limits: tuple[int, ...]
) -> Callable[[], Curves]:
    """Hand both sides to hotcoco and return what evaluates them; ``limits`` ascend."""
    import hotcoco

    sides = _hotcoco_sides(truth, detections, iou_type, image_records(truth), category_records(truth))
    evaluation = hotcoco.COCOeval(*sides, iou_type)
    return lambda: run_evaluation(evaluation, truth, limits)


def federated_by_hotcoco(
    truth: GroundTruth, detections: Detections, iou_type: IouType, federation: Federation
) -> Callable[[], Curves]:
    """Hand both sides to hotcoco and return what evaluates them as ``lvis`` does, with 300 detections an image."""
    import hotcoco

    images, categories = image_records(truth), category_records(truth)
    for key, pairs in ((ABSENT, federation.absent), (NOT_EXHAUSTIVE, federation.not_exhaustive)):
        for image in images:
            image[key] = []
        numbers = zip(
            numbers_of(truth.image_ids, pairs[:, 0]), numbers_of(truth.category_ids, pairs[:, 1]), strict=True
        )
        for image_number, category_number in numbers:
            images[image_number - 1][key].append(int(category_number))
    for category in categories:
        category["frequency"] = "f"  # its summary is not used, but wants one
    sides = _hotcoco_sides(truth, detections, iou_type, images, categories)
    evaluation = hotcoco.COCOeval(*sides, iou_type, lvis_style=True)

    def run() -> Curves:
        evaluation.evaluate()
        evaluation.accumulate()
        return curves_from(evaluation.eval)

    return run


def _hotcoco_sides(
    truth: GroundTruth,
    detections: Detections,
    iou_type: IouType,
    images: list[dict[str, Any]],
    categories: list[dict[str, Any]],
) -> tuple[Any, Any]:
    import hotcoco

    chosen = np.flatnonzero(truth.has_segmentation) if iou_type == "segm" else np.arange(len(truth.annotation_ids))
    masks: Any = None
    if iou_type == "segm":
        masks = rles_of([truth.strings[place] for place in chosen], truth.sizes_of(truth.images[chosen]))
    coco_truth = hotcoco.COCO.from_arrays(
        images,
        categories,
        numbers_of(truth.image_ids, truth.images[chosen]),
        numbers_of(truth.category_ids, truth.categories[chosen]),
        truth.boxes[chosen],
        ids=np.arange(1, len(chosen) + 1),
        area=truth.areas[chosen],
        iscrowd=truth.is_crowd[chosen].astype(np.int64),
        segmentation=masks,
    )
    numbers = detection_numbers(truth, detections)
    rows = np.empty((len(detections), 7))
    rows[:, 0], rows[:, 1:5], rows[:, 5], rows[:, 6] = numbers[0], detections.boxes, detections.scores, numbers[1]
    if iou_type == "bbox":
        return coco_truth, coco_truth.load_res(rows)
    masks = _compared_masks(truth, detections, (numbers[0] - 1)[detections.has_mask])
    found = coco_truth.load_res(rows[detections.has_mask], segmentation=masks)
    if masks:
        found.update_anns(ids=np.arange(1, len(masks) + 1), area=detections.mask_areas.astype(np.float64))
    return coco_truth, found


def _compared_masks(truth: GroundTruth, detections: Detections, images: Ints) -> list[dict[str, Any]]:
    """Return the masks of the detections that have one: no pixels in place of those that cannot find any object.

    Args:
        truth: The annotations.
        detections: The detections.
        images: int64 (m,): the place of each mask's image in ``truth.image_ids``.
    """
    sizes = list(zip(truth.heights.tolist(), truth.widths.tolist(), strict=True))
    empty = {size: {"size": list(size), "counts": encode_string(np.array([size[0] * size[1]]))} for size in set(sizes)}
    without_pixels = [empty[size] for size in sizes]
    masks: list[dict[str, Any]] = [without_pixels[image] for image in images.tolist()]
    compared = can_find(truth, detections)
    texts = texts_as_bytes(detections.strings, compared)
    for place, image, text in zip(compared.tolist(), images[compared].tolist(), texts, strict=True):
        masks[place] = {"size": without_pixels[image]["size"], "counts": text}
    return masks
