"""Annotations and predictions of any size for the benchmarks: ellipses as polygons, found a little elsewhere.

Objects have sides like COCO's. The first detections of an image lie on its objects, the others beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from psis_bench.console import progress
from psis_bench.run_length_strings import encode_strings
from psis_bench.scoring.inputs.records import write_part
from psis_bench.scoring.masks.trivial import box_masks

HEIGHT, WIDTH = 480, 640
CORNERS = 24
_IMAGES_A_PART = 500


def write_world(
    folder: Path,
    *,
    images: int,
    detections: int,
    categories: list[dict[str, Any]],
    objects: float = 7.2,
    as_json: bool = True,
    other_classes: float = 0.0,
    repeat: bool = False,
    **facts: Any,
) -> None:
    """Write ``val.json``, ``results.json`` and the prediction folder ``found``; nothing where they are there already.

    Args:
        folder: Where to.
        images: Number of images, 480 x 640 pixels.
        detections: Detections of each image.
        categories: Of the annotation file; classes are drawn from the first of them more often.
        objects: Objects of each image, on average.
        as_json: Whether ``results.json`` is written too.
        repeat: Whether all images after the first 500 are copies of these, with other scores.
        other_classes: Share of the detections beside objects that have any class, not that of an object there.
        **facts: Further fields of each image's record.
    """
    if (folder / "val.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    ids = np.array([category["id"] for category in categories])
    annotations: list[dict[str, Any]] = []
    with progress("draw", total=images) as bar, (folder / "results.json").open("w" if as_json else "a") as file:
        for part, first in enumerate(range(0, images, _IMAGES_A_PART)):
            chosen = np.arange(first, min(first + _IMAGES_A_PART, images)) + 1
            if not part or not repeat:
                drawn = _objects(generator, chosen, objects, ids)
                found = _detections(generator, drawn, chosen, detections, ids, other_classes)
            else:
                drawn, found = ({**rows, "image_id": rows["image_id"] + len(chosen)} for rows in (drawn, found))
                found["score"] = generator.random(len(found["score"]))
            annotations += _records(drawn, len(annotations) + 1)
            write_part(folder / "found" / "detections", part, found, kind="detections")
            on_boxes = {**drawn, "bbox": _moved(generator, drawn["bbox"], 0.05)}
            on_boxes["annotation_id"] = np.arange(len(annotations) - len(drawn["image_id"]), len(annotations)) + 1
            write_part(folder / "found" / "gt_box_masks", part, _with_masks(on_boxes), kind="gt_box_masks")
            for row in _results(found) if as_json else ():
                file.write(("," if file.tell() else "[") + json.dumps(row))
            bar.advance(len(chosen))
        file.write("]" if as_json else "")
    size = {"height": HEIGHT, "width": WIDTH}
    records = [{"id": place, "file_name": f"{place}.jpg", **size, **facts} for place in range(1, images + 1)]
    content = {"images": records, "categories": categories, "annotations": annotations}
    (folder / "val.json").write_text(json.dumps(content))


def _objects(generator: np.random.Generator, images: Any, objects: float, ids: Any) -> dict[str, Any]:
    owners = np.repeat(images, generator.poisson(objects, len(images)))
    sides = np.clip(np.exp(generator.normal(4.2, 0.9, (len(owners), 2))), 4, 400).round()
    corners = (generator.uniform(0, 1, (len(owners), 2)) * ((WIDTH, HEIGHT) - sides)).round()
    rank = np.minimum(generator.geometric(5 / len(ids), len(owners)) - 1, len(ids) - 1)  # a long tail
    return {"image_id": owners, "category_id": ids[rank], "bbox": np.concatenate([corners, sides], axis=1)}


def _moved(generator: np.random.Generator, boxes: Any, by: float) -> Any:
    sides = np.maximum(boxes[:, 2:] * np.exp(generator.normal(0, by, (len(boxes), 2))), 3)
    corners = boxes[:, :2] + generator.normal(0, by, (len(boxes), 2)) * boxes[:, 2:]
    corners = np.clip(corners, 0, np.array([WIDTH, HEIGHT]) - 3)
    return np.concatenate([corners, np.minimum(sides, (WIDTH, HEIGHT) - corners)], axis=1)


def _detections(  # noqa: PLR0917 - what a world is drawn from
    generator: np.random.Generator, drawn: dict[str, Any], images: Any, count: int, ids: Any, other_classes: float
) -> dict[str, Any]:
    owners = np.repeat(images, count)
    first = np.searchsorted(drawn["image_id"], owners)
    number = np.searchsorted(drawn["image_id"], owners, side="right") - first
    nth = np.tile(np.arange(count), len(images))
    source = np.minimum(first + nth % np.maximum(number, 1), len(drawn["image_id"]) - 1)
    boxes = drawn["bbox"][source]
    near = _moved(generator, boxes, 0.1)
    boxes = np.where((nth < number)[:, None], near, _moved(generator, boxes, 0.6))
    scores = generator.random(len(owners))
    elsewhere = (nth >= number) & (generator.random(len(owners)) < other_classes)
    classes = np.where(elsewhere, generator.choice(ids, len(owners)), drawn["category_id"][source])
    return _with_masks({"image_id": owners, "category_id": classes, "score": scores, "bbox": boxes})


def _with_masks(rows: dict[str, Any]) -> dict[str, Any]:
    sizes = np.tile([[HEIGHT, WIDTH]], (len(rows["bbox"]), 1))
    masks = encode_strings(box_masks(rows["bbox"], sizes, ellipse=True))
    return {**rows, "height": sizes[:, 0].astype(np.int32), "width": sizes[:, 1].astype(np.int32), "mask": masks}


def _results(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    columns = zip(*(found[key].tolist() for key in ("image_id", "category_id", "score")), found["mask"], strict=True)
    for image, category, score, mask in columns:
        rle = {"size": [HEIGHT, WIDTH], "counts": mask}
        yield {"image_id": image, "category_id": category, "score": score, "segmentation": rle}


def _records(drawn: dict[str, Any], first: int) -> list[dict[str, Any]]:
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    middles = drawn["bbox"][:, None, :2] + drawn["bbox"][:, None, 2:] / 2
    outlines = (middles + circle * drawn["bbox"][:, None, 2:] / 2).round(2).reshape(len(middles), -1)
    areas = np.pi / 4 * drawn["bbox"][:, 2] * drawn["bbox"][:, 3]
    columns = (drawn["image_id"], drawn["category_id"], drawn["bbox"], areas, outlines)
    return [
        {"id": place, "image_id": image, "category_id": category, "bbox": box, "area": area, "iscrowd": 0,
         "segmentation": [outline]}
        for place, (image, category, box, area, outline) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True), first
        )
    ]  # fmt: skip
