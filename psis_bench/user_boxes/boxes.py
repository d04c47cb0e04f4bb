"""Boxes as people give them: typed on the command line, or in a CSV or JSON file.

All boxes are x, y, width, height in pixels of the upright image, the origin at its top left corner. Every fault is a
`UserError` that names the file and the place in it.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from psis_bench.data.json_file import load_json
from psis_bench.errors import UserError, did_you_mean

XYWH = tuple[float, float, float, float]

_MAX_BYTES = 500_000_000
_MAX_LABEL = 100
_INLINE = re.compile(r"[\s\d.,;eE+-]+")
_FOUR = "four numbers x, y, width, height"
_CSV_COLUMNS = ("image", "x", "y", "w", "h", "label")
_CSV_NEEDED = ("x", "y", "w", "h")
_RECORD_KEYS = ("image", "file_name", "bbox", "label")


@dataclass(frozen=True, kw_only=True)
class GivenBox:
    """One box as it was given.

    Attributes:
        image: The image's file name as the boxes name it; None: the only image there is.
        xywh: x, y, width, height in pixels of the upright image; width and height are positive.
        label: What is in the box, if it was said.
        where: The place it was read from, for errors.
    """

    image: str | None
    xywh: XYWH
    label: str | None
    where: str


def read_boxes(given: str) -> list[GivenBox]:
    """Read boxes from the command line's text, or from the file that it names.

    Args:
        given: ``"x,y,w,h;x,y,w,h"``, or the path of a ``.csv`` or ``.json`` file: see docs/user_boxes.md.

    Raises:
        UserError: There is no such file, it is broken, or a box in it is none.
    """
    path = Path(given).expanduser()
    if path.suffix.lower() not in (".csv", ".json"):
        if not _INLINE.fullmatch(given):
            raise UserError(
                f"boxes={given!r} is neither a .csv or .json file nor numbers",
                cure="give a file, or boxes='x,y,w,h;x,y,w,h'",
            )
        return list(_inline(given))
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        raise UserError("no such file of boxes", where=str(path), cure="check the path") from None
    if size > _MAX_BYTES:
        raise UserError(f"is too large ({size} bytes)", where=str(path), cure="give the boxes of fewer images")
    boxes = list(_from_csv(path) if path.suffix.lower() == ".csv" else _from_json(path))
    if not boxes:
        raise UserError("holds no boxes", where=str(path), cure="put at least one box there")
    return boxes


def checked_box(values: Any, *, where: str) -> XYWH:
    """Return x, y, width, height as finite numbers with a positive width and height.

    Raises:
        UserError: They are not.
    """
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 4:
        raise UserError(f"a box is {_FOUR}, not {_brief(values)}", where=where, cure=f"give {_FOUR}")
    numbers = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"{_brief(value)} is not a number", where=where, cure=f"give {_FOUR}")
        number = float(value) if abs(value) < 1e9 else math.inf
        if not math.isfinite(number):
            raise UserError(f"{_brief(value)} is no place in an image", where=where, cure="give pixels of the image")
        numbers.append(number)
    x, y, width, height = numbers
    if width <= 0 or height <= 0:
        raise UserError(
            f"the box has width {width:g} and height {height:g}",
            where=where,
            cure="boxes are x, y, width, height; both sizes are positive",
        )
    return x, y, width, height


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _inline(text: str) -> Iterator[GivenBox]:
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if not parts:
        raise UserError("boxes= holds no box", cure="write boxes='x,y,w,h;x,y,w,h'")
    for number, part in enumerate(parts, start=1):
        where = f"boxes=: box {number}"
        yield GivenBox(image=None, xywh=_parsed(part.split(","), where=where), label=None, where=where)


def _parsed(texts: Sequence[str], *, where: str) -> XYWH:
    values: list[Any] = []
    for text in texts:
        try:
            values.append(float(text))
        except ValueError:
            values.append(text)
    return checked_box(values, where=where)


def _from_csv(path: Path) -> Iterator[GivenBox]:
    try:
        # What spreadsheets write before the text of a file is no part of the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, skipinitialspace=True, restkey="beyond", strict=True)
            names = [name.strip().lower() for name in lines.fieldnames or ()]
            _check_columns(names, path)
            lines.fieldnames = names
            for line in lines:
                where = f"{path}: line {lines.line_num}"
                if "beyond" in line or None in line.values():
                    raise UserError(f"has not the {len(names)} columns of line 1", where=where, cure="mend that line")
                xywh = _parsed([line[name] for name in _CSV_NEEDED], where=where)
                image = line.get("image", "").strip() or None
                yield GivenBox(image=image, xywh=xywh, label=_label(line.get("label") or None, where), where=where)
    except UnicodeDecodeError:
        raise UserError("is not text, so not CSV", where=str(path), cure="save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise UserError(f"is not CSV: {error}", where=str(path), cure="mend that line") from None
    except OSError as error:
        raise UserError(f"cannot read: {error.strerror}", where=str(path), cure="make it readable") from None


def _check_columns(names: Sequence[str], path: Path) -> None:
    where = f"{path}: line 1"
    header = "start the file with the line image,x,y,w,h (image and label may be left out)"
    for name in names:
        if name not in _CSV_COLUMNS:
            near = did_you_mean(name, _CSV_COLUMNS) if not _INLINE.fullmatch(name) else header
            raise UserError(f"unknown column {name!r}", where=where, cure=near)
    missing = [name for name in _CSV_NEEDED if name not in names]
    if missing or len(set(names)) != len(names):
        fault = f"there is no column {missing[0]!r}" if missing else "a column is there twice"
        raise UserError(fault, where=where, cure=header)


def _from_json(path: Path) -> Iterator[GivenBox]:
    try:
        content = load_json(path)[0]
    except UserError as error:
        # The reader speaks of annotations; these are boxes.
        raise UserError(error.what, where=str(path), cure="give a JSON file of boxes: docs/user_boxes.md") from error
    where = str(path)
    if isinstance(content, Mapping) and "annotations" in content:
        yield from _from_coco(content, where=where)
    elif isinstance(content, Mapping):
        for name, boxes in content.items():
            if not isinstance(boxes, list):
                _not_understood(f"{where}: {_brief(name)}", boxes)
            for index, box in enumerate(boxes):
                yield _from_entry(box, image=name, where=f"{where}: {name}[{index}]")
    elif isinstance(content, list):
        for index, box in enumerate(content):
            yield _from_entry(box, image=None, where=f"{where}: [{index}]")
    else:
        _not_understood(where, content)


def _not_understood(where: str, value: Any) -> NoReturn:
    cure = 'write {"photo.jpg": [[x, y, w, h], ...]}, or a list of boxes for one image'
    raise UserError(f"{_brief(value)} is no list of boxes", where=where, cure=cure)


def _from_entry(entry: Any, *, image: str | None, where: str) -> GivenBox:
    """Return the box of ``[x, y, w, h]``, or of an object with ``bbox`` and perhaps ``image`` and ``label``."""
    if not isinstance(entry, Mapping):
        return GivenBox(image=image, xywh=checked_box(entry, where=where), label=None, where=where)
    if "image_id" in entry:
        raise UserError(
            "image_id does not tell the file",
            where=where,
            cure='give the whole COCO file with "images", or "image": "photo.jpg" in each entry',
        )
    for key in entry:
        if key not in _RECORD_KEYS:
            raise UserError(f"unknown key {_brief(key)}", where=where, cure=did_you_mean(str(key), _RECORD_KEYS))
    if "bbox" not in entry:
        raise UserError("has no 'bbox'", where=where, cure='write "bbox": [x, y, w, h]')
    name = entry.get("image", entry.get("file_name", image))
    if name is not None and not isinstance(name, str):
        raise UserError(f"{_brief(name)} is no file name", where=where, cure='write "image": "photo.jpg"')
    xywh = checked_box(entry["bbox"], where=f"{where}.bbox")
    return GivenBox(image=name, xywh=xywh, label=_label(entry.get("label"), where), where=where)


def _from_coco(content: Mapping[str, Any], *, where: str) -> Iterator[GivenBox]:
    """Return the boxes of a COCO annotation file; crowds are no objects and are left out."""
    names = _by_id(content.get("images"), "file_name", where=f"{where}: images")
    labels = _by_id(content.get("categories", []), "name", where=f"{where}: categories")
    annotations = content["annotations"]
    if not isinstance(annotations, list):
        raise UserError("annotations is no list", where=where, cure="give a COCO annotation file")
    for index, annotation in enumerate(annotations):
        place = f"{where}: annotations[{index}]"
        if not isinstance(annotation, Mapping):
            raise UserError(f"{_brief(annotation)} is no annotation", where=place, cure="give a COCO annotation file")
        if annotation.get("iscrowd") == 1:
            continue
        image = annotation.get("image_id")
        if not isinstance(image, int | str) or image not in names:
            raise UserError(f"there is no image of id {_brief(image)}", where=place, cure="mend image_id, or images")
        category = annotation.get("category_id")
        label = labels.get(category) if isinstance(category, int | str) else None
        yield GivenBox(
            image=names[image],
            xywh=checked_box(annotation.get("bbox"), where=f"{place}.bbox"),
            label=_label(label, place),
            where=place,
        )


def _by_id(records: Any, key: str, *, where: str) -> dict[int | str, str]:
    if not isinstance(records, list):
        raise UserError("is no list", where=where, cure="give a COCO annotation file")
    found: dict[int | str, str] = {}
    for index, record in enumerate(records):
        number, text = (record.get("id"), record.get(key)) if isinstance(record, Mapping) else (None, None)
        if not isinstance(number, int | str) or not isinstance(text, str):
            raise UserError(f"has no id or no {key}", where=f"{where}[{index}]", cure="give a COCO annotation file")
        found[number] = text
    return found


def _label(label: Any, where: str) -> str | None:
    if label is None:
        return None
    if not isinstance(label, str) or len(label) > _MAX_LABEL:
        raise UserError(
            f"the label {_brief(label)} is no short text", where=where, cure=f"at most {_MAX_LABEL} characters"
        )
    return label.strip() or None
