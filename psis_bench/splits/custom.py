"""A user's own split as a small YAML file, for any COCO-format data set. See docs/add_a_split.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.splits.protocol import SplitProtocol
from psis_bench.splits.registry import is_reserved
from psis_bench.yaml_file import check_keys, read_mapping, text_of, whole_number_of, wrong_type

KEYS = ("name", "version", "seen", "unseen", "description", "max_detections")


def read_split(path: str | Path) -> SplitProtocol:
    """Read a split from a YAML file with the keys of `KEYS`; ``name``, ``seen`` and ``unseen`` are required.

    Raises:
        UserError: The file, a key or a value is wrong; says which and how to mend it.
    """
    path = Path(path)
    where = str(path)
    values = read_mapping(path, what="split")
    check_keys(values, where=where, allowed=KEYS, required=("name", "seen", "unseen"))
    name = text_of(values, "name", where=where)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UserError(f"{name!r} is not a name", where=f"{where}: name", cure="use letters, digits, _ . and - only")
    if is_reserved(name):
        raise UserError(
            f"{name!r} is a split of the package",
            where=f"{where}: name",
            cure="choose another name, so that results differ",
        )
    rest = values["unseen"] == "rest"
    try:
        return SplitProtocol(
            name=name,
            version=whole_number_of(values, "version", where=where, default=1),
            seen=_names(values["seen"], where=f"{where}: seen", rest=""),
            unseen=() if rest else _names(values["unseen"], where=f"{where}: unseen", rest=", or the word rest"),
            description=text_of(values, "description", where=where, default=""),
            max_detections=whole_number_of(values, "max_detections", where=where, default=100),
            unseen_is_rest=rest,
        )
    except UserError as error:
        if error.where and error.where.startswith(where):
            raise
        raise UserError(error.what, where=where, cure=error.cure) from error


def _names(value: Any, *, where: str, rest: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise wrong_type(value, where=where, wanted=f"a list of class names{rest}")
    for place, name in enumerate(value):
        if not isinstance(name, str):
            # YAML reads yes, no, on, off and numbers as something else than text.
            raise wrong_type(name, where=f"{where}[{place}]", wanted="a class name", hint="put the name in quotes")
    return tuple(value)
