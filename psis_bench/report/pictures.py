"""The rows of example masks: good, median and bad ones of unseen classes, and of seen classes to compare."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from psis_bench.figures import style
from psis_bench.report import thumbnails
from psis_bench.report.selection import LEAST_SIDE, Examples, choose_examples
from psis_bench.rle import counts_of, segmentation_to_rle

if TYPE_CHECKING:
    import pandas as pd

    from psis_bench.data.coco_format import CocoFile

NAMES: Final = {90: "good", 50: "median", 10: "bad"}
UNSEEN_A_ROW: Final = 6
SEEN_A_ROW: Final = 3
BUDGET: Final = 1_700_000
"""Most characters that all pictures together may take on the page."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One instance as shown; without ``uri`` a placeholder with ``missing`` as its text stands in its place."""

    name: str
    annotation_id: int
    iou: float
    ellipse_iou: float
    full_box_iou: float
    file_name: str
    uri: str = ""
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The tiles near one percentile; ``iou`` is the IoU at the percentile itself."""

    title: str
    percentile: int
    iou: float
    tiles: list[Tile]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The rows of one group of classes; no rows and a ``note`` when there is nothing to show."""

    group: str
    rows: list[Row] = field(default_factory=list)
    candidates: int = 0
    instances: int = 0
    note: str = ""


def build_galleries(
    per_instance: pd.DataFrame, *, coco: CocoFile, images: Path, predictions: Path
) -> tuple[list[Gallery], list[str]]:
    """Draw the pictures of the unseen and the seen classes.

    Args:
        per_instance: Columns ``annotation_id``, ``category_id``, ``name``, ``group``, ``iou``, ``full_box_iou``,
            ``ellipse_iou``.
        coco: The annotation file that was scored.
        images: Folder of its pictures.
        predictions: Folder with the Parquet parts of the masks on ground-truth boxes.

    Returns:
        The galleries of the unseen and of the seen classes, and notes on what does not fit together.
    """
    annotations = {annotation["id"]: annotation for annotation in coco.annotations}
    known = per_instance[per_instance["annotation_id"].isin(list(annotations))]
    notes = []
    if len(known) < len(per_instance):
        notes.append(
            f"{len(per_instance) - len(known)} scored instance(s) are not in {coco.path.name}: "
            "the run was scored with another annotation file"
        )
    sides = [math.sqrt(max(box[2] * box[3], 0)) for box in (annotations[i]["bbox"] for i in known["annotation_id"])]
    known = known.assign(side=np.asarray(sides, dtype=float))
    picked = {
        "unseen": _choose(known, "unseen", UNSEEN_A_ROW),
        "seen": _choose(known, "seen", SEEN_A_ROW),
    }
    ids = {i for examples in picked.values() for row in examples for i in row.annotation_ids}
    artist = _Artist(coco=coco, annotations=annotations, images=images, masks=read_masks(predictions, ids))
    facts = known.set_index("annotation_id")
    for quality in (88, 75, 60, 45):
        galleries = [
            _gallery(
                group,
                rows,
                facts,
                artist,
                quality=quality,
                instances=int(((known["group"] == group) & known["iou"].notna()).sum()),
            )
            for group, rows in picked.items()
        ]
        size = sum(len(tile.uri) for gallery in galleries for row in gallery.rows for tile in row.tiles)
        if size <= BUDGET:
            break
    return galleries, notes


def _choose(known: pd.DataFrame, group: str, count: int) -> list[Examples]:
    return choose_examples(known[known["group"] == group], percentiles=tuple(NAMES), count=count)


def _gallery(
    group: str, examples: list[Examples], facts: pd.DataFrame, artist: _Artist, *, quality: int, instances: int
) -> Gallery:
    if not instances:
        return Gallery(group=group, note=f"No instance of {group} classes was scored on its ground-truth box.")
    if not examples:
        return Gallery(
            group=group,
            instances=instances,
            note=f"All {instances} instances of {group} classes have boxes smaller in area than {LEAST_SIDE} "
            "pixels square: too small to be judged by eye.",
        )
    rows = [
        Row(
            title=NAMES[int(example.percentile)],
            percentile=int(example.percentile),
            iou=example.iou,
            tiles=[artist.tile(i, facts.loc[i], quality=quality) for i in example.annotation_ids],
        )
        for example in examples
    ]
    return Gallery(group=group, rows=rows, candidates=examples[0].candidates, instances=instances)


def read_masks(predictions: Path, ids: set[int]) -> dict[int, dict[str, Any]]:
    """Return the predicted RLE of the wanted annotations; only their rows are held in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: dict[int, dict[str, Any]] = {}
    for part in sorted(predictions.glob("part-*.parquet")):
        try:
            table = pq.read_table(
                part,
                columns=["annotation_id", "height", "width", "mask"],
                filters=[("annotation_id", "in", sorted(ids))],
            )
        except (pa.ArrowException, OSError):
            # Scoring has read every part; one that has gone since then costs its pictures, not the page.
            continue
        for row in table.to_pylist():
            found[row["annotation_id"]] = {"size": [row["height"], row["width"]], "counts": row["mask"]}
    return found


def decode_rle(rle: dict[str, Any]) -> thumbnails.Mask:
    """Return the mask of a checked RLE, uint8 (height, width), 0 or 1.

    Raises:
        ValueError: The RLE is malformed.
    """
    height, width = rle["size"]
    runs = counts_of(rle)
    flat = np.repeat(np.arange(len(runs), dtype=np.uint8) % 2, runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


class _Artist:
    """Draws tiles; keeps each picture that was drawn, since only the quality of the JPEG changes between passes."""

    def __init__(
        self, *, coco: CocoFile, annotations: dict[int, dict[str, Any]], images: Path, masks: dict[int, dict[str, Any]]
    ) -> None:
        self._annotations = annotations
        self._records = {image["id"]: image for image in coco.images}
        self._images = images
        self._masks = masks
        self._drawn: dict[int, thumbnails.Picture | str] = {}

    def tile(self, annotation_id: int, facts: pd.Series, *, quality: int) -> Tile:
        """Return the tile of an annotation.

        Args:
            annotation_id: Which one.
            facts: ``name``, ``group`` and the three IoUs.
            quality: Of the JPEG, 1 to 100.
        """
        if annotation_id not in self._drawn:
            self._drawn[annotation_id] = self._draw(annotation_id, str(facts["group"]))
        drawn = self._drawn[annotation_id]
        return Tile(
            name=str(facts["name"]),
            annotation_id=annotation_id,
            iou=float(facts["iou"]),
            ellipse_iou=float(facts["ellipse_iou"]),
            full_box_iou=float(facts["full_box_iou"]),
            file_name=self._file_name(annotation_id),
            uri="" if isinstance(drawn, str) else thumbnails.data_uri(drawn, quality=quality),
            missing=drawn if isinstance(drawn, str) else "",
        )

    def _file_name(self, annotation_id: int) -> str:
        return str(self._records[self._annotations[annotation_id]["image_id"]]["file_name"])

    def _draw(self, annotation_id: int, group: str) -> thumbnails.Picture | str:
        """Return the tile's pixels, or the reason why there are none."""
        annotation = self._annotations[annotation_id]
        record = self._records[annotation["image_id"]]
        height, width = int(record["height"]), int(record["width"])
        picture = thumbnails.read_picture(self._images / str(record["file_name"]))
        if picture is None:
            return "picture missing"
        if picture.shape[:2] != (height, width):
            return f"picture is {picture.shape[1]} by {picture.shape[0]}, not {width} by {height}"
        if annotation_id not in self._masks:
            return "no predicted mask"
        try:
            truth = decode_rle(segmentation_to_rle(annotation["segmentation"], height, width))
            prediction = decode_rle(self._masks[annotation_id])
        except ValueError as error:
            return f"mask unreadable: {error}"
        colour = style.rgb(style.group_style(group).colour)
        return thumbnails.draw_tile(
            picture, box=tuple(annotation["bbox"]), truth=truth, prediction=prediction, colour=colour
        )
