"""Which detections overlap which objects enough to match: IoU of boxes, of masks, or of masks and their boundaries.

Only pairs that reach the lowest threshold are kept: no other can match. Of two masks the smaller area and the common
part of the boxes around them bound the IoU, so that few of them need be compared. IoUs are those of pycocotools, to
the last bit; with a crowd, the intersection is divided by the detection's own area, as there.

Boundary AP takes the smaller of mask IoU and boundary IoU, for crowds the mask's alone, as the authors' code does
(``computeBoundaryIoU`` of https://github.com/bowenc0221/boundary-iou-api).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from psis_bench.run_lengths import Ints, RunLengths, pairwise_iou
from psis_bench.scoring.box_iou import box_ious
from psis_bench.scoring.detection.matching import IOU_THRESHOLDS, Pairs
from psis_bench.scoring.detection.sides import Side
from psis_bench.scoring.inputs.ground_truth import Floats, decode_masks
from psis_bench.scoring.masks.boundary import boundary_ious, mask_boxes

Measure = Literal["bbox", "segm", "boundary"]

_LOWEST = float(IOU_THRESHOLDS[0])
_PAIRS_AT_A_TIME = 2**20
_DETECTIONS_AT_A_TIME = 8192


def overlapping(found: Side, drawn: Side, *, measure: Measure) -> Pairs:
    """Return the pairs of a detection and an object of one group that reach IoU 0.5.

    Args:
        found: The detections, in order of group and score.
        drawn: The objects, in order of group.
        measure: ``bbox`` compares boxes, ``segm`` masks, ``boundary`` masks and their boundaries.
    """
    parts = []
    for detections, objects in _in_one_group(found.groups, drawn.groups):
        if measure == "bbox":
            parts.append(_box_pairs(found, drawn, detections, objects))
        else:
            parts.append(_mask_pairs(found, drawn, detections, objects, boundary=measure == "boundary"))
    if not parts:
        return Pairs(detections=np.zeros(0, np.int64), objects=np.zeros(0, np.int64), ious=np.zeros(0))
    return Pairs(
        detections=np.concatenate([part.detections for part in parts]),
        objects=np.concatenate([part.objects for part in parts]),
        ious=np.concatenate([part.ious for part in parts]),
    )


def _in_one_group(found: Ints, drawn: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield places of detections and objects that share a group, every pair once, some at a time."""
    first = np.searchsorted(drawn, found, side="left")
    counts = np.searchsorted(drawn, found, side="right") - first
    busy = np.flatnonzero(counts)
    # So many pairs at most, and so many detections.
    part_of = np.cumsum(counts[busy]) // _PAIRS_AT_A_TIME + np.arange(len(busy)) // _DETECTIONS_AT_A_TIME
    for part in np.split(busy, np.flatnonzero(np.diff(part_of)) + 1):
        if len(part):
            own = counts[part]
            below = np.append(0, np.cumsum(own)[:-1])
            objects = np.repeat(first[part] - below, own) + np.arange(own.sum())
            yield np.repeat(part, own), objects


def _box_pairs(found: Side, drawn: Side, detections: Ints, objects: Ints) -> Pairs:
    ious = box_ious(found.boxes[detections], drawn.boxes[objects], crowds=drawn.crowds[objects])
    kept = ious >= _LOWEST
    return Pairs(detections=detections[kept], objects=objects[kept], ious=ious[kept])


class _Decoded(NamedTuple):
    """Masks, the boxes around them, and which of them each pair has."""

    masks: RunLengths
    boxes: Ints
    of_pair: Ints

    def pairs(self, places: Ints) -> RunLengths:
        return self.masks.take(self.of_pair[places])


def _mask_pairs(found: Side, drawn: Side, detections: Ints, objects: Ints, *, boundary: bool) -> Pairs:
    crowds = drawn.crowds[objects]
    own, other = found.pixels[detections], drawn.pixels[objects]
    possible = np.where(crowds, 2 * other >= own, 2 * np.minimum(own, other) >= np.maximum(own, other))
    possible &= (own > 0) & (other > 0)
    detections, objects, crowds = detections[possible], objects[possible], crowds[possible]
    first, second = _decoded(found, detections), _decoded(drawn, objects)
    common = _common(first.boxes[first.of_pair], second.boxes[second.of_pair])
    own, other = found.pixels[detections], drawn.pixels[objects]
    near = np.flatnonzero(2 * common >= np.where(crowds, own, np.maximum(own, other)))
    ious = np.zeros(len(near))
    for place in np.flatnonzero(crowds[near]):
        ious[place] = _crowd_iou(found, drawn, int(detections[near[place]]), int(objects[near[place]]))
    for single in _slices(np.flatnonzero(~crowds[near])):
        chosen = near[single]
        masks, others = first.pairs(chosen), second.pairs(chosen)
        sizes = found.sizes[detections[chosen]]
        ious[single] = _smaller_iou(masks, others, sizes) if boundary else pairwise_iou(masks, others)
    kept = ious >= _LOWEST
    return Pairs(detections=detections[near[kept]], objects=objects[near[kept]], ious=ious[kept])


def _slices(places: Ints) -> list[Ints]:
    return np.array_split(places, len(places) // _DETECTIONS_AT_A_TIME + 1)


def _smaller_iou(masks: RunLengths, others: RunLengths, sizes: Ints) -> Floats:
    """Return the smaller of IoU and boundary IoU, float64 (p,); below the lowest threshold any value below it."""
    ious = pairwise_iou(masks, others)
    high = np.flatnonzero(ious >= _LOWEST)
    outlines = boundary_ious(masks.take(high), others.take(high), sizes[high], ious=ious[high])
    ious[high] = np.minimum(ious[high], outlines)
    return ious


def _common(first: Ints, second: Ints) -> Ints:
    """Return how many pixels two boxes share, int64 (p,)."""
    ends = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    return np.asarray(np.maximum(ends - np.maximum(first[:, :2], second[:, :2]), 0).prod(axis=1), np.int64)


def _crowd_iou(found: Side, drawn: Side, detection: int, crowd: int) -> float:
    from pycocotools import mask as coco_mask

    rles = [
        {"size": side.sizes[place].tolist(), "counts": side.strings[place]}
        for side, place in ((found, detection), (drawn, crowd))
    ]
    return float(coco_mask.iou(rles[:1], rles[1:], [1])[0, 0])


def _decoded(side: Side, places: Ints) -> _Decoded:
    """Decode the masks at ``places``, each once."""
    once, where = np.unique(places, return_inverse=True)
    masks = decode_masks([side.strings[place] for place in once.tolist()], side.sizes[once].prod(axis=1))
    return _Decoded(masks, mask_boxes(masks, side.sizes[once, 0]), where.astype(np.int64))
