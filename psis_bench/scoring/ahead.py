"""The next part is made ready in another thread while the one before it is worked on.

It pays where one of the two does not hold Python's lock, as hotcoco's evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Part = TypeVar("_Part")


def ahead(parts: Iterable[_Part]) -> Iterator[_Part]:
    """Yield what an iterable yields, in its order, one part ahead of who takes them.

    At most two parts are alive. An error of the iterable is raised where its part would have come.

    Args:
        parts: Each ``next`` of it runs in one other thread.
    """
    source = iter(parts)
    with ThreadPoolExecutor(max_workers=1) as other:
        coming = other.submit(_next_of, source)
        while part := coming.result():
            coming = other.submit(_next_of, source)
            yield part[0]
            del part


def _next_of(source: Iterator[_Part]) -> tuple[_Part] | None:
    for part in source:
        return (part,)
    return None
