"""How hostile submissions are listed, and what many of them have in common."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from small_world import World

SCRIPT = "<script>alert(1)</script>"
Make = Callable[[World], Path]


class Hostile(NamedTuple):
    """How a submission is made, and what its refusal says."""

    make: Make
    told: str


HOSTILE: dict[str, Hostile] = {}
OPENED: set[str] = set()
"""Names of those that are only found out when their predictions are opened."""


def hostile(told: str) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        HOSTILE[make.__name__] = Hostile(make, told)
        return make

    return register


def case(name: str, told: str, make: Callable[[World], object]) -> None:
    """Register a change of the folder of the submission."""

    def changed(world: World) -> Path:
        make(world)
        return world.submission

    HOSTILE[name] = Hostile(changed, told)


class RunsWhenLoaded:
    """Unpickling this writes a file where the process stands."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


PICKLE = pickle.dumps(RunsWhenLoaded())


def extra(name: str, content: bytes) -> Callable[[World], object]:
    def make(world: World) -> None:
        path = world.submission / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    return make


def rewritten(name: str, change: Callable[[str], str | bytes]) -> Callable[[World], object]:
    def make(world: World) -> None:
        path = world.submission / name
        content = change(path.read_text())
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))

    return make
