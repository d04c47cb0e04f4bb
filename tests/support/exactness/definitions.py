"""The definitions: pycocotools, the ``lvis`` package, and plain loops after two papers' own code."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any
from unittest import mock

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from exactness.problems import Rows, Truth, to_rle

THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREAS = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


def pycocotools_on(
    truth: Truth,
    results: Rows,
    measure: str,
    *,
    categories: Collection[int] | None = None,
    agnostic: bool = False,
    kind: type[COCOeval] = COCOeval,
) -> COCOeval:
    """Evaluate with pycocotools alone; annotations are numbered from 1, and mask results have no boxes."""
    truth, results = _numbered(truth), copy.deepcopy(results)
    if measure != "bbox":
        for result in results:
            result.pop("bbox", None)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = kind(coco, coco.loadRes(results), "bbox" if measure == "bbox" else "segm")
        if categories is not None:
            evaluation.params.catIds = list(categories)
        if agnostic:
            evaluation.params.useCats, evaluation.params.maxDets = 0, [10, 100, 300, 1000, 1500]
        evaluation.evaluate()
        evaluation.accumulate()
        if not agnostic:
            evaluation.summarize()
    return evaluation


class BoundaryEvaluation(COCOeval):
    """pycocotools with the smaller of mask IoU and boundary IoU, by d erosions of full-size masks with 3 x 3 ones."""

    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: N802 - the base class's names
        ious = super().computeIoU(imgId, catId)
        truth, found = self._gts[imgId, catId], self._dts[imgId, catId]
        if not len(truth) or not len(found):
            return ious
        order = np.argsort([-row["score"] for row in found], kind="mergesort")[: self.params.maxDets[-1]]
        for row, place in enumerate(order):
            for column, drawn in enumerate(truth):
                if not drawn["iscrowd"]:
                    outlines = [_outline(coco_mask.decode(side["segmentation"])) for side in (found[place], drawn)]
                    union = np.count_nonzero(outlines[0] | outlines[1])
                    boundary = np.count_nonzero(outlines[0] & outlines[1]) / union if union else 0.0
                    ious[row, column] = min(ious[row, column], boundary)
        return ious


def lvis_on(truth: Truth, results: Rows, measure: str) -> Any:
    """Evaluate with the ``lvis`` package; annotations are numbered from 1, and mask results have no boxes."""
    from lvis import LVIS, LVISEval, LVISResults

    truth, results = _numbered(truth), copy.deepcopy(results)
    for result in results:
        result.pop("segmentation" if measure == "bbox" else "bbox", None)
    # lvis 0.5.3, the last release, asks for numpy.float, which NumPy 1.24 removed.
    with mock.patch.object(np, "float", float, create=True), _silent("lvis"):
        index = LVIS.__new__(LVIS)  # its constructor reads a file
        index.logger = logging.getLogger("lvis")
        index.dataset = truth
        index._create_index()
        evaluation = LVISEval(index, LVISResults(index, results), measure)
        evaluation.run()
    return evaluation


def agnostic_recall(truth: Truth, results: Rows, measure: str, group: Collection[int]) -> dict[str, float | None]:
    """Return class-agnostic recall of a group, the objects of other classes ignored, by plain loops.

    After ``COCOEvalXclassWrapper`` of Kim et al. (2021): an object of another class is ignored; a detection that
    matches one at the first threshold is taken out before the first k are counted.
    """
    drawn, found = defaultdict(list), defaultdict(list)
    order = {category: place for place, category in enumerate(sorted(row["id"] for row in truth["categories"]))}
    for side, rows in ((drawn, truth["annotations"]), (found, results)):
        for row in sorted(rows, key=lambda row: order[row["category_id"]]):
            side[row["image_id"]].append(row)
    numbers: dict[str, float | None] = {}
    for area, limits in (("all", (10, 100, 300, 1000)), ("small", (100,)), ("medium", (100,)), ("large", (100,))):
        counts = {limit: np.zeros(10) for limit in limits}
        total = 0
        for image in truth["images"]:
            aside = [row["category_id"] not in group or bool(row["iscrowd"]) or not _within(row["area"], area)
                     for row in drawn[image["id"]]]  # fmt: skip
            others = [row["category_id"] not in group for row in drawn[image["id"]]]
            ious = _ious(image, drawn[image["id"]], found[image["id"]], measure)
            crowds = [bool(row["iscrowd"]) for row in drawn[image["id"]]]
            own = _hits(ious, ignored=aside, others=others, crowds=crowds), aside.count(False)
            total += own[1]
            for limit in limits:
                counts[limit] += own[0][:, :limit].sum(axis=1)
        for limit in limits:
            name = f"AR{limit}" if area == "all" else f"AR{area[0]}"
            numbers[name] = float(np.mean(counts[limit] / total)) if total else None
    return numbers


def _hits(ious: np.ndarray, *, ignored: list[bool], others: list[bool], crowds: list[bool]) -> np.ndarray:
    """Return which detections found an object that counts, (T, D) without those that are taken out."""
    hits, out = np.zeros((10, len(ious)), bool), np.zeros(len(ious), bool)
    for number, threshold in enumerate(THRESHOLDS):
        taken: set[int] = set()
        for place, row in enumerate(ious):
            best = None
            for object_ in sorted(range(len(row)), key=lambda object_: ignored[object_]):
                if object_ in taken and not crowds[object_]:
                    continue
                if best is not None and not ignored[best] and ignored[object_]:
                    break
                if row[object_] >= (min(threshold, 1 - 1e-10) if best is None else row[best]):
                    best = object_
            if best is not None:
                taken.add(best)
                hits[number, place] = not ignored[best]
                if number == 0:
                    out[place] = others[best]
    return hits[:, ~out]


def _ious(image: dict[str, Any], drawn: Rows, found: Rows, measure: str) -> np.ndarray:
    """Return the IoU of every detection, by score, with every object, (D, G)."""
    found = sorted(found, key=lambda row: -row["score"])[:1500]
    if not drawn or not found:
        return np.zeros((len(found), len(drawn)))
    if measure == "bbox":
        sides = [[row["bbox"] for row in rows] for rows in (found, drawn)]
    else:
        size = (image["height"], image["width"])
        sides = [[to_rle(row["segmentation"], *size) for row in rows] for rows in (found, drawn)]
    return coco_mask.iou(*sides, [int(row["iscrowd"]) for row in drawn])


def _within(value: float, area: str) -> bool:
    return AREAS[area][0] <= value <= AREAS[area][1]


def _outline(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    steps = max(round(0.02 * np.sqrt(height**2 + width**2)), 1)
    inside = cv2.erode(np.pad(mask, 1), np.ones((3, 3), np.uint8), iterations=steps)[1:-1, 1:-1]
    return (mask - inside).astype(bool)


def _numbered(truth: Truth) -> Truth:
    truth = copy.deepcopy(truth)
    for number, annotation in enumerate(truth["annotations"], 1):
        annotation["id"] = number
    return truth


@contextlib.contextmanager
def _silent(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
