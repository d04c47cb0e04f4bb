"""What limits mask AP, detection or masks: the same evaluation with the one or the other made as good as it can be.

Three numbers of the same classes, COCO's mask AP each (LVIS's on an LVIS file):

* ``ap``: predicted boxes, predicted masks;
* ``best_masks``: predicted boxes, classes and scores, each with the best mask that its box can hold: the pixels of
  the object of its class whose box overlaps it most (IoU of 0.1 or more) that the box touches. A detection of no object
  keeps its mask;
* ``gt_boxes``: one detection for each object, with its class and the mask predicted on its ground-truth box. Its
  score is that of the detection of its class that found it (highest box IoU, 0.5 or more); objects that none found
  come last.

With both made perfect AP is 1, so that what is lacking is told apart in the two orders in which one can get there, and
averaged (the Shapley value of two causes):

* ``mask_error = ((best_masks - ap) + (1 - gt_boxes)) / 2``
* ``detection_error = ((gt_boxes - ap) + (1 - best_masks)) / 2``

They add up to ``1 - ap``. On LVIS all three are LVIS's AP, of which the same holds: with both made perfect each object
that counts has its detection, and there are no others. The bounds 0.1 and 0.5 of box IoU are those of TIDE (Bolya,
Foley, Hays and Hoffman, *TIDE: A General Toolbox for Identifying Object Detection Errors*, ECCV 2020) for background
and foreground.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from psis_bench.data.lvis import Federation
from psis_bench.run_length_strings import encode_strings
from psis_bench.run_lengths import Ints, RunLengths, from_spans
from psis_bench.scoring.box_iou import box_ious
from psis_bench.scoring.detection.average_precision import DetectionTables, evaluate_detections
from psis_bench.scoring.detection.lvis import are_known, evaluate_lvis
from psis_bench.scoring.engine import Engine
from psis_bench.scoring.inputs.detections import Detections, MaskMeasures
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth
from psis_bench.scoring.results.details import Limits
from psis_bench.scoring.results.scores import GroupScores

BACKGROUND = 0.1
FOREGROUND = 0.5

_AT_ONCE = 2**14
"""Detections whose masks are decoded at a time."""


@dataclass(frozen=True, kw_only=True)
class LimitTables:
    """The two evaluations that limits are read from; ``gt_boxes`` is None without masks on boxes."""

    best_masks: DetectionTables
    gt_boxes: DetectionTables | None

    def of(self, ap: float | None, category_ids: Collection[int]) -> Limits:
        """Return the limits of a group of classes whose mask AP is ``ap``."""
        on_boxes = None if self.gt_boxes is None else self.gt_boxes.summary(category_ids).ap
        return Limits.of(ap, best_masks=self.best_masks.summary(category_ids).ap, gt_boxes=on_boxes)


def evaluate_limits(
    truth: GroundTruth,
    detections: Detections,
    on_boxes: RunLengths | None,
    *,
    max_detections: int = 100,
    federation: Federation | None = None,
    engine: Engine = "auto",
) -> LimitTables:
    """Evaluate with the best masks, and with ground-truth boxes.

    Args:
        truth: The annotations.
        detections: Those that count; only those with a mask are looked at.
        on_boxes: The masks predicted on ground-truth boxes, in the order of ``truth.instances``.
        max_detections: The limit per image and class.
        federation: What an LVIS file says beyond COCO format: LVIS's rules; None: COCO's.
        engine: Evaluator.
    """

    def tables(found: Detections, limit: int) -> DetectionTables:
        if federation is not None:
            return evaluate_lvis(truth, found, federation, measure="segm", max_detections=limit, engine=engine)
        return evaluate_detections(truth, found, iou_type="segm", max_detections=limit, engine=engine)

    found = _with_masks(detections)
    if federation is not None:  # the others count for nothing, and in a file of LVIS's size are nearly all
        found = found.where(are_known(truth, found, federation))
    best = tables(with_best_masks(truth, found), max_detections)
    if on_boxes is None:
        return LimitTables(best_masks=best, gt_boxes=None)
    given = with_gt_boxes(truth, found, on_boxes)
    if federation is not None:
        given = given.where(truth.areas[truth.instances] > 0)  # LVIS leaves the others out
    # Every object has its detection here, be they more than the limit of an image.
    most = np.unique(given.images, return_counts=True)[1].max(initial=0)
    return LimitTables(best_masks=best, gt_boxes=tables(given, max(int(most), max_detections)))


def limits_in_words(groups: Mapping[str, GroupScores]) -> list[str]:
    """Return a sentence for each of seen and unseen classes that says what limits their mask AP."""
    lines = []
    for name in ("seen", "unseen"):
        limits = groups[name].limits if name in groups else None
        if limits is None or limits.larger is None or limits.mask_error is None or limits.detection_error is None:
            continue
        share = limits.detection_error if limits.larger == "detection" else limits.mask_error
        lacking = limits.detection_error + limits.mask_error
        lines.append(
            f"on {name} classes {limits.larger} limit{'s' if limits.larger == 'detection' else ''} mask AP: "
            f"{100 * share:.1f} of the {100 * lacking:.1f} that are lacking"
        )
    return lines


def with_best_masks(truth: GroundTruth, detections: Detections) -> Detections:
    """Give each detection the best mask that its box can hold.

    Args:
        truth: The annotations.
        detections: All with a mask.
    """
    rows, objects, ious = _pairs(truth, detections)
    best = _best(rows, ious, len(detections))
    chosen = np.flatnonzero((best >= 0) & (ious[best] >= BACKGROUND)) if len(ious) else np.zeros(0, np.int64)
    strings, pixels = list(detections.strings), detections.mask_areas.copy()
    for part in np.array_split(chosen, len(chosen) // _AT_ONCE + 1):
        ends = detections.boxes[part, :2] + detections.boxes[part, 2:]
        corners = np.concatenate([detections.boxes[part, :2], ends], axis=1)
        drawn = truth.instance_masks.take(objects[best[part]])
        masks = inside_boxes(drawn, corners, detections.sizes[part])
        areas = masks.areas()
        kept = np.flatnonzero(areas)
        for place, text in zip(part[kept].tolist(), encode_strings(masks.take(kept)), strict=True):
            strings[place] = text
        pixels[part[kept]] = areas[kept]
    return replace(detections, strings=tuple(strings), measures=MaskMeasures.anywhere(pixels, detections.sizes))


def with_gt_boxes(truth: GroundTruth, detections: Detections, on_boxes: RunLengths) -> Detections:
    """Make one detection of each object, with the mask predicted on its ground-truth box.

    Args:
        truth: The annotations.
        detections: Those whose scores are taken.
        on_boxes: n masks, in the order of ``truth.instances``.
    """
    places = truth.instances
    rows, objects, ious = _pairs(truth, detections)
    order = np.lexsort((-detections.scores[rows], -ious, objects))
    order = order[ious[order] >= FOREGROUND]
    # Of each object the highest IoU, and of equal ones the highest score.
    first = order[np.flatnonzero(np.diff(objects[order], prepend=-1))]
    scores = np.full(len(places), (detections.scores.min() if len(detections) else 0.0) - 1)
    scores[objects[first]] = detections.scores[rows[first]]
    sizes = truth.sizes_of(truth.images[places])
    return Detections(
        images=truth.images[places],
        categories=truth.categories[places],
        scores=scores,
        boxes=truth.boxes[places],
        sizes=sizes,
        has_mask=np.ones(len(places), bool),
        strings=tuple(encode_strings(on_boxes)),
        measures=MaskMeasures.anywhere(on_boxes.areas(), sizes),
    )


def inside_boxes(masks: RunLengths, corners: Floats, sizes: Ints) -> RunLengths:
    """Return the pixels of each mask that its box touches.

    Args:
        masks: N masks.
        corners: float64 (N, 4): x1, y1, x2, y2 in pixels.
        sizes: int64 (N, 2): height and width of each one's image.
    """
    low = np.floor(corners[:, :2]).astype(np.int64)
    high = np.ceil(corners[:, 2:]).astype(np.int64)
    height = sizes[:, 0]
    owner = np.repeat(np.arange(len(masks)), np.diff(masks.offsets))
    inside = (np.arange(len(owner)) - masks.offsets[owner]) % 2 == 1
    before = np.append(0, np.cumsum(masks.runs))[masks.offsets[:-1]]
    stops = np.cumsum(masks.runs) - before[owner]
    starts = stops - masks.runs
    kept = inside & (masks.runs > 0)
    owner, starts, stops = owner[kept], starts[kept], stops[kept]
    # The columns of each run that the box has.
    first = np.maximum(starts // height[owner], low[owner, 0])
    last = np.minimum((stops - 1) // height[owner], high[owner, 0] - 1)
    columns = np.maximum(last - first + 1, 0)
    run = np.repeat(np.arange(len(owner)), columns)
    column = np.arange(len(run)) - np.repeat(np.cumsum(columns) - columns, columns) + first[run]
    own, above = owner[run], column * height[owner[run]]
    top = np.maximum(np.maximum(starts[run] - above, 0), low[own, 1])
    bottom = np.minimum(np.minimum(stops[run] - above, height[own]), high[own, 1])
    kept = bottom > top
    own, begin, end = own[kept], (above + top)[kept], (above + bottom)[kept]
    # What reaches the bottom goes on at the top of the next column.
    apart = np.append(True, (own[1:] != own[:-1]) | (begin[1:] != end[:-1]))[: len(own)]
    begins = np.flatnonzero(apart)
    ends = np.append(begins[1:], len(own))[: len(begins)] - 1
    spans = np.bincount(own[begins], minlength=len(masks))
    return from_spans(begin[begins], end[ends], spans, sizes.prod(axis=1))


def _with_masks(detections: Detections) -> Detections:
    chosen = detections.has_mask
    if chosen.all():
        return detections
    columns = ("images", "categories", "scores", "boxes", "sizes", "has_mask")
    return replace(detections, **{name: getattr(detections, name)[chosen] for name in columns}, batches=())


def _pairs(truth: GroundTruth, detections: Detections) -> tuple[Ints, Ints, Floats]:
    """Return every detection and object of one image and class with the IoU of their boxes.

    Returns:
        Places of the detections, ascending; places in ``truth.instances``; box IoUs.
    """
    own = truth.instances

    def keys(images: Ints, categories: Ints) -> Ints:
        classes = np.searchsorted(truth.category_ids, categories)
        return np.asarray(classes * len(truth.image_ids) + np.searchsorted(truth.image_ids, images), np.int64)

    drawn = keys(truth.images[own], truth.categories[own])
    order = np.argsort(drawn, kind="stable")
    wanted = keys(detections.images, detections.categories)
    first = np.searchsorted(drawn[order], wanted, side="left")
    counts = np.searchsorted(drawn[order], wanted, side="right") - first
    rows = np.repeat(np.arange(len(wanted)), counts)
    objects = order[np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + first[rows]]
    crowds = np.zeros(len(rows), bool)
    return rows, objects, box_ious(detections.boxes[rows], truth.boxes[own][objects], crowds=crowds)


def _best(rows: Ints, ious: Floats, detections: int) -> Ints:
    """Return the place of the pair of highest IoU of each detection, the first of equals; -1 without any."""
    best = np.full(detections, -1, np.int64)
    order = np.lexsort((-ious, rows))
    first = order[np.flatnonzero(np.diff(rows[order], prepend=-1))]
    best[rows[first]] = first
    return best
