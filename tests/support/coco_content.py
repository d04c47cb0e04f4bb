"""A small COCO file with one of each kind of annotation, as Python values; tests break it in one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

HEIGHT, WIDTH = 8, 10
TRIANGLE = [1.0, 1.0, 6.0, 1.0, 6.0, 5.0]
BOX = [1.0, 1.0, 5.0, 4.0]


def pixels() -> np.ndarray[Any, np.dtype[np.uint8]]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[1:5, 1:6] = 1
    return mask


def compressed() -> dict[str, Any]:
    rle = coco_mask.encode(np.asfortranarray(pixels()))
    return {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}


def uncompressed() -> dict[str, Any]:
    edges = np.flatnonzero(np.diff(pixels().ravel(order="F"), prepend=0)).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *edges, HEIGHT * WIDTH]).tolist()}


def content() -> dict[str, Any]:
    """One of each that COCO format allows: polygon, both kinds of RLE, crowd, no mask, image without annotations."""
    segmentations: list[Any] = [[TRIANGLE], compressed(), uncompressed(), []]
    return {
        "info": {"year": 2017},
        "images": [
            {"id": 7, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH},
            {"id": 9, "file_name": "b.jpg", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {
                "id": place + 1,
                "image_id": 7,
                "category_id": 3,
                "bbox": list(BOX),
                "area": 20.0,
                "iscrowd": int(place == 2),
            }
            | {"segmentation": segmentation}
            for place, segmentation in enumerate(segmentations)
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
    }


def write(folder: Path, value: Any) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
