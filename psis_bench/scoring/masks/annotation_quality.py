"""How careful ground-truth masks are drawn.

Source: paper, appendix E and Figure 7 (the worst source classes are those whose masks are drawn unevenly). The paper
gives no measure and shows examples; the ones here are facts of an annotation, and where it stands by them in its class.
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
