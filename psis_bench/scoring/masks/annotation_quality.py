"""How careful ground-truth masks are drawn, and how far two annotations of the same object agree.

Source: paper, appendix E and Figure 7 (the worst source classes are those whose masks are drawn unevenly), and appendix
B.1 (what experts, COCO and LVIS reach against each other is the head room of a model). The paper gives no measure of
the first, and shows examples; the ones here are facts of an annotation, and where it stands by them in its class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from psis_bench.rle import segmentation_to_rle

if TYPE_CHECKING:
    import pandas as pd

LEAST_OVERLAP = 0.5
"""IoU of boxes from which on two annotations may be of one object."""


def mask_facts(annotation: Mapping[str, Any], *, height: int, width: int) -> dict[str, float]:
    """Return facts about one mask.

    Args:
        annotation: COCO annotation with a segmentation.
        height: Of its image, pixels.
        width: Of its image, pixels.

    Returns:
        ``area`` (pixels), ``polygons`` (parts of the outline; of run lengths, of connected pixels), ``holes`` (regions
        of background inside the mask), ``points`` (corners of the polygons; NaN for run lengths) and ``detail``
        (corners for each 100 pixels of outline; NaN likewise).
    """
    from pycocotools import mask as coco_mask

    segmentation = annotation["segmentation"]
    pixels = coco_mask.decode(segmentation_to_rle(segmentation, height, width))
    parts, holes = _parts_and_holes(pixels)
    facts = {"area": float(pixels.sum()), "polygons": float(parts), "holes": float(holes)}
    if not isinstance(segmentation, list):
        return {**facts, "points": math.nan, "detail": math.nan}
    outlines = [np.asarray(polygon, dtype=float).reshape(-1, 2) for polygon in segmentation]
    points = sum(len(outline) for outline in outlines)
    length = sum(float(np.hypot(*(outline - np.roll(outline, 1, axis=0)).T).sum()) for outline in outlines)
    detail = 100 * points / length if length else math.nan
    return {**facts, "polygons": float(len(outlines)), "points": float(points), "detail": detail}


def _parts_and_holes(pixels: npt.NDArray[np.uint8]) -> tuple[int, int]:
    import cv2

    contours, hierarchy = cv2.findContours(np.ascontiguousarray(pixels), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return 0, 0
    inside = int((np.asarray(hierarchy)[0, :, 3] >= 0).sum())
    return len(contours) - inside, inside


def quality_table(
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    categories: Sequence[Mapping[str, Any]],
    *,
    classes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return one row an instance that is no crowd and has a mask: ``annotation_id, image_id, name`` and its facts.

    Args:
        images: COCO image records.
        annotations: COCO annotations.
        categories: COCO categories.
        classes: Names of the classes to look at; None: all.
    """
    import pandas as pd

    sizes = {image["id"]: (int(image["height"]), int(image["width"])) for image in images}
    names = {category["id"]: str(category["name"]) for category in categories}
    rows = []
    for annotation in annotations:
        name = names[annotation["category_id"]]
        if annotation.get("iscrowd") or not annotation.get("segmentation") or (classes and name not in classes):
            continue
        height, width = sizes[annotation["image_id"]]
        identity = {"annotation_id": annotation["id"], "image_id": annotation["image_id"], "name": name}
        rows.append({**identity, **mask_facts(annotation, height=height, width=width)})
    columns = ["annotation_id", "image_id", "name", "area", "polygons", "holes", "points", "detail"]
    return pd.DataFrame(rows, columns=columns)


def with_care(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the column ``care``: from 0, the crudest mask of its class, to 1, the most careful.

    It is the mean of three ranks in the class, each from 0 to 1 with ties at their mean: boundary detail (where there
    are corners), parts of the outline, and holes. What stands in front of an object, or shows through it, is left out
    of its mask by parts and holes. So the measure compares objects of one class, not classes, and an object that is
    plain stands low however carefully it is drawn. Chosen here; the paper tells good from bad by eye.

    Args:
        table: From `quality_table`.
    """
    grouped = table.groupby("name")[["detail", "polygons", "holes"]]
    others = (grouped.transform("count") - 1).clip(lower=1)
    places = (grouped.rank() - 1) / others
    alone = grouped.transform("count") == 1
    return table.assign(care=places.mask(alone & places.notna(), 0.5).mean(axis=1))


def class_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a class: instances, medians of points and detail, shares with several polygons and with holes."""
    grouped = table.groupby("name", sort=False)
    summary = grouped.agg(
        instances=("annotation_id", "size"),
        median_points=("points", "median"),
        median_detail=("detail", "median"),
        several_polygons=("polygons", lambda values: float((values > 1).mean())),
        with_holes=("holes", lambda values: float((values > 0).mean())),
    )
    return summary.reset_index().sort_values("median_detail", kind="stable").reset_index(drop=True)


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

    sides = [_by_image(side) for side in (first, second)]
    names = [{item["id"]: str(item["name"]) for item in side["categories"]} for side in (first, second)]
    rows = []
    for image in first["images"]:
        identity, height, width = image["id"], int(image["height"]), int(image["width"])
        ours, theirs = (side.get(identity, []) for side in sides)
        for one, other, overlap in _pairs(ours, theirs):
            rows.append(
                {
                    "image_id": identity,
                    "first_id": one["id"],
                    "second_id": other["id"],
                    "first_name": names[0][one["category_id"]],
                    "second_name": names[1][other["category_id"]],
                    "box_iou": overlap,
                    "mask_iou": _mask_iou(one, other, height, width),
                }
            )
    columns = ["image_id", "first_id", "second_id", "first_name", "second_name", "box_iou", "mask_iou"]
    return pd.DataFrame(rows, columns=columns)


def _by_image(side: Mapping[str, Any]) -> dict[Any, list[Mapping[str, Any]]]:
    grouped: dict[Any, list[Mapping[str, Any]]] = {}
    for annotation in side["annotations"]:
        if not annotation.get("iscrowd") and annotation.get("segmentation"):
            grouped.setdefault(annotation["image_id"], []).append(annotation)
    return grouped


def _pairs(
    ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any], float]]:
    from pycocotools import mask as coco_mask

    if not ours or not theirs:
        return []
    boxes = [np.array([annotation["bbox"] for annotation in side], dtype=float) for side in (ours, theirs)]
    overlaps = np.asarray(coco_mask.iou(boxes[0], boxes[1], [0] * len(theirs)))
    best, back = overlaps.argmax(axis=1), overlaps.argmax(axis=0)
    return [
        (ours[place], theirs[other], float(overlaps[place, other]))
        for place, other in enumerate(best)
        if back[other] == place and overlaps[place, other] >= LEAST_OVERLAP
    ]


def _mask_iou(one: Mapping[str, Any], other: Mapping[str, Any], height: int, width: int) -> float:
    from pycocotools import mask as coco_mask

    codes = [segmentation_to_rle(item["segmentation"], height, width) for item in (one, other)]
    return float(coco_mask.iou([codes[0]], [codes[1]], [0])[0, 0])
