"""Class-agnostic recall of a group of classes, the ground truth of all others ignored.

How open-world papers tell whether objects of unseen classes are found at all, under whatever name: AR@k over unseen
classes, where a detection that lies on an object of another class is neither wrong nor counted among the k. Defined by
the code of Kim et al., *Learning Open-World Object Proposals without Learning to Classify* (2021):
``COCOEvalXclassWrapper`` in ``mmdet/datasets/cocoeval_wrappers.py`` of
https://github.com/mcahny/object_localization_network, which LDET and GGN use as well. As there,

* detections are taken over all classes together, at most 1,500 an image, with their class names set aside;
* objects of other classes are matched like crowds and areas out of range: only by a detection that finds nothing else;
* a detection that matches one of them at IoU 0.50 is removed, and the others move up, before the first k count.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.detection.matching import Matches, match
from psis_bench.scoring.detection.pairs import Measure, overlapping
from psis_bench.scoring.detection.sides import detections_side, objects_side
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Flags, GroundTruth
from psis_bench.scoring.results.scores import AgnosticRecall

_CONSIDERED = 1500
_ALL, _SMALL, _MEDIUM, _LARGE = range(4)  # places in COCO's area ranges


class AgnosticEvaluation:
    """Detections and objects of every image compared once, to be summed up for any group of classes.

    Args:
        truth: The annotations; with masks, those without a segmentation are left out.
        detections: Checked detections, not cut down to a number an image; with masks, those without are left out.
        measure: ``bbox`` compares boxes, ``segm`` masks.
    """

    def __init__(self, truth: GroundTruth, detections: Detections, *, measure: Measure) -> None:
        masks = measure != "bbox"
        self._found = detections_side(truth, detections, masks=masks, by_class=False, limit=_CONSIDERED)
        self._drawn = objects_side(truth, masks=masks, by_class=False)
        self._pairs = overlapping(self._found, self._drawn, measure=measure)

    def recall(self, category_ids: Collection[int]) -> AgnosticRecall:
        """Return the recall of the objects of a group of classes."""
        others = ~np.isin(self._drawn.categories, list(category_ids))
        ignored = self._drawn.outside | self._drawn.crowds | others
        matches = match(self._pairs, groups=self._found.groups, ignored=ignored, crowds=self._drawn.crowds)

        def recall(limit: int, area: int = _ALL) -> float | None:
            return self._recall(matches, ignored[area], others, area=area, limit=limit)

        return AgnosticRecall(
            ar10=recall(10),
            ar100=recall(100),
            ar300=recall(300),
            ar1000=recall(1000),
            ar_small=recall(100, _SMALL),
            ar_medium=recall(100, _MEDIUM),
            ar_large=recall(100, _LARGE),
        )

    def _recall(self, matches: Matches, ignored: Flags, others: Flags, *, area: int, limit: int) -> float | None:
        count = int(np.count_nonzero(~ignored))
        if not count:
            return None
        objects = matches.objects[:, area]
        hit = objects >= 0
        removed = np.zeros(len(self._found), np.int64)
        removed[matches.detections] = hit[:, 0] & others[objects[:, 0]] if len(objects) else 0
        among = _ranks_without(self._found.ranks, removed)[matches.detections] < limit
        among &= removed[matches.detections] == 0
        right = (hit & ~ignored[objects])[among]
        return float(np.mean(right.sum(axis=0) / count))


def _ranks_without(ranks: Ints, removed: Ints) -> Ints:
    """Return the place of each detection in its image once the removed ones before it are gone, int64 (D,)."""
    before = np.cumsum(removed) - removed
    first = np.arange(len(ranks)) - ranks
    return np.asarray(ranks - (before - before[first]), np.int64)
