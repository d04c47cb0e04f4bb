"""Small YAML files that people write: reading them and checking their keys and types.

Every fault is a `UserError` that names the file, the key and the cure. Values are data, never code
(``yaml.safe_load``).
"""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError, did_you_mean

_MAX_BYTES = 10_000_000


def read_mapping(path: Path, *, what: str) -> dict[str, Any]:
    """Read a YAML file whose top level is ``key: value`` lines.

    Args:
        path: The file.
        what: What it should be, for messages, e.g. ``"split"``.

    Raises:
        UserError: It is missing, unreadable, not YAML, or not a mapping with text keys.
    """
    # Imported here because `psis-bench --help` reads no YAML.
    import yaml

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"too large for a {what} file", where=str(path), cure="give the small YAML, not the data")
        text = path.read_text(encoding="utf-8")
        value = yaml.safe_load(text)
    except FileNotFoundError:
        raise UserError(f"no such {what} file", where=str(path), cure="check the path") from None
    except OSError as error:
        raise UserError(
            f"cannot read: {error.strerror}", where=str(path), cure=f"give a readable {what} file"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError("not a text file", where=str(path), cure=f"give a {what} YAML in UTF-8") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"not YAML: {_reason(error)}", where=str(path), cure="mend that line") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UserError(f"not a {what} file", where=str(path), cure="write one 'key: value' a line")
    return value


def check_keys(values: Mapping[str, Any], *, where: str, allowed: Collection[str], required: Collection[str]) -> None:
    """Refuse keys that do not exist and ask for those that must.

    Raises:
        UserError: Names the key and the nearest that exist.
    """
    for key in values:
        if key not in allowed:
            raise UserError(f"unknown key {key!r}", where=where, cure=did_you_mean(key, allowed))
    for key in required:
        if values.get(key) is None:
            raise UserError(f"has no {key!r}", where=where, cure=f"add a line '{key}: ...'")


def text_of(values: Mapping[str, Any], key: str, *, where: str, default: str | None = None) -> str:
    """Return the text under ``key``.

    Raises:
        UserError: It is missing without a default, empty, or not text.
    """
    value = values.get(key, default)
    if not isinstance(value, str) or (not value.strip() and default is None):
        raise wrong_type(value, where=f"{where}: {key}", wanted="text", hint="put it in quotes")
    return value


def whole_number_of(values: Mapping[str, Any], key: str, *, where: str, default: int, least: int = 1) -> int:
    """Return the whole number under ``key``, ``least`` or more.

    Raises:
        UserError: It is something else.
    """
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise wrong_type(value, where=f"{where}: {key}", wanted=f"a whole number, {least} or more")
    return value


def wrong_type(value: Any, *, where: str, wanted: str, hint: str | None = None) -> UserError:
    """Return the error for a value of another type than wanted."""
    return UserError(f"{reprlib.repr(value)} is not {wanted}", where=where, cure=hint or f"give {wanted}")


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error) or "nested too deeply"
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else problem
