"""Which masks can find an object: held to pycocotools' IoU of every detection with every object."""

from __future__ import annotations

import numpy as np
from exactness import problems
from exactness.differences import sides
from pycocotools import mask as coco_mask

from psis_bench.scoring.detection.comparable import can_find


def rles(strings, sizes):
    return [{"size": size, "counts": text} for text, size in zip(strings, sizes.tolist(), strict=True)]


def most_in_common(mask, drawn) -> int:
    """The most pixels that two masks can share, as areas, the columns of both and the rows of the second tell."""
    first, second = (coco_mask.decode(rle).astype(bool) for rle in (mask, drawn))
    columns = np.flatnonzero(second.any(axis=0))
    own = np.flatnonzero(first.any(axis=0))
    shared = min(own[-1], columns[-1]) - max(own[0], columns[0]) + 1
    rows = np.flatnonzero(second.any(axis=1))
    return int(min(first.sum(), second.sum(), max(shared, 0) * (rows[-1] - rows[0] + 1)))


def test_a_mask_that_is_left_out_overlaps_no_object_enough_and_one_that_is_not_has_one_of_its_size_near():
    seen = {"found": 0, "left out": 0, "crowd": 0}
    for seed in range(40):
        truth, found = sides(*problems.problem(seed))
        chosen = np.flatnonzero(found.has_mask)
        kept = np.isin(np.arange(len(chosen)), can_find(truth, found))
        masks = rles(found.strings, found.sizes[chosen])
        drawn = rles(truth.strings, truth.sizes_of(truth.images))
        for place, row in enumerate(chosen.tolist()):
            near = (truth.images == found.images[row]) & (truth.categories == found.categories[row]) & truth.has_mask
            own = int(coco_mask.area(masks[place]))
            possible = False
            for other in np.flatnonzero(near).tolist():
                crowd, area = bool(truth.is_crowd[other]), int(coco_mask.area(drawn[other]))
                common = most_in_common(masks[place], drawn[other]) if own else 0
                possible |= own > 0 and common / (own if crowd else own + area - common) >= 0.5
                if coco_mask.iou([masks[place]], [drawn[other]], [crowd])[0, 0] >= 0.5:
                    assert kept[place]
                    seen["crowd" if crowd else "found"] += 1
            assert kept[place] == possible
            seen["left out"] += not kept[place]
    assert min(seen.values()) > 20


def test_nothing_can_be_found_where_nothing_is_drawn():
    truth, found = sides(*problems.problem(3))
    nothing = truth.where(np.zeros(len(truth.images), bool))
    assert len(can_find(nothing, found)) == 0
    assert len(can_find(truth, found.where(np.zeros(len(found), bool)))) == 0
