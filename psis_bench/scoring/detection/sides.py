"""The two sides of a comparison, detections and objects, each in the order in which COCO's evaluation looks at them.

A *group* is what is matched by itself: an image and a class (``class place * images + image place``, so that groups
ascend by class and then by image), or an image alone when classes do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from psis_bench.run_lengths import Ints
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Flags, Floats, GroundTruth

AREA_RANGES: Floats = np.array([[0, 1e5**2], [0, 32**2], [32**2, 96**2], [96**2, 1e5**2]], np.float64)
"""COCO's areas in pixels: all, small, medium, large. Both ends belong to a range."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """Detections or objects, ``N`` of them.

    Args:
        groups: int64 (N,), ascending.
        categories: int64 (N,): category ids.
        boxes: float64 (N, 4): xywh, absolute pixels.
        areas: float64 (N,): what is small, medium and large, in pixels.
        scores: float64 (N,): descending in each group; zeros for objects.
        crowds: bool (N,): crowd regions; False for detections.
        sizes: int64 (N, 2): height and width of each one's image.
        strings: (N,) object: compressed run lengths; empty text where masks are not compared.
        pixels: int64 (N,): pixels of the masks; zeros where masks are not compared.
    """

    groups: Ints
    categories: Ints
    boxes: Floats
    areas: Floats
    scores: Floats
    crowds: Flags
    sizes: Ints
    strings: npt.NDArray[np.object_]
    pixels: Ints

    def __len__(self) -> int:
        return len(self.groups)

    def take(self, places: Ints) -> Side:
        """Return those at ``places``, which leave the groups ascending."""
        return Side(**{name: value[places] for name, value in vars(self).items() if name in _COLUMNS})

    @cached_property
    def ranks(self) -> Ints:
        """Place of each in its group, from 0, int64 (N,)."""
        if not len(self):
            return np.zeros(0, np.int64)
        first = np.flatnonzero(np.diff(self.groups, prepend=self.groups[0] - 1))
        return np.asarray(np.arange(len(self)) - np.repeat(first, np.diff(np.append(first, len(self)))), np.int64)

    @cached_property
    def outside(self) -> Flags:
        """Which lie outside of each area range, bool (A, N)."""
        low, high = AREA_RANGES[:, :1], AREA_RANGES[:, 1:]
        return np.asarray((self.areas < low) | (self.areas > high))


_COLUMNS = frozenset(Side.__dataclass_fields__)


def detections_side(truth: GroundTruth, detections: Detections, *, masks: bool, by_class: bool, limit: int) -> Side:
    """Put detections in order.

    Args:
        truth: The annotations that they were checked with.
        detections: With ``masks``, those without a mask are left out.
        masks: Whether masks are compared; an area is then that of the mask, otherwise of the box.
        by_class: Whether a group is an image and a class; else an image. Of equal scores in an image, those of
            the lower category id then come first, as in pycocotools with ``useCats = 0``.
        limit: How many are kept of each group, by score.
    """
    chosen = np.flatnonzero(detections.has_mask) if masks else np.arange(len(detections))
    images = np.searchsorted(truth.image_ids, detections.images[chosen])
    classes = np.searchsorted(truth.category_ids, detections.categories[chosen])
    groups = images + (classes * len(truth.image_ids) if by_class else 0)
    scores = detections.scores[chosen]
    order = np.lexsort((classes, -scores, groups))  # stable
    strings = np.full(len(chosen), "", object)
    pixels: Ints = np.zeros(len(chosen), np.int64)
    if masks:
        strings[:] = list(detections.strings)
        pixels = detections.mask_areas
    boxes = detections.boxes[chosen]
    side = Side(
        groups=groups[order],
        categories=detections.categories[chosen][order],
        boxes=boxes[order],
        areas=(pixels.astype(np.float64) if masks else boxes[:, 2] * boxes[:, 3])[order],
        scores=scores[order],
        crowds=np.zeros(len(order), bool),
        sizes=detections.sizes[chosen][order],
        strings=strings[order],
        pixels=pixels[order],
    )
    return side.take(np.flatnonzero(side.ranks < limit))


def objects_side(truth: GroundTruth, *, masks: bool, by_class: bool) -> Side:
    """Put the annotations in order; with ``masks``, those without a segmentation are left out."""
    chosen = np.flatnonzero(truth.has_segmentation) if masks else np.arange(len(truth.annotation_ids))
    images = np.searchsorted(truth.image_ids, truth.images[chosen])
    classes = np.searchsorted(truth.category_ids, truth.categories[chosen])
    groups = (classes * len(truth.image_ids) if by_class else 0) + images
    order = np.lexsort((classes, groups))  # stable
    chosen = chosen[order]
    strings = np.full(len(chosen), "", object)
    if masks:
        strings[:] = [truth.strings[place] for place in chosen.tolist()]
    return Side(
        groups=groups[order],
        categories=truth.categories[chosen],
        boxes=truth.boxes[chosen],
        areas=truth.areas[chosen],
        scores=np.zeros(len(chosen)),
        crowds=truth.is_crowd[chosen],
        sizes=truth.sizes_of(truth.images[chosen]),
        strings=strings,
        pixels=truth.mask_pixels[chosen] if masks else np.zeros(len(chosen), np.int64),
    )
