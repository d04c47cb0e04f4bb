"""Reading small JSON files of strangers: limited in size and depth, finite, without duplicate keys.

Python's parser takes NaN, numbers of any length, keys that are there twice (of which readers see different ones) and
nesting up to a crash; none of these is in a file that was written in good faith.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from psis_bench.errors import UserError

MAX_BYTES = 4_000_000
MAX_DEPTH = 32

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_CURE = "write it as plain JSON; psis-bench bundle does"


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises:
        UserError: It is missing, not a regular file (a link, a pipe, a device), or larger.
    """
    where = str(path)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UserError("is not a regular file", where=where, cure="put the file itself here, no link")
    try:
        with path.open("rb") as handle:
            content = handle.read(limit + 1)
    except FileNotFoundError:
        raise UserError("no such file", where=where, cure="make the submission with psis-bench bundle") from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read: {error}", where=where, cure="make it readable") from error
    if len(content) > limit:
        raise UserError(f"is larger than {limit:,} bytes", where=where, cure="a file of this name is small")
    return content


def parse_json(content: bytes, *, where: str) -> Any:
    """Return what JSON text holds.

    Args:
        content: The bytes of a file.
        where: What errors call the file.

    Raises:
        UserError: It is not UTF-8 JSON, nested deeper than `MAX_DEPTH`, has NaN, infinity or a number too large for a
            float, a text with half a character, or a key twice in one object.
    """
    try:
        _check_depth(content)
        value = json.loads(content.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
        _check_leaves(value)
    except UnicodeDecodeError:
        raise UserError("is not text in UTF-8", where=where, cure=_CURE) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"is not JSON: {error.msg} ({place})", where=where, cure=_CURE) from None
    except ValueError as error:
        raise UserError(str(error), where=where, cure=_CURE) from None
    return value


def _check_depth(content: bytes) -> None:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(content):
        first = found.group()[:1]
        if first in b"[{":
            depth += 1
        elif first in b"]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")


def _check_leaves(value: Any) -> None:
    """Refuse infinite numbers (``1e999``) and halves of characters; the depth is known to be small."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_leaves(key)
            _check_leaves(item)
    elif isinstance(value, list):
        for item in value:
            _check_leaves(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("has a number that is not finite")
    elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("has a text with half a character")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"has {name}, which is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"has the key {twice[:80]!r} twice")
    return values
