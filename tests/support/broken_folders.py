"""Every kind of broken or hostile prediction folder that is known, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from broken_results import CAT, TEXT

from psis_bench.scoring.inputs.records import write_part

ROW = {**CAT, "height": 10, "width": 20, "mask": TEXT}
ON_BOX = {"image_id": 1, "annotation_id": 1, "category_id": 1, "height": 10, "width": 20, "mask": TEXT}
SECOND = {**ON_BOX, "annotation_id": 2, "category_id": 2}


def changed(kind: str, **changes: Any) -> Callable[[Path], None]:
    rows = {"detections": [ROW, {**ROW, "score": 0.5}], "gt_box_masks": [ON_BOX, SECOND]}[kind]

    def write(folder: Path) -> None:
        write_part(folder / kind, 0, [rows[0], {**rows[1], **changes}], kind=kind)

    return write


def column(name: str, values: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        path = write_part(folder / "detections", 0, [ROW, {**ROW, "score": 0.5}], kind="detections")
        table = pq.read_table(path)
        place = table.column_names.index(name)
        table = table.remove_column(place) if values is None else table.set_column(place, name, pa.array(values))
        pq.write_table(table, path)

    return write


def parts(*kept: int, cut: int | None = None, manifest: dict[str, Any] | None = None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for index in kept:
            row = {**ROW, "score": 0.1 + index / 10}
            path = write_part(folder / "detections", index, [row, {**row, "score": 0.01 * index}], kind="detections")
            if index == cut:
                path.write_bytes(path.read_bytes()[:-9])
        (folder / "detections").mkdir(parents=True, exist_ok=True)
        if manifest is not None:
            (folder / "manifest.json").write_text(json.dumps(manifest))

    return write


def renamed(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        parts(0)(folder)
        (folder / D).rename(folder / "detections" / name)

    return write


def jittered(*strengths: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name in ("gt_box_masks", *(f"jittered_boxes_{strength}" for strength in strengths)):
            write_part(folder / name, 0, [ON_BOX, SECOND], kind="gt_box_masks")

    return write


D, M = "detections/part-00000.parquet", "gt_box_masks/part-00000.parquet"
# A prediction folder -> what is said of it.
FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a part cut short": (
        parts(0, 1, cut=1),
        "detections/part-00001.parquet: not a whole Parquet file (",
    ),
    "the first part cut short": (parts(0, 1, cut=0), f"{D}: not a whole Parquet file ("),
    "no part": (parts(), "detections: has no part-00000.parquet in it; write the predictions again"),
    "a part by another name": (
        renamed("predictions.parquet"),
        "detections: has no part-00000.parquet in it; rename predictions.parquet: parts are called part-00000.parquet",
    ),
    "no part of masks on boxes": (
        lambda folder: (folder / "gt_box_masks").mkdir(parents=True),
        "gt_box_masks: has no part-00000.parquet in it; write the predictions again",
    ),
    "a part missing": (parts(0, 2), "detections/part-00001.parquet: this part of the predictions is missing"),
    "parts missing at the end": (
        parts(0, 1, manifest={"complete": True, "parts": 3}),
        "detections: has 2 parts, of which manifest.json counts 3",
    ),
    "not complete": (parts(0, manifest={"complete": False}), "manifest.json: the predictions are not complete"),
    "a manifest of nothing": (parts(0, manifest={}), "manifest.json: not a manifest of predictions"),
    "no column of scores": (column("score", None), f"{D}: column score: the column is missing"),
    "scores as texts": (
        column("score", ["0.5", "0.4"]),
        f"{D}: column score: the column holds string, not double; write",
    ),
    "an image beyond 63 bits": (
        column("image_id", pa.array([1, 2**63], pa.uint64())),
        f"{D}: row 1, image_id: is no int64 (9223372036854775808)",
    ),
    "images as numbers with a fraction": (column("image_id", [1.0, 1.0]), f"{D}: column image_id: the column holds"),
    "boxes of two numbers": (
        column("bbox", [[0.0, 0.0, 6.0, 10.0], [0.0, 1.0]]),
        f"{D}: row 1, bbox: must be four numbers x, y, width, height",
    ),
    "boxes of texts": (column("bbox", [["0", "0", "6", "10"]] * 2), f"{D}: column bbox: the column holds"),
    "masks as bytes": (column("mask", [b"0l1", b"0l1"]), f"{D}: column mask: the column holds binary, not string"),
    "a score is null": (column("score", pa.array([0.5, None])), f"{D}: row 1, score: the value is missing"),
    "an unknown image": (changed("detections", image_id=7), f"{D}: row 1, image_id: val.json has no image 7"),
    "an unknown class": (changed("detections", category_id=7), f"{D}: row 1, category_id: val.json has no category 7"),
    "another height": (changed("detections", height=11), f"{D}: row 1, height: is 11, but val.json has 10 for this"),
    "a score of NaN": (changed("detections", score=np.nan), f"{D}: row 1, score: must be a finite number, not nan"),
    "a mask of other pixels": (changed("detections", mask="0l1"), f"{D}: row 1, mask: the run lengths add up to 60"),
    "a detection twice": (changed("detections", score=0.9), f"{D}: row 1: repeats found/{D}: row 0"),
    "an unknown annotation": (
        changed("gt_box_masks", annotation_id=9),
        f"{M}: row 1, annotation_id: val.json has no annotation 9",
    ),
    "an annotation twice": (
        changed("gt_box_masks", annotation_id=1, category_id=1),
        f"{M}: row 1, annotation_id: the prediction for annotation 1 is there twice",
    ),
    "an annotation of another class": (
        changed("gt_box_masks", category_id=1),
        f"{M}: row 1, category_id: is 1, but annotation 2 of val.json has 2",
    ),
    "boxes moved by no number": (
        jittered("nan"),
        "jittered_boxes_nan: 'nan' is not a strength above 0 and at most 0.5;",
    ),
    "boxes moved backwards": (jittered("-1"), "jittered_boxes_-1: '-1' is not a strength above 0"),
    "boxes moved without end": (jittered("inf"), "jittered_boxes_inf: 'inf' is not a strength above 0"),
    "boxes moved by a word": (jittered("much"), "jittered_boxes_much: 'much' is not a strength"),
    "a strength written twice": (
        jittered("0.1", "0.10"),
        "jittered_boxes_0.10: the strength is written 0.1; name the folder jittered_boxes_0.1",
    ),
    "a mask on a box of other pixels": (changed("gt_box_masks", mask="0"), f"{M}: row 1, mask: the run lengths add up"),
    "an annotation without a mask": (
        lambda folder: write_part(folder / "gt_box_masks", 0, [ON_BOX], kind="gt_box_masks") and None,
        "val.json: no predicted mask for annotation 2 of image 1; predict again on this annotation file",
    ),
}
