"""Objects that two annotations of the same images have in common, and the IoU of their masks, as a table.

`psis_bench.scoring.masks.annotators` has the same as a row beside the scores of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from psis_bench.rle import segmentation_to_rle
from psis_bench.run_lengths import Ints
from psis_bench.scoring.box_iou import box_ious
from psis_bench.scoring.inputs.ground_truth import Floats

if TYPE_CHECKING:
    import pandas as pd

LEAST_OVERLAP = 0.5
"""IoU of boxes from which on two annotations may be of one object."""


def mutually_best(first: Ints, first_boxes: Floats, second: Ints, second_boxes: Floats) -> tuple[Ints, Ints, Floats]:
    """Pair annotations that are each other's best by the IoU of their boxes, where that is `LEAST_OVERLAP` or more.

    Args:
        first: int64 (N,): group of each annotation; only those of one group can be of one object.
        first_boxes: float64 (N, 4): xywh in pixels.
        second: int64 (M,): groups of the others.
        second_boxes: float64 (M, 4).

    Returns:
        Places in the first, ascending, places in the second, and the IoU of the boxes, each (P,). Of equal IoUs the
        one that is listed first is the best.
    """
    order = np.argsort(second, kind="stable")
    start = np.searchsorted(second[order], first, side="left")
    counts = np.searchsorted(second[order], first, side="right") - start
    rows = np.repeat(np.arange(len(first)), counts)
    others = order[np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + start[rows]]
    ious = box_ious(first_boxes[rows], second_boxes[others], crowds=np.zeros(len(rows), bool))
    mutual = np.intersect1d(_best(rows, ious), _best(others, ious))
    mutual = mutual[ious[mutual] >= LEAST_OVERLAP]
    return rows[mutual], others[mutual], ious[mutual]


def _best(sides: Ints, ious: Floats) -> Ints:
    """Return the place of the pair of highest IoU of each of ``sides``, the first of equals."""
    order = np.lexsort((-ious, sides))
    return np.asarray(order[np.flatnonzero(np.diff(sides[order], prepend=-1))], np.int64)


def mutual_iou(first: Mapping[str, Any], second: Mapping[str, Any]) -> pd.DataFrame:
    """Return the mask IoU of objects that two annotation files of the same images both have.

    Two instances are of one object when each is the other's best by the IoU of their boxes, and that is 0.5 or more. So
    objects are not chosen by what is measured, the IoU of their masks. Names of classes are not compared.

    Args:
        first: ``images``, ``annotations`` and ``categories`` as in a COCO file.
        second: The same; an image is the same when its id is.

    Returns:
        One row an object: ``image_id, first_id, second_id, first_name, second_name, box_iou, mask_iou``.
    """
    import pandas as pd

    names = [{item["id"]: str(item["name"]) for item in side["categories"]} for side in (first, second)]
    images = {image["id"]: place for place, image in enumerate(first["images"])}
    ours, theirs = (_comparable(side, set(images)) for side in (first, second))
    pairs = mutually_best(*_groups_and_boxes(ours, images), *_groups_and_boxes(theirs, images))
    rows = []
    for place, other_place, overlap in zip(*(column.tolist() for column in pairs), strict=True):
        one, other = ours[place], theirs[other_place]
        image = first["images"][images[one["image_id"]]]
        rows.append(
            {
                "image_id": one["image_id"],
                "first_id": one["id"],
                "second_id": other["id"],
                "first_name": names[0][one["category_id"]],
                "second_name": names[1][other["category_id"]],
                "box_iou": overlap,
                "mask_iou": _mask_iou(one, other, int(image["height"]), int(image["width"])),
            }
        )
    columns = ["image_id", "first_id", "second_id", "first_name", "second_name", "box_iou", "mask_iou"]
    return pd.DataFrame(rows, columns=columns)


def _comparable(side: Mapping[str, Any], images: set[Any]) -> list[Mapping[str, Any]]:
    """Return the annotations of these images that are no crowd and have a mask."""
    return [
        annotation
        for annotation in side["annotations"]
        if annotation["image_id"] in images and not annotation.get("iscrowd") and annotation.get("segmentation")
    ]


def _groups_and_boxes(annotations: Sequence[Mapping[str, Any]], images: Mapping[Any, int]) -> tuple[Ints, Floats]:
    groups = np.array([images[annotation["image_id"]] for annotation in annotations], np.int64)
    return groups, np.array([annotation["bbox"] for annotation in annotations], np.float64).reshape(-1, 4)


def _mask_iou(one: Mapping[str, Any], other: Mapping[str, Any], height: int, width: int) -> float:
    from pycocotools import mask as coco_mask

    codes = [segmentation_to_rle(item["segmentation"], height, width) for item in (one, other)]
    return float(coco_mask.iou([codes[0]], [codes[1]], [0])[0, 0])
