"""Rows of the table that `make parity` prints, and when a row is too far off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

LARGEST = 1e-4


class Row(NamedTuple):
    """A comparison: what, how many values, the largest difference, and that over the largest official value."""

    what: str
    values: int
    difference: float
    relative: float

    @property
    def passes(self) -> bool:
        """Whether the difference is small enough."""
        return self.relative <= LARGEST  # False for NaN


def row(what: str, mine: Any, official: Any) -> Row:
    """Compare two arrays of one shape.

    Raises:
        ValueError: They differ in shape.
    """
    here, there = (
        np.asarray(value.detach() if isinstance(value, torch.Tensor) else value) for value in (mine, official)
    )
    if here.shape != there.shape:
        raise ValueError(f"{what}: {here.shape} here, {there.shape} there")
    here, there = here.astype(np.float64), there.astype(np.float64)
    difference = float(np.abs(here - there).max())
    return Row(what, there.size, difference, difference / float(np.abs(there).max()))


def markdown(rows: list[Row]) -> str:
    """Return the table."""
    lines = ["| compared | values | largest difference | relative |", "| --- | ---: | ---: | ---: |"]
    for found in rows:
        mark = "" if found.passes else " **too large**"
        lines.append(f"| {found.what} | {found.values:,} | {found.difference:.1e} | {found.relative:.1e}{mark} |")
    return "\n".join(lines)


def chw(array: Any) -> np.ndarray[Any, Any]:
    """Turn an array (..., H, W, C) to (..., C, H, W)."""
    return np.moveaxis(np.asarray(array), -1, -3)


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long something took."""
    started = time.monotonic()
    yield
    seconds[name] = time.monotonic() - started
