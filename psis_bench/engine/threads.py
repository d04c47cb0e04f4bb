"""Work on CPU in threads of one core each, for pieces that are too small to gain from several cores apiece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], *, device: torch.device) -> Iterator[Result]:
    """Yield what a function returns for each item, in their order; on a GPU one after another.

    Each item is computed with one thread of torch, as many at once as torch has, so that results do not depend on
    that number.

    Args:
        work: It must not change what other items read. Modes such as ``torch.inference_mode`` are those of a thread,
            and have to be entered in it.
        items: The items.
        device: Where the function computes.

    Raises:
        Exception: The first that the function raises; items that are not begun are left.
    """
    if device.type != "cpu":
        yield from map(work, items)
        return
    cores = torch.get_num_threads()

    def alone(item: Item) -> Result:
        torch.set_num_threads(1)
        return work(item)

    try:
        with ThreadPoolExecutor(cores) as pool:
            yield from pool.map(alone, items)
    finally:
        torch.set_num_threads(cores)
