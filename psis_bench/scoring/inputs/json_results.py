"""The text of a COCO results file: a JSON list of detections, or one line that says what it is instead.

A file that a crash cut short says how many of its detections are whole, so that its writer can be continued.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psis_bench.data.json_file import parse_json
from psis_bench.errors import UserError
from psis_bench.garbage_collection import without_garbage_collection

_AGAIN = "write the file again"
_OTHER_FORMATS = (
    (b"\x1f\x8b", "is gzip-compressed", "unpack it with gunzip"),
    (b"PK\x03\x04", "is a zip archive (or a torch checkpoint)", "unpack it with unzip, or give the results file"),
    (b"\x80", "is a Python pickle, which is never opened", "write the results as JSON"),
    (b"PAR1", "is a Parquet file", "give the prediction folder that it lies in, with detections/ or gt_box_masks/"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "fetch it with git lfs pull"),
    (b"<", "is a web page or XML, not JSON", "download the file itself"),
)


def load_results(path: Path) -> list[Any]:
    """Return the rows of a results file; what each holds is not looked at.

    Args:
        path: The file: a JSON list.

    Raises:
        UserError: It is missing, unreadable, empty, cut short, in another format, or no list.
    """
    where = str(path)
    content = _read(path)
    for start, what, cure in _OTHER_FORMATS:
        if content.lstrip()[: len(start)] == start:
            raise UserError(what, where=where, cure=cure)
    try:
        with without_garbage_collection():
            results = parse_json(content)
    except json.JSONDecodeError as error:
        raise _syntax_error(error, where) from error
    except UnicodeDecodeError as error:
        raise UserError("is not text, so not JSON", where=where, cure=_AGAIN) from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or thousands of brackets.
        raise UserError(f"not readable as JSON ({error})", where=where, cure=_AGAIN) from error
    if not isinstance(results, list):
        raise no_list_error(results, where)
    return results


def no_list_error(content: Any, where: str) -> UserError:
    """Return the error of what was given as results and is no list: what it is instead, and where the list may lie.

    Args:
        content: Parsed JSON.
        where: What the error calls it.
    """
    found = content if isinstance(content, Mapping) else {}
    lists = [key for key, value in found.items() if isinstance(value, list)]
    rows = found.get("annotations")
    scored = isinstance(rows, list) and any(isinstance(row, Mapping) and "score" in row for row in rows[:1])
    if not scored and {"images", "annotations"} <= {*lists}:
        what = "not a COCO results file but an annotation file"
        return UserError(what, where=where, cure="give the detections here, and this file as the annotations")
    if {"image_id", "category_id"} <= {*found}:
        return UserError("not a COCO results file but a single detection", where=where, cure="put it into a list")
    what, cure = "not a COCO results file: a list of detections is needed", "write the detections as one JSON list"
    if lists:
        cure = f"write the list under {('annotations' if scored else lists[0])!r} alone"
    return UserError(what, where=where, cure=cure)


def whole_rows(text: str) -> int:
    """Return how many rows stand whole at the beginning of a JSON list.

    Example:
        >>> whole_rows('[{"a": 1}, {"a": 2}, {"a"')
        2
    """
    decoder = json.JSONDecoder()
    place = _end_of_gap(text, text.index("[") + 1)
    rows = 0
    while place < len(text):
        try:
            _, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        rows += 1
        place = _end_of_gap(text, place)
    return rows


def _end_of_gap(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n,":
        place += 1
    return place


def _read(path: Path) -> bytes:
    where = str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("no such file", where=where) from error
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", where=where, cure="make it readable") from error
    if not content.strip():
        raise UserError("is empty", where=where, cure=_AGAIN)
    return content


def _syntax_error(error: json.JSONDecodeError, where: str) -> UserError:
    text = error.doc.strip()
    if text.startswith("[") and not text.endswith("]"):
        rows = whole_rows(text)
        last = {0: "no row is whole", 1: "the first row is whole"}.get(rows, f"the first {rows} rows are whole")
        return UserError(f"is cut short after {len(error.doc)} characters: {last}", where=where, cure=_AGAIN)
    if text.startswith("{") and error.msg == "Extra data" and error.doc[error.pos : error.pos + 1] == "{":
        what = "looks like JSON Lines, one object after the other, and one list is needed"
        return UserError(what, where=where, cure="write all detections as one list, as json.dump(rows, file) does")
    place = f"line {error.lineno}, column {error.colno}"
    after = f", after {whole_rows(text)} whole rows" if text.startswith("[") else ""
    return UserError(f"not readable as JSON ({error.msg}: {place}{after})", where=where, cure=_AGAIN)
