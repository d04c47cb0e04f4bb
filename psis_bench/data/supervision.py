"""Mask supervision is a fact of the data: masks that a split withholds are gone when annotations are read.

Nothing downstream (augmentation, sampling, loss) can leak what it is never given. The *area* of a
mask is mask supervision too: for a thin object it is far from the box's, so the box's stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psis_bench.rle import area_of

_BOX_SUPERVISION = ("id", "image_id", "category_id", "bbox", "iscrowd", "ignore")
"""What stays of an instance without mask supervision. Fields that we do not know could hold its mask."""


def restrict_masks(annotation: Mapping[str, Any], *, seen_ids: frozenset[int]) -> dict[str, Any]:
    """Return an annotation with the supervision that the split allows.

    Args:
        annotation: One entry of a COCO file's ``annotations``, checked; not changed.
        seen_ids: Category ids with mask supervision.

    Returns:
        A copy with ``has_mask`` (bool). Where true, it is complete: its class is in ``seen_ids`` and it has a polygon
        or a mask of at least one pixel. Where false, only box supervision is left: id, image, class, box (xywh,
        absolute pixels), crowd flag, and ``area`` is that of the box. The box stays in both cases.
    """
    _, _, width, height = annotation["bbox"]
    if annotation["category_id"] in seen_ids and _has_mask(annotation.get("segmentation")):
        # MMDetection drops the box of an annotation whose area is 0, whatever its mask.
        return {**annotation, "area": annotation.get("area") or width * height, "has_mask": True}
    restricted = {key: annotation[key] for key in _BOX_SUPERVISION if key in annotation}
    return {**restricted, "area": width * height, "has_mask": False}


def _has_mask(segmentation: Any) -> bool:
    if isinstance(segmentation, Mapping):
        return area_of(segmentation) > 0
    return bool(segmentation)
