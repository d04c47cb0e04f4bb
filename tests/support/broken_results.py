"""Every kind of broken or hostile results file that is known, and what is said of it."""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pycocotools import mask as coco_mask

CAT = {"image_id": 1, "category_id": 1, "score": 0.9, "bbox": [0, 0, 6, 10]}
RLE = {"size": [10, 20], "counts": [0, 60, 140]}
GOOD = {**CAT, "segmentation": RLE}
OTHER = {**GOOD, "score": 0.5}
TRUTH = {
    "images": [{"id": 1, "file_name": "1.jpg", "height": 10, "width": 20}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 6, 10], "segmentation": RLE},
        {
            "id": 2,
            "image_id": 1,
            "category_id": 2,
            "bbox": [14, 0, 6, 10],
            "segmentation": {**RLE, "counts": [140, 60]},
        },
    ],
}
TEXT = coco_mask.frPyObjects(RLE, 10, 20)["counts"].decode()


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in OTHER.items() if name != field}


def counts(value: Any) -> dict[str, Any]:
    return {**OTHER, "segmentation": {"size": [10, 20], "counts": value}}


def size(value: Any) -> dict[str, Any]:
    return {**OTHER, "segmentation": {"size": value, "counts": [0, 60, 140]}}


# The second row of a results file that is otherwise whole -> what is said of it.
ROWS: dict[str, tuple[Any, str]] = {
    "row is null": (None, "row 1: a result must be an object"),
    "row is a number": (3, "row 1: a result must be an object"),
    "row is a list": ([OTHER], "row 1: a result must be an object"),
    "image missing": (without("image_id"), "row 1, image_id: is missing; a detection has image_id, category_id"),
    "image unknown": ({**OTHER, "image_id": 7}, "row 1, image_id: val.json has no image 7; score on the annotation"),
    "image as text": ({**OTHER, "image_id": "1"}, "row 1, image_id: must be a whole number, not '1'"),
    "image as boolean": ({**OTHER, "image_id": True}, "row 1, image_id: must be a whole number, not True"),
    "image as fraction": ({**OTHER, "image_id": 1.5}, "row 1, image_id: must be a whole number, not 1.5"),
    "image beyond 64 bits": ({**OTHER, "image_id": 2**70}, "row 1, image_id: must be a whole number, not 1.18"),
    "image as list": ({**OTHER, "image_id": [1]}, "row 1, image_id: must be a whole number, not [1]"),
    "class missing": (without("category_id"), "row 1, category_id: is missing; a detection has"),
    "class unknown": ({**OTHER, "category_id": 0}, "row 1, category_id: val.json has no category 0; categories are"),
    "class by name": ({**OTHER, "category_id": "cat"}, "row 1, category_id: must be a whole number, not 'cat'"),
    "score missing": (without("score"), "row 1, score: is missing; a detection has image_id, category_id, score"),
    "score null": ({**OTHER, "score": None}, "row 1, score: is missing"),
    "score as text": ({**OTHER, "score": "0.5"}, "row 1, score: must be a number, not '0.5'"),
    "score as boolean": ({**OTHER, "score": True}, "row 1, score: must be a number, not True"),
    "score is NaN": ({**OTHER, "score": float("nan")}, "row 1, score: must be a finite number, not nan"),
    "score is infinite": ({**OTHER, "score": float("inf")}, "row 1, score: must be a finite number, not inf"),
    "score of 400 digits": ({**OTHER, "score": 10**400}, "row 1, score: must be a number, not 1000"),
    "class of 5,000 characters": ({**OTHER, "category_id": "x" * 5000}, "row 1, category_id: must be a whole number"),
    "box missing, no mask": ({**CAT, "score": 0.5, "bbox": None}, "row 1: has neither bbox nor segmentation; give"),
    "box as text, no mask": ({**CAT, "score": 0.5, "bbox": "0000"}, "row 1, bbox: must be four numbers"),
    "box of three numbers": ({**OTHER, "bbox": [0, 0, 6]}, "row 1, bbox: must be four numbers"),
    "box nested": ({**OTHER, "bbox": [[0, 0, 6, 10]]}, "row 1, bbox: must be four numbers"),
    "box of texts": ({**OTHER, "bbox": ["0", "0", "6", "10"]}, "row 1, bbox: must be four numbers"),
    "box with NaN": ({**OTHER, "bbox": [0, 0, float("nan"), 10]}, "row 1, bbox: must be four finite numbers"),
    "box infinite": ({**OTHER, "bbox": [0, 0, float("inf"), 10]}, "row 1, bbox: must be four finite numbers"),
    "box of negative width": ({**OTHER, "bbox": [6, 0, -6, 10]}, "row 1, bbox: has a negative width or height"),
    "mask is a polygon": (
        {**OTHER, "segmentation": [[0, 0, 6, 0, 6, 6]]},
        "row 1, segmentation: an RLE is an object with size and counts, not list; "
        "encode polygons with psis_bench.rle.segmentation_to_rle(",
    ),
    "mask is a text": ({**OTHER, "segmentation": TEXT}, "row 1, segmentation: an RLE is an object"),
    "mask without counts": (
        {**OTHER, "segmentation": {"size": [10, 20]}},
        "row 1, segmentation: counts must be a list of whole numbers or text, not NoneType",
    ),
    "mask without size": (
        {**OTHER, "segmentation": {"counts": TEXT}},
        "row 1, segmentation: size must be two positive whole numbers",
    ),
    "size on its side": (size([20, 10]), "row 1, segmentation: size [20, 10] is not the image's [10, 20]"),
    "size of fractions": (size([10.0, 20.0]), "row 1, segmentation: size must be two positive whole numbers"),
    "size of three": (size([10, 20, 1]), "row 1, segmentation: size must be two positive whole numbers"),
    "size enormous": (size([2**31, 2**31]), "row 1, segmentation: size [2147483648, 2147483648] is not the image's"),
    "size negative": (size([-10, -20]), "row 1, segmentation: size must be two positive whole numbers"),
    "runs too short": (counts([0, 60, 139]), "row 1, segmentation: the run lengths add up to 199, not to 200"),
    "runs too long": (counts([0, 60, 141]), "row 1, segmentation: the run lengths add up to 201, not to 200"),
    "a run is negative": (counts([0, 260, -60]), "row 1, segmentation: run length 1 is negative or larger"),
    "a run of 2**32 + 60": (counts([0, 2**32 + 60, 140]), "row 1, segmentation: run length 1 is negative or larger"),
    "a run is a text of 5,000": (
        counts([0, "x" * 5000, 140]),
        "row 1, segmentation: run length 1 is not a whole number",
    ),
    "a run is a fraction": (counts([0, 60.0, 140]), "row 1, segmentation: run length 1 is not a whole number (60.0)"),
    "no runs": (counts([]), "row 1, segmentation: the run lengths are empty"),
    "empty text of runs": (counts(""), "row 1, segmentation: the run lengths are empty"),
    "text of runs cut short": (counts("0o"), "row 1, segmentation: the run lengths stop in the middle of a number"),
    "text of runs too short": (counts("0l1"), "row 1, segmentation: the run lengths add up to 60, not to 200"),
    "text of runs in base64": (counts("MGwx="), "row 1, segmentation: "),
    "text of runs not ASCII": (counts("0lñ4"), "row 1, segmentation: the run lengths have characters that are not"),
    "text of a run without end": (counts("0" + "o" * 5000 + "0"), "row 1, segmentation: run length 1 is larger than"),
    "the same twice": (GOOD, "row 1: repeats results.json: row 0: the same image, class, score, box and mask"),
}

LIST = json.dumps([GOOD, OTHER, {**OTHER, "score": 0.25}])


def zip_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("results.json", LIST)


CUT = f"is cut short after {len(LIST) - 30} characters: "
# The whole file -> what is said of it.
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_text(""), "is empty"),
    "white space": (lambda path: path.write_text(" \n"), "is empty"),
    "a folder": (lambda path: path.mkdir(), "no predictions here"),
    "cut short": (lambda path: path.write_text(LIST[:-30]), CUT + "the first 2 rows are whole"),
    "cut short between rows": (
        lambda path: path.write_text(LIST[: len(json.dumps([GOOD]))]),
        f"is cut short after {len(json.dumps([GOOD]))} characters: the first row is whole",
    ),
    "cut short in the first row": (lambda path: path.write_text(LIST[:20]), "is cut short after 20 characters: no row"),
    "JSON lines": (
        lambda path: path.write_text("\n".join(map(json.dumps, [GOOD, OTHER]))),
        "looks like JSON Lines, one object after the other, and one list is needed; write all detections as one list",
    ),
    "two lists": (
        lambda path: path.write_text(LIST + LIST),
        f"not readable as JSON (Extra data: line 1, column {len(LIST) + 1}, after 3 whole rows)",
    ),
    "a comma too many": (
        lambda path: path.write_text(f"[{json.dumps(GOOD)}, ]"),
        "not readable as JSON (",
    ),
    "an object": (
        lambda path: path.write_text(json.dumps({"results": [GOOD]})),
        "not a COCO results file: a list of detections is needed; write the list under 'results' alone",
    ),
    "results in the form of annotations": (
        lambda path: path.write_text(json.dumps({**TRUTH, "annotations": [GOOD]})),
        "not a COCO results file: a list of detections is needed; write the list under 'annotations' alone",
    ),
    "annotations": (
        lambda path: path.write_text(json.dumps(TRUTH)),
        "not a COCO results file but an annotation file; give the detections here",
    ),
    "annotations without images": (
        lambda path: path.write_text(json.dumps({"annotations": TRUTH["annotations"]})),
        "not a COCO results file: a list of detections is needed; write the list under 'annotations' alone",
    ),
    "one detection": (lambda path: path.write_text(json.dumps(GOOD)), "not a COCO results file but a single detection"),
    "a number": (
        lambda path: path.write_text("3"),
        "not a COCO results file: a list of detections is needed; write the",
    ),
    "other images": (
        lambda path: path.write_text(json.dumps([{**row, "image_id": 2} for row in (GOOD, OTHER)] + [GOOD])),
        "row 0, image_id: val.json has no image 2 (2 of 3 rows are of images that it does not have); score on the",
    ),
    "deeply nested": (lambda path: path.write_text("[" * 200_000 + "]" * 200_000), "not readable as JSON ("),
    "a number of 5,000 digits": (lambda path: path.write_text(f"[{'1' * 5000}]"), "not readable as JSON ("),
    "Latin-1": (lambda path: path.write_bytes('[{"é": 1}]'.encode("latin-1")), "is not text, so not JSON"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(LIST.encode())), "is gzip-compressed; unpack it"),
    "a zip archive": (zip_file, "is a zip archive"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps([GOOD])), "is a Python pickle, which is never opened"),
    "a web page": (lambda path: path.write_text("<!DOCTYPE html><html>"), "is a web page or XML, not JSON"),
    "Git LFS": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "is a Git LFS pointer"),
    "a Parquet file": (lambda path: pq.write_table(pa.table({"a": [1]}), path), "is a Parquet file; give the"),
}
