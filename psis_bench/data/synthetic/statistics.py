"""What a set in COCO format is like: sizes, fill, neighbours, and what the two trivial masks score on it.

``python -m psis_bench.data.synthetic.statistics ANNOTATIONS`` prints one table. Plain NumPy on full-size
masks, apart from pycocotools' decoder: slow on purpose, so that nothing of it is shared with the scoring.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from psis_bench import console
from psis_bench.splits.categories import VOC_NAMES

Columns = dict[str, NDArray[np.float64]]


def measure(content: Mapping[str, Any]) -> Columns:
    """Measure every instance of a COCO file with RLE masks and whole-numbered, tight boxes.

    Args:
        content: The parsed file.

    Returns:
        One value an instance: ``category_id``; ``area`` in square pixels; ``side``, the longer side of the box in
        pixels; ``full_box_iou`` (also the mask's share of its box) and ``ellipse_iou``; ``others``, the share of
        the box that belongs to other objects; ``cut``, 1 where the box touches the image's border.
    """
    of_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for annotation in content["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    rows = [row for image in content["images"] for row in _measure_image(image, of_image[image["id"]])]
    return {key: np.array([row[key] for row in rows], dtype=np.float64) for key in rows[0]}


def _measure_image(image: Mapping[str, Any], annotations: list[Mapping[str, Any]]) -> list[dict[str, float]]:
    from pycocotools import mask as coco_mask

    masks = [coco_mask.decode(annotation["segmentation"]).astype(bool) for annotation in annotations]
    union = np.any(masks, axis=0) if masks else np.zeros((0, 0), dtype=bool)
    rows = []
    for annotation, mask in zip(annotations, masks, strict=True):
        left, top, width, height = (int(value) for value in annotation["bbox"])
        box = (slice(top, top + height), slice(left, left + width))
        ellipse = np.zeros_like(mask)
        y, x = np.mgrid[0:height, 0:width]
        ellipse[box] = ((x + 0.5) / width * 2 - 1) ** 2 + ((y + 0.5) / height * 2 - 1) ** 2 <= 1
        edge = left == 0 or top == 0 or left + width == image["width"] or top + height == image["height"]
        rows.append(
            {
                "category_id": annotation["category_id"],
                "area": float(mask.sum()),
                "side": max(width, height),
                "full_box_iou": mask.sum() / (width * height),
                "ellipse_iou": (mask & ellipse).sum() / (mask | ellipse).sum(),
                "others": (union[box] & ~mask[box]).sum() / (width * height),
                "cut": float(edge),
            }
        )
    return rows


def class_mean(values: NDArray[np.float64], category_ids: NDArray[np.float64]) -> float:
    """Return the mean over classes of the mean over a class's instances."""
    means = [float(values[category_ids == number].mean()) for number in np.unique(category_ids)]
    return sum(means) / len(means)


def _table(content: Mapping[str, Any]) -> Table:
    found = measure(content)
    voc = np.isin(found["category_id"], [entry["id"] for entry in content["categories"] if entry["name"] in VOC_NAMES])
    table = Table("", "all", "VOC", "other")
    for title, key in (("full box, class-mean mIoU", "full_box_iou"), ("ellipse, class-mean mIoU", "ellipse_iou")):
        cells = [class_mean(found[key][rows], found["category_id"][rows]) for rows in (voc | ~voc, voc, ~voc)]
        table.add_row(title, *(f"{100 * value:.1f}" for value in cells))
    for title, key in (("share of the box in other objects, %", "others"), ("cut by the image edge, %", "cut")):
        table.add_row(title, *(f"{100 * found[key][rows].mean():.1f}" for rows in (voc | ~voc, voc, ~voc)))
    for share in (0, 10, 50, 90, 100):
        cells = [float(np.percentile(found["side"][rows], share)) for rows in (voc | ~voc, voc, ~voc)]
        table.add_row(f"longer side, {share}th percentile, pixels", *(f"{value:.0f}" for value in cells))
    table.add_row("instances", *(str(int(rows.sum())) for rows in (voc | ~voc, voc, ~voc)))
    counts = np.unique(found["category_id"], return_counts=True)[1]
    table.caption = (
        f"{len(content['images'])} images, {len(found['area']) / len(content['images']):.1f} instances an image, "
        f"{len(counts)} classes with {counts.min()} to {counts.max()} instances"
    )
    return table


def main() -> None:
    """Print the table of the annotation file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    console.out.print(_table(json.loads(parser.parse_args().annotations.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
