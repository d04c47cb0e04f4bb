"""Whole pictures with what the model found in them, for models that have a detector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from psis_bench.figures import style
from psis_bench.report import thumbnails
from psis_bench.report.pictures import decode_rle

if TYPE_CHECKING:
    from psis_bench.data.coco_format import CocoFile

PICTURES: Final = 6
LEAST_SCORE: Final = 0.5
MOST: Final = 20
LONGEST: Final = 480
"""Longer side of a picture as shown, pixels."""


@dataclass(frozen=True, kw_only=True)
class Detected:
    """One picture with its detections.

    Attributes:
        file_name: Of the picture.
        uri: The drawn picture; empty with ``missing`` as the reason when there is none.
        missing: Why there is no picture.
        found: Name, group and score of each detection drawn, best first.
    """

    file_name: str
    uri: str = ""
    missing: str = ""
    found: list[tuple[str, str, float]]


def build_detected(
    coco: CocoFile, *, classes: Mapping[int, tuple[str, str]], images: Path, detections: Path
) -> list[Detected]:
    """Draw the detections in the pictures that hold the most different unseen classes.

    Args:
        coco: The annotation file that was scored.
        classes: Name and group of each category id.
        images: Folder of the pictures.
        detections: Folder with the Parquet parts of the detections.

    Returns:
        At most `PICTURES` pictures; empty when there are no detections.
    """
    if not any(detections.glob("part-*.parquet")):
        return []
    unseen: dict[int, set[int]] = defaultdict(set)
    for annotation in coco.annotations:
        if classes.get(annotation["category_id"], ("", ""))[1] == "unseen" and not annotation.get("iscrowd"):
            unseen[annotation["image_id"]].add(annotation["category_id"])
    records = sorted(coco.images, key=lambda image: (-len(unseen[image["id"]]), image["id"]))[:PICTURES]
    rows = _read(detections, [record["id"] for record in records])
    return [_draw(record, rows[record["id"]], classes=classes, images=images) for record in records]


def _read(folder: Path, image_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the confident detections of a few images, best first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in image_ids}
    wanted = [("image_id", "in", image_ids), ("score", ">=", LEAST_SCORE)]
    for part in sorted(folder.glob("part-*.parquet")):
        try:
            found = pq.read_table(part, filters=wanted).to_pylist()
        except (pa.ArrowException, OSError):
            # Scoring has read every part; one that has gone since then costs its pictures, not the page.
            continue
        for row in found:
            rows[row["image_id"]].append(row)
    return {image_id: sorted(found, key=lambda row: -row["score"])[:MOST] for image_id, found in rows.items()}


def _draw(
    record: Mapping[str, Any], rows: list[dict[str, Any]], *, classes: Mapping[int, tuple[str, str]], images: Path
) -> Detected:
    found = [(*classes.get(row["category_id"], ("?", "other")), float(row["score"])) for row in rows]
    file_name = str(record["file_name"])
    picture = thumbnails.read_picture(images / file_name)
    if picture is None:
        return Detected(file_name=file_name, missing="picture missing", found=found)
    drawn = thumbnails.shrunk(picture, longest=LONGEST)
    drawn = thumbnails.in_grey(drawn)
    # The best detection is drawn last, on top of the others.
    for row, (_, group, _) in reversed(list(zip(rows, found, strict=True))):
        colour = style.rgb(style.group_style(group).colour)
        drawn = thumbnails.draw_box(drawn, row["bbox"], colour, scale=drawn.shape[1] / picture.shape[1])
        if row["mask"] is None:
            continue
        try:
            mask = decode_rle({"size": [row["height"], row["width"]], "counts": row["mask"]})
        except ValueError:
            continue
        small = thumbnails.resize_mask(mask, height=drawn.shape[0], width=drawn.shape[1])
        drawn = thumbnails.draw_fill(drawn, small, colour, strength=0.45)
    return Detected(file_name=file_name, uri=thumbnails.data_uri(np.ascontiguousarray(drawn), quality=75), found=found)
