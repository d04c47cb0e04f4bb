"""A data set of a dozen tiny images that a test draws for itself, and the settings of runs on it.

Two seen and two unseen classes of COCO names; ellipses and crosses; polygons, run lengths and a crowd.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

SEEN = ("person", "dog")
UNSEEN = ("zebra", "kite")
# Not in order of id, and with gaps: a category's id, its place in the file and its label are three things.
CATEGORIES = [
    {"id": 24, "name": "zebra"},
    {"id": 1, "name": "person"},
    {"id": 38, "name": "kite"},
    {"id": 18, "name": "dog"},
]
IDS = {category["name"]: category["id"] for category in CATEGORIES}


class TinyData:
    """A folder with ``data.yaml``, ``split.yaml``, ``train.json``, ``val.json`` and the folders of their images.

    Attributes:
        folder: The folder.
        train: Content of ``train.json``; `write` writes changes.
        val: Content of ``val.json``.
    """

    def __init__(self, folder: Path, *, images: int = 8, seed: int = 0) -> None:
        self.folder = folder
        generator = np.random.default_rng(seed)
        self.train = _draw(folder / "train", images, generator)
        self.val = _draw(folder / "val", max(2, images // 2), generator)
        split = {"name": "tiny", "version": 1, "seen": SEEN, "unseen": UNSEEN, "description": "Two and two."}
        (folder / "split.yaml").write_text(json.dumps(split))
        parts = {part: {"annotations": f"{part}.json", "images": part} for part in ("train", "val")}
        (folder / "data.yaml").write_text(json.dumps({"name": "tiny", **parts}))
        self.write()

    def write(self) -> None:
        """Write both annotation files as they are now."""
        for part in ("train", "val"):
            (self.folder / f"{part}.json").write_text(json.dumps(getattr(self, part)))

    def arguments(self, model: str, *more: str, out: str | Path = "run", iterations: int = 4) -> list[str]:
        """Return the keys of a run that takes a second or two."""
        return [
            f"split={self.folder / 'split.yaml'}",
            f"data={self.folder / 'data.yaml'}",
            f"model={model}",
            f"out={self.folder / out}",
            f"iterations={iterations}",
            "device=cpu",
            "workers=0",
            "threads=1",
            *tiny_settings(model),
            *more,
        ]


def tiny_settings(model: str, *, side: int = 64) -> list[str]:
    """Return overrides that shrink a model's images, batch and intervals; its structure stays."""
    from psis_bench.config_listing import check_name
    from psis_bench.models.compose import load_config

    config = load_config(check_name("models", model))
    scales = [
        f"mm.{name}.{place}.scale=[{side},{side}]"
        for name in ("train_pipeline", "test_pipeline")
        for place, transform in enumerate(config[name])
        if "scale" in transform
    ]
    return [*scales, "mm.batch_size=2", "mm.log_interval=1", "mm.checkpoint_interval=2"]


def _draw(folder: Path, count: int, generator: np.random.Generator) -> dict[str, Any]:
    folder.mkdir(parents=True)
    images, annotations = [], []
    for image_id in range(1, count + 1):
        height, width = (int(side) for side in generator.integers(64, 97, 2))
        pixels = generator.integers(0, 256, (height, width, 3)).astype(np.uint8) // 3
        for place, name in enumerate(generator.permutation([*SEEN, *UNSEEN])[:3]):
            mask = _shape(str(name), height, width, generator)
            pixels[mask > 0] = generator.integers(90, 256, 3)
            annotations.append(_annotation(len(annotations) + 1, image_id, str(name), mask, as_rle=place == 1))
        cv2.imwrite(str(folder / f"{image_id}.jpg"), pixels)
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": height, "width": width})
    annotations[2]["iscrowd"] = 1
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


def _shape(name: str, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    half = generator.integers(8, 16, 2)
    x, y = (int(generator.integers(h, side - h)) for h, side in zip(half, (width, height), strict=True))
    a, b = (int(h) for h in half)
    if name in ("person", "zebra"):
        cv2.ellipse(mask, (x, y), (a, b), 0, 0, 360, 1, -1)
    else:
        cv2.rectangle(mask, (x - a, y - 3), (x + a, y + 3), 1, -1)
        cv2.rectangle(mask, (x - 3, y - b), (x + 3, y + b), 1, -1)
    return mask


def _annotation(number: int, image_id: int, name: str, mask: np.ndarray, *, as_rle: bool) -> dict[str, Any]:
    rle = coco_mask.encode(np.asfortranarray(mask))
    outline = max(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    polygon = [float(value) for value in outline.reshape(-1)]
    return {
        "id": number * 10,
        "image_id": image_id,
        "category_id": IDS[name],
        "bbox": [float(side) for side in coco_mask.toBbox(rle)],
        "area": float(mask.sum()),
        "iscrowd": 0,
        "segmentation": {"size": list(mask.shape), "counts": rle["counts"].decode()} if as_rle else [polygon],
    }
