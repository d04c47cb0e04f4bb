"""What MMEngine's configuration is told to change: ``mm.<path>=value``, and ``+mm.<path>=value`` to add."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from psis_bench.errors import UserError


def path_of_key(key: str) -> str:
    """Return the path that a typed key stands for, with the plus of one that is added.

    Raises:
        UserError: A part of the path is empty.
    """
    plus = "+" if key.startswith("+") else ""
    path = key.removeprefix("+").removeprefix("mm.")
    if not path or "" in path.split("."):
        raise UserError(f"{key!r} is not a path", cure="write it as mm.optim_wrapper.optimizer.lr=0.01")
    return plus + path


def key_of_path(path: str) -> str:
    """Return the key as it is typed."""
    return f"+mm.{path[1:]}" if path.startswith("+") else f"mm.{path}"


def merge_overrides(base: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Add overrides to those there are; the same path with and without a plus is one override."""
    paths = {path.removeprefix("+") for path in new}
    return {path: value for path, value in base.items() if path.removeprefix("+") not in paths} | dict(new)


def parse_value(key: str, text: str) -> Any:
    """Parse a value as YAML with OmegaConf's rules (``1e-3`` is a number, ``[1, 2]`` a list).

    Raises:
        UserError: It cannot be read, or is not a number.
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"v={text}"]))
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, AttributeError):
        raise UserError(
            f"{key}: cannot read the value {text!r}", cure=f"put quotes around it: {key}='\"...\"'"
        ) from None
    value = parsed["v"] if isinstance(parsed, dict) else parsed
    if isinstance(value, float) and math.isnan(value):
        raise UserError(f"{key}: not a number", cure="give a number")
    return value
