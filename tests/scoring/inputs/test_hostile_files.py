"""Every kind of broken or hostile prediction file that is known: one line, which names file, row and field.

Nothing of pycocotools or hotcoco may see a mask of such a file: they read and write out of bounds.
"""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hotcoco
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask

from psis_bench.cli import main
from psis_bench.scoring.inputs.records import write_part

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
ROW = {**CAT, "height": 10, "width": 20, "mask": TEXT}
ON_BOX = {"image_id": 1, "annotation_id": 1, "category_id": 1, "height": 10, "width": 20, "mask": TEXT}
SECOND = {**ON_BOX, "annotation_id": 2, "category_id": 2}


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
    "image missing": (without("image_id"), "row 1, image_id: must be a whole number, not None"),
    "image unknown": ({**OTHER, "image_id": 7}, "row 1, image_id: the annotation file has no image 7"),
    "image as text": ({**OTHER, "image_id": "1"}, "row 1, image_id: must be a whole number, not '1'"),
    "image as boolean": ({**OTHER, "image_id": True}, "row 1, image_id: must be a whole number, not True"),
    "image as fraction": ({**OTHER, "image_id": 1.5}, "row 1, image_id: must be a whole number, not 1.5"),
    "image beyond 64 bits": ({**OTHER, "image_id": 2**70}, "row 1, image_id: must be a whole number, not 1180"),
    "image as list": ({**OTHER, "image_id": [1]}, "row 1, image_id: must be a whole number, not [1]"),
    "class missing": (without("category_id"), "row 1, category_id: must be a whole number, not None"),
    "class unknown": ({**OTHER, "category_id": 0}, "row 1, category_id: val.json has no category 0; categories are"),
    "class by name": ({**OTHER, "category_id": "cat"}, "row 1, category_id: must be a whole number, not 'cat'"),
    "score missing": (without("score"), "row 1, score: must be a number, not None"),
    "score as text": ({**OTHER, "score": "0.5"}, "row 1, score: must be a number, not '0.5'"),
    "score as boolean": ({**OTHER, "score": True}, "row 1, score: must be a number, not True"),
    "score is NaN": ({**OTHER, "score": float("nan")}, "row 1, score: must be a finite number, not nan"),
    "score is infinite": ({**OTHER, "score": float("inf")}, "row 1, score: must be a finite number, not inf"),
    "score of 400 digits": ({**OTHER, "score": 10**400}, "row 1, score: must be a number, not 1000"),
    "box missing, no mask": ({**CAT, "score": 0.5, "bbox": None}, "row 1, bbox: must be four numbers"),
    "box of three numbers": ({**OTHER, "bbox": [0, 0, 6]}, "row 1, bbox: must be four numbers"),
    "box nested": ({**OTHER, "bbox": [[0, 0, 6, 10]]}, "row 1, bbox: must be four numbers"),
    "box of texts": ({**OTHER, "bbox": ["0", "0", "6", "10"]}, "row 1, bbox: must be four numbers"),
    "box with NaN": ({**OTHER, "bbox": [0, 0, float("nan"), 10]}, "row 1, bbox: must be four finite numbers"),
    "box infinite": ({**OTHER, "bbox": [0, 0, float("inf"), 10]}, "row 1, bbox: must be four finite numbers"),
    "box of negative width": ({**OTHER, "bbox": [6, 0, -6, 10]}, "row 1, bbox: has a negative width or height"),
    "mask is a polygon": (
        {**OTHER, "segmentation": [[0, 0, 6, 0, 6, 6]]},
        "row 1, segmentation: an RLE is an object with size and counts, not list",
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
        "not readable as JSON (Extra data: line 2, column 1)",
    ),
    "a comma too many": (
        lambda path: path.write_text(f"[{json.dumps(GOOD)}, ]"),
        "not readable as JSON (",
    ),
    "an object": (lambda path: path.write_text(json.dumps({"results": [GOOD]})), "not a COCO results file"),
    "annotations": (lambda path: path.write_text(json.dumps(TRUTH)), "not a COCO results file"),
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
        if manifest is not None:
            (folder / "manifest.json").write_text(json.dumps(manifest))

    return write


D, M = "detections/part-00000.parquet", "gt_box_masks/part-00000.parquet"
# A prediction folder -> what is said of it.
FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a part cut short": (
        parts(0, 1, cut=1),
        "detections/part-00001.parquet: not a whole Parquet file (",
    ),
    "a part missing": (parts(0, 2), "detections/part-00001.parquet: this part of the predictions is missing"),
    "parts missing at the end": (
        parts(0, 1, manifest={"complete": True, "parts": 3}),
        "detections: has 2 parts, of which manifest.json counts 3",
    ),
    "not complete": (parts(0, manifest={"complete": False}), "manifest.json: the predictions are not complete"),
    "a manifest of nothing": (parts(0, manifest={}), "manifest.json: not a manifest of predictions"),
    "no column of scores": (column("score", None), f"{D}: column score: the column is missing"),
    "scores as texts": (column("score", ["0.5", "0.4"]), f"{D}: column score: the column holds string, not double"),
    "images as numbers with a fraction": (column("image_id", [1.0, 1.0]), f"{D}: column image_id: the column holds"),
    "boxes of two numbers": (column("bbox", [[0.0, 1.0]] * 2), f"{D}: column bbox: the column holds"),
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
    "a mask on a box of other pixels": (changed("gt_box_masks", mask="0"), f"{M}: row 1, mask: the run lengths add up"),
    "an annotation without a mask": (
        lambda folder: write_part(folder / "gt_box_masks", 0, [ON_BOX], kind="gt_box_masks") and None,
        "val.json: no predicted mask for annotation 2 of image 1; predict again on this annotation file",
    ),
}

KINDS = [
    *(("row", name, f"results.json: {told}") for name, (_, told) in ROWS.items()),
    *(("file", name, f"results.json: {told}") for name, (_, told) in FILES.items()),
    *(("folder", name, f"found/{told}".replace("found/val.json", "val.json")) for name, (_, told) in FOLDERS.items()),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: annotations and a split."""
    monkeypatch.chdir(tmp_path)
    Path("val.json").write_text(json.dumps(TRUTH))
    Path("pets.yaml").write_text("{name: pets, version: 1, seen: [cat], unseen: [dog], description: Pets.}")
    return tmp_path


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever decodes or evaluates masks outside of this package fails when it is reached."""

    def reached(*_: Any, **__: Any) -> None:
        raise AssertionError("a decoder was reached")

    for name in ("decode", "area", "toBbox", "iou", "merge", "encode"):
        monkeypatch.setattr(coco_mask, name, reached)
    monkeypatch.setattr(hotcoco, "COCOeval", reached)
    monkeypatch.setattr("pycocotools.cocoeval.COCOeval", reached)


@pytest.mark.usefixtures("folder", "no_decoder")
@pytest.mark.parametrize(("form", "name", "told"), KINDS, ids=[f"{form}: {name}" for form, name, _ in KINDS])
def test_each_kind_is_refused_with_one_line(
    capsys: pytest.CaptureFixture[str], form: str, name: str, told: str
) -> None:
    if form == "row":
        Path("results.json").write_text(json.dumps([GOOD, ROWS[name][0], {**OTHER, "score": 0.25}]))
    elif form == "file":
        FILES[name][0](Path("results.json"))
    else:
        FOLDERS[name][0](Path("found"))
    given = "found" if form == "folder" else "results.json"
    assert main(["score", given, "split=pets.yaml", "data=val.json", "out=out"]) == 2
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("psis-bench: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"psis-bench: error: {told}")
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert not Path("out").exists()


def test_there_are_many_kinds() -> None:
    assert len(KINDS) == len({(form, name) for form, name, _ in KINDS}) >= 25


def test_a_part_cut_short_says_how_much_is_whole(tmp_path: Path) -> None:
    from psis_bench.errors import UserError
    from psis_bench.scoring.inputs.records import read_parts

    parts(0, 1, 2, cut=2)(tmp_path)
    with pytest.raises(UserError, match="the parts before it are whole and hold 4 rows"):
        list(read_parts(tmp_path / "detections", kind="detections"))


@pytest.mark.usefixtures("folder")
def test_what_is_not_broken_is_scored() -> None:
    """The file that the kinds are made from has no fault of its own."""
    Path("results.json").write_text(LIST)
    assert main(["score", "results.json", "split=pets.yaml", "data=val.json"]) == 0
    changed("detections")(Path("found"))
    changed("gt_box_masks")(Path("found"))
    assert main(["score", "found", "split=pets.yaml", "data=val.json"]) == 0
