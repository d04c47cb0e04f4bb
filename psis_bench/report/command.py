"""The command line that makes a run again, from its resolved configuration."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

MACHINE_KEYS: Final = frozenset({"out", "overwrite", "workers", "threads", "gpus", "nodes"})
"""Keys that say where and how fast a run is made, not what it is."""


def command_of(config: Mapping[str, Any]) -> str:
    """Return ``psis-bench run split=... key=value ...``, quoted for a POSIX shell.

    Args:
        config: The resolved configuration of a run; keys that are null, empty or only about the machine are left
            out. ``data.name`` is typed as ``data``; ``mm`` maps paths in MMEngine's configuration to values, with a
        ``+`` before those that were added.
    """
    pairs = [
        ("data" if key == "data.name" else key, value)
        for key, value in _flatten(config)
        if key.split(".")[0] not in MACHINE_KEYS and value is not None
    ]
    return " ".join(["psis-bench run", *(shlex.quote(f"{key}={_typed(value)}") for key, value in pairs)])


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        elif str(key).startswith("+"):
            yield f"+{prefix}{str(key)[1:]}", value
        else:
            yield f"{prefix}{key}", value


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ",".join(_typed(item) for item in value) + "]"
    return str(value)
