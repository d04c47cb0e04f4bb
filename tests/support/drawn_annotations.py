"""Annotation files of a few masks drawn by hand, all in one image of 40 x 60 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

SIZE = {"height": 40, "width": 60}


def rle(pixels: np.ndarray) -> dict[str, Any]:
    code = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": list(pixels.shape), "counts": code["counts"].decode()}


def annotation(number: int, segmentation: Any, box: list[float], *, category: int = 1, **more: Any) -> dict[str, Any]:
    base = {"id": number, "image_id": 7, "category_id": category, "bbox": box, "segmentation": segmentation}
    return {**base, **more}


def square(x: int, y: int, side: int) -> list[float]:
    return [x, y, x + side, y, x + side, y + side, x, y + side]


def file(*annotations: dict[str, Any], names: tuple[str, ...] = ("cat", "dog")) -> dict[str, Any]:
    return {
        "images": [{"id": 7, **SIZE}],
        "annotations": list(annotations),
        "categories": [{"id": place, "name": name} for place, name in enumerate(names, start=1)],
    }
