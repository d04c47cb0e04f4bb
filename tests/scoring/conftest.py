"""Small worlds with known answers, COCO's own evaluation of them, and perturbed annotations as predictions."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from psis_bench.rle import encode_crop, segmentation_to_rle
from psis_bench.scoring.inputs.detections import Detections, read_detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth, read_ground_truth
from psis_bench.scoring.inputs.records import read_parts, write_part
from psis_bench.scoring.results.scores import Scores
from psis_bench.scoring.score import score_run
from psis_bench.splits.protocol import SplitProtocol

Truth = dict[str, Any]
Rows = list[dict[str, Any]]


def rle_of(mask: np.ndarray) -> dict[str, Any]:
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode()}


def blob(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    top, left = random.integers(0, height), random.integers(0, width)
    part = mask[top : top + random.integers(1, height + 1), left : left + random.integers(1, width + 1)]
    part[...] = random.random(part.shape) < 0.9
    return mask


def _world(seed: int) -> tuple[Truth, Rows]:
    """Up to six images and four classes: crowds, empty images, tied scores, classes without ground truth."""
    random = np.random.default_rng(seed)
    images = [
        {
            "id": int(7 * place + 3),
            "file_name": f"{place}.jpg",
            "height": int(random.integers(8, 130)),
            "width": int(random.integers(8, 130)),
        }
        for place in range(random.integers(1, 7))
    ]
    categories = [{"id": 2 * place + 1, "name": f"class {place}"} for place in range(random.integers(1, 5))]
    crowds, decimals = random.choice([0.0, 0.3, 0.6]), random.choice([0, 1, 6])
    annotations: Rows = []
    results: Rows = []

    def category() -> int:
        return int(random.choice([category["id"] for category in categories]))

    for image in images:
        sides = (image["height"], image["width"])
        masks = [mask for mask in (blob(random, *sides) for _ in range(random.integers(0, 6))) if mask.any()]
        for mask in masks:
            rle = rle_of(mask)
            row = {"id": len(annotations), "image_id": image["id"], "category_id": category(), "segmentation": rle}
            box = coco_mask.toBbox(rle).tolist()
            crowd = int(random.random() < crowds)
            annotations.append({**row, "bbox": box, "area": float(mask.sum()), "iscrowd": crowd})
        for _ in range(random.integers(0, 12)):
            close = masks and random.random() < 0.7
            mask = np.roll(masks[random.integers(len(masks))], 1) if close else blob(random, *sides)
            rle = rle_of(mask)
            box = (coco_mask.toBbox(rle) + random.integers(0, 2, 4)).tolist()
            score = float(np.round(random.random(), decimals))
            row = {"image_id": image["id"], "category_id": category(), "score": score}
            results.append({**row, "bbox": box, "segmentation": rle})
    return {"images": images, "categories": categories, "annotations": annotations}, results


def _reference(truth: Truth, results: Rows, iou_type: str, categories: list[int] | None = None) -> COCOeval:
    """Evaluate with pycocotools alone, restricted to ``categories``; annotation ids are numbered from 1."""
    truth, results = copy.deepcopy(truth), copy.deepcopy(results)
    for number, annotation in enumerate(truth["annotations"], 1):
        annotation["id"] = number
    if iou_type == "segm":
        for result in results:
            del result["bbox"]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), iou_type)
        if categories is not None:
            evaluation.params.catIds = categories
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _ground_truth(truth: Truth, path: Path = Path("instances.json")) -> GroundTruth:
    return read_ground_truth(SimpleNamespace(path=path, sha256="", **copy.deepcopy(truth)))


def _row(result: dict[str, Any]) -> dict[str, Any]:
    height, width = result["segmentation"]["size"]
    row = {name: result[name] for name in ("image_id", "category_id", "score", "bbox")}
    return {**row, "height": height, "width": width, "mask": result["segmentation"]["counts"]}


def _perturbed(truth: Truth) -> tuple[Rows, Rows]:
    """Annotations shifted, dilated, dropped, doubled and confused: detections, and masks on boxes."""
    import cv2

    random = np.random.default_rng(0)
    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    ids = [category["id"] for category in truth["categories"]]
    results, masks = [], []
    for annotation in truth["annotations"]:
        height, width = sizes[annotation["image_id"]]
        rle = segmentation_to_rle(annotation["segmentation"], height, width)
        x, y, w, h = (int(value) for value in coco_mask.toBbox(rle))
        crop = np.pad(coco_mask.decode(rle)[y : y + h, x : x + w], 3)
        for _ in range(random.choice([0, 1, 1, 1, 2])):
            crop = cv2.dilate(crop, np.ones((random.integers(1, 6),) * 2, np.uint8))
            dx, dy = (int(step) for step in random.normal(0, 0.1 * np.sqrt(w * h), 2))
            string = encode_crop(crop > 0, x=x + dx - 3, y=y + dy - 3, height=height, width=width)
            found = {"size": [height, width], "counts": string}
            category = int(random.choice(ids)) if random.random() < 0.1 else annotation["category_id"]
            box = (np.array(annotation["bbox"]) + random.normal(0, 3, 4)).clip(0).tolist()
            row = {"image_id": annotation["image_id"], "category_id": category, "bbox": box, "segmentation": found}
            results.append({**row, "score": float(np.round(random.random(), 2))})
        string = encode_crop(crop > 0, x=x - 2, y=y - 4, height=height, width=width)
        row = {"image_id": annotation["image_id"], "annotation_id": annotation["id"], "mask": string}
        masks.append({**row, "category_id": annotation["category_id"], "height": height, "width": width})
    order = random.permutation(len(results))
    return [results[place] for place in order], masks


@pytest.fixture(scope="session")
def world() -> Callable[[int], tuple[Truth, Rows]]:
    return _world


@pytest.fixture(scope="session")
def reference() -> Callable[..., COCOeval]:
    return _reference


@pytest.fixture(scope="session")
def ground_truth() -> Callable[..., GroundTruth]:
    return _ground_truth


@pytest.fixture
def gathered(tmp_path: Path) -> Callable[[GroundTruth, Rows], Detections]:
    """Write detections to two parts of a folder and read them again."""

    def write_and_read(truth: GroundTruth, results: Rows) -> Detections:
        middle = len(results) // 2
        for index, part in enumerate((results[:middle], results[middle:])):
            write_part(tmp_path / "detections", index, [_row(result) for result in part], kind="detections")
        return read_detections(read_parts(tmp_path / "detections", kind="detections"), truth)

    return write_and_read


@pytest.fixture(scope="session")
def coco_mini(shared_data: Path) -> SimpleNamespace:
    """The validation part of coco_mini with perturbed annotations as predictions."""
    path = shared_data / "coco_mini" / "annotations" / "instances_val.json"
    content = path.read_bytes()
    truth = {name: json.loads(content)[name] for name in ("images", "categories", "annotations")}
    results, masks = _perturbed(truth)
    return SimpleNamespace(
        path=path, sha256=hashlib.sha256(content).hexdigest(), truth=truth, results=results, masks=masks, row=_row
    )


def _masks_on_boxes(truth) -> list[dict]:
    """The masks of the annotations themselves."""
    rows = []
    for annotation in truth["annotations"]:
        height, width = annotation["segmentation"]["size"]
        row = {"image_id": annotation["image_id"], "annotation_id": annotation["id"], "height": height, "width": width}
        mask = annotation["segmentation"]["counts"]
        rows.append({**row, "category_id": annotation["category_id"], "mask": mask})
    return rows


def _split_of(truth, **changes) -> SplitProtocol:
    names = [category["name"] for category in truth["categories"]]
    values = {
        "name": "halves",
        "version": 1,
        "seen": tuple(names[::2]),
        "unseen": tuple(names[1::2]),
        "description": "",
    }
    return SplitProtocol(**{**values, **changes})


@pytest.fixture
def scored(tmp_path, world):
    """A world with several classes on disk, with detections and masks on boxes."""
    truth, results = world(32)
    (tmp_path / "instances.json").write_text(json.dumps(truth))
    predictions = tmp_path / "predictions"
    rows = [
        {**{key: result[key] for key in ("image_id", "category_id", "score", "bbox")},
         "height": result["segmentation"]["size"][0], "width": result["segmentation"]["size"][1],
         "mask": result["segmentation"]["counts"]}
        for result in results
    ]  # fmt: skip
    write_part(predictions / "detections", 0, rows, kind="detections")
    write_part(predictions / "gt_box_masks", 0, _masks_on_boxes(truth), kind="gt_box_masks")

    def score(**changes) -> Scores:
        options = {"predictions": predictions, "annotations": tmp_path / "instances.json", "split": _split_of(truth)}
        return score_run(**{**options, "out": tmp_path / "out", **changes})

    score.truth, score.results, score.folder, score.split_of = truth, results, tmp_path, _split_of
    return score
