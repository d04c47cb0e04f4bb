"""Randomised annotation and results files, small and full of the cases in which evaluators go apart."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

Truth = dict[str, Any]
Rows = list[dict[str, Any]]


def problem(seed: int) -> tuple[Truth, Rows]:
    """Return annotations and results of a few images.

    By chance: crowds, images without annotations or without results, classes without one or the other, scores that
    are all equal, polygons of one and two parts, polygons without a pixel, RLE in both forms, boxes without area,
    masks without a pixel, more than 100 results of a class in an image, areas on the edge of small and medium, ids
    with gaps, annotation ids from 0.
    """
    random = np.random.default_rng(seed)
    images = [_image(random, place) for place in range(random.integers(1, 7))]
    categories = [{"id": int(3 * place + random.integers(1, 4)), "name": f"class {place}"} for place in range(5)]
    categories = categories[: random.integers(1, 6)]
    random.shuffle(categories)
    crowds, decimals = random.choice([0.0, 0.2, 0.6]), int(random.choice([0, 1, 6]))
    annotations: Rows = []
    results: Rows = []
    ids = [category["id"] for category in categories]
    drawn_ids, found_ids = (ids[: random.integers(1, len(ids) + 1)] for _ in range(2))
    for image in images:
        masks = [] if random.random() < 0.15 else [_mask(random, image) for _ in range(random.integers(1, 7))]
        for mask in masks:
            row = {"image_id": image["id"], "category_id": int(random.choice(drawn_ids))}
            annotations.append({**row, **_drawn(random, mask), "iscrowd": int(random.random() < crowds)})
        many = random.random() < 0.02
        for _ in range(130 if many else random.integers(0, 14)):
            category = found_ids[0] if many else int(random.choice(found_ids))
            row = {"image_id": image["id"], "category_id": category}
            score = float(np.round(random.random(), decimals))
            results.append({**row, **_found(random, image, masks), "score": score})
    for place, annotation in enumerate(annotations):
        annotation["id"] = place  # from 0: pycocotools loses a match to the first
    return {"images": images, "categories": categories, "annotations": annotations}, results


def federated(seed: int) -> tuple[Truth, Rows]:
    """Return a problem with what an LVIS file has beyond COCO format, and some annotations without an area."""
    truth, results = problem(seed)
    random = np.random.default_rng([seed, 1])
    ids = [category["id"] for category in truth["categories"]]
    for category in truth["categories"]:
        category |= {"frequency": str(random.choice(list("rcf"))), "synset": f"{category['name']}.n.01"}
    for image in truth["images"]:
        there = {row["category_id"] for row in truth["annotations"] if row["image_id"] == image["id"]}
        image["neg_category_ids"] = [id_ for id_ in ids if id_ not in there and random.random() < 0.4]
        image["not_exhaustive_category_ids"] = [id_ for id_ in ids if random.random() < 0.3]
    for annotation in truth["annotations"]:
        del annotation["iscrowd"]
        annotation["area"] *= random.random() > 0.05
    return truth, results


def perturbed(truth: Truth, *, seed: int = 0, wrong: int = 1) -> Rows:
    """Return annotations as results: shifted, dilated, left out, doubled, in a wrong class, and blobs of any class."""
    import cv2

    random = np.random.default_rng(seed)
    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    ids = [category["id"] for category in truth["categories"]]
    absent = {image["id"]: image.get("neg_category_ids") or ids for image in truth["images"]}
    results: Rows = []
    for annotation in truth["annotations"]:
        height, width = sizes[annotation["image_id"]]
        mask = coco_mask.decode(to_rle(annotation["segmentation"], height, width))
        for copy_ in range(int(random.choice([0, 1, 1, 2])) + wrong):
            moved = cv2.dilate(np.roll(mask, random.integers(-3, 4, 2), (0, 1)), np.ones((random.integers(1, 6),) * 2))
            category = annotation["category_id"]
            if copy_ < wrong:
                category = int(random.choice(absent[annotation["image_id"]] if random.random() < 0.5 else ids))
            box = (np.array(annotation["bbox"]) + random.normal(0, 2, 4)).clip(0)
            row = {"image_id": annotation["image_id"], "category_id": category, "segmentation": encoded(moved)}
            results.append({**row, "bbox": box.tolist(), "score": float(np.round(random.random(), 2))})
    return [results[place] for place in random.permutation(len(results))]


def crowded(results: Rows, image: int, count: int) -> Rows:
    """Return the results with those of one image repeated, slightly lower, until it has ``count``."""
    own = [row for row in results if row["image_id"] == image]
    more = [{**copy.deepcopy(own[place % len(own)]), "score": 0.5 / (place + 2)} for place in range(count - len(own))]
    return [*results, *more]


def read(path: Path) -> Truth:
    """Read an annotation file."""
    content: Truth = json.loads(path.read_bytes())
    return {name: content[name] for name in ("images", "categories", "annotations")}


def encoded(mask: np.ndarray) -> dict[str, Any]:
    """Return a mask (h, w) as compressed RLE."""
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode()}


def to_rle(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Return any segmentation as compressed RLE, as pycocotools' ``annToRLE`` does."""
    if isinstance(segmentation, list):
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    if isinstance(segmentation["counts"], list):
        return coco_mask.frPyObjects(segmentation, height, width)
    return segmentation


def pixels(rle: dict[str, Any]) -> int:
    """Return the area of a compressed RLE."""
    return int(coco_mask.area(rle))


def _image(random: np.random.Generator, place: int) -> dict[str, Any]:
    height, width = (int(side) for side in random.integers(8, 130, 2))
    return {"id": int(7 * place + random.integers(3)), "file_name": f"{place}.jpg", "height": height, "width": width}


def _mask(random: np.random.Generator, image: dict[str, Any]) -> np.ndarray:
    mask = np.zeros((image["height"], image["width"]), bool)
    top, left = random.integers(0, mask.shape[0]), random.integers(0, mask.shape[1])
    if random.random() < 0.1:
        top, left = 0, 0
        mask[:32, :32] = True  # an area of 32², where it fits
        return mask
    part = mask[top : top + random.integers(1, mask.shape[0] + 1), left : left + random.integers(1, mask.shape[1] + 1)]
    part[...] = random.random(part.shape) < random.choice([0.9, 1.0])
    return mask


def _drawn(random: np.random.Generator, mask: np.ndarray) -> dict[str, Any]:
    """Return segmentation, box and area of an annotation; some boxes have no area."""
    height, width = mask.shape
    x, y, w, h = (float(side) for side in coco_mask.toBbox(encoded(mask)))
    kind = random.choice(["rle", "counts", "polygon", "parts", "thin"], p=[0.35, 0.15, 0.25, 0.15, 0.1])
    segmentation: Any = encoded(mask)
    if kind == "counts":
        flat = mask.ravel(order="F")
        edges = np.flatnonzero(np.diff(flat, prepend=False))
        segmentation = {"size": [height, width], "counts": np.diff([0, *edges, flat.size]).tolist()}
    elif kind != "rle":
        middle = x + w / 2
        corners = [x, y, middle, y + h / 3, x + w, y, x + w, y + h, x + 0.3, y + h]
        segmentation = {
            "polygon": [corners],
            "parts": [corners[:6], [x, y + h, middle, y + 0.6 * h, x + w, y + h]],
            "thin": [[x, y, x + 0.1, y, x + 0.1, y + 0.1]],
        }[str(kind)]
    area = float(mask.sum()) if random.random() < 0.8 else w * h / 2
    flat_box = random.random() < 0.08
    return {"segmentation": segmentation, "bbox": [x, y, 0.0 if flat_box else w, h], "area": area}


def _found(random: np.random.Generator, image: dict[str, Any], masks: list[np.ndarray]) -> dict[str, Any]:
    """Return segmentation and box of a result: near an object, or anywhere; some have no pixel or no area."""
    near = masks and random.random() < 0.7
    mask = np.roll(masks[random.integers(len(masks))], 1) if near else _mask(random, image)
    if random.random() < 0.04:
        mask = np.zeros_like(mask)
    rle = encoded(mask)
    box = (coco_mask.toBbox(rle) + random.integers(0, 2, 4)).tolist()
    if random.random() < 0.06:
        box[int(random.integers(2, 4))] = 0.0
    return {"segmentation": rle, "bbox": box}
