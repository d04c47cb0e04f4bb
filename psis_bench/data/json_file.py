"""Reading a large JSON file that somebody else wrote: quickly, and with one line for each way it can be broken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import orjson

from psis_bench.errors import UserError
from psis_bench.garbage_collection import without_garbage_collection

_OTHER_FORMATS = (
    (b"\x1f\x8b", "is gzip-compressed", "unpack it with gunzip"),
    (b"PK\x03\x04", "is a zip archive", "unpack it with unzip"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "fetch it with git lfs pull"),
    (b"<", "is a web page or XML, not JSON", "download the file itself"),
)


def load_json(path: Path) -> tuple[Any, str]:
    """Return the content of a JSON file and the SHA-256 of its bytes.

    Raises:
        UserError: It is missing, unreadable, empty, truncated, in another format, or nested too deeply.
    """
    where = str(path)
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    for start, what, cure in _OTHER_FORMATS:
        if content.lstrip()[: len(start)] == start:
            raise UserError(what, where=where, cure=cure)
    try:
        with without_garbage_collection():
            return parse_json(content), digest
    except json.JSONDecodeError as error:
        raise _syntax_error(error, where) from None
    except UnicodeDecodeError:
        raise UserError("is not text, so not JSON", where=where, cure="give the annotations in UTF-8 JSON") from None
    except RecursionError:
        raise UserError(
            "is nested too deeply for COCO format", where=where, cure="give a COCO annotation file"
        ) from None
    except MemoryError:
        raise UserError("does not fit into memory", where=where, cure="free memory, or give a smaller file") from None
    except ValueError as error:
        # A number of thousands of digits, which Python refuses to read.
        raise UserError(f"has a number that cannot be read: {error}", where=where, cure="mend that number") from None


def parse_json(content: bytes) -> Any:
    """Parse JSON as ``json.loads`` does, in about two thirds of the time.

    Raises:
        ValueError: As ``json.loads``, which has the last word: it reads NaN and encodings that orjson does not, and
            tells where a fault is.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return json.loads(content)


def _read(path: Path) -> bytes:
    where = str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError("no such annotation file", where=where, cure="check the path or data.root") from None
    except IsADirectoryError:
        raise UserError("is a folder", where=where, cure="give the annotation file inside it") from None
    except OSError as error:
        raise UserError(f"cannot read: {error.strerror or error}", where=where, cure="make it readable") from None
    except ValueError as error:
        raise UserError(f"is not a path: {error}", where=where, cure="check the path") from None
    except MemoryError:
        raise UserError("does not fit into memory", where=where, cure="free memory, or give a smaller file") from None
    if not content.strip():
        raise UserError("is empty", where=where, cure="copy or download it again")
    return content


def _syntax_error(error: json.JSONDecodeError, where: str) -> UserError:
    text = error.doc.rstrip()
    if text[:1] in ("{", "[") and (error.pos >= len(text) or text[-1] not in "}]"):
        return UserError(
            f"is truncated: stops after {len(text)} characters", where=where, cure="copy or download it again"
        )
    place = f"line {error.lineno}, column {error.colno}"
    return UserError(
        f"is not JSON: {error.msg} ({place})", where=where, cure="give a COCO annotation file, or mend that line"
    )
