"""Where a tensor of this package is in a checkpoint of the official code, and how it is turned.

Kernels of convolutions are (H, W, in, out) there and (out, in, H, W) here; of transposed convolutions (H, W, out, in)
and (in, out, H, W), the same permutation; of dense layers (in, out) and (out, in).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Turn = Callable[[Array], Array]

_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_LAYER = {"weight": "kernel", "bias": "bias"}


def as_it_is(values: Array) -> Array:
    """Return the values."""
    return values


def of_convolution(values: Array) -> Array:
    """Turn a kernel (H, W, in, out) to (out, in, H, W)."""
    return values.transpose(3, 2, 0, 1)


def of_dense(values: Array) -> Array:
    """Turn a kernel (in, out) to (out, in)."""
    return values.transpose(1, 0)


class Source(NamedTuple):
    """Where a tensor comes from: a variable's name, and what turns its values.

    ``turn`` may raise ValueError or IndexError at values of another shape than it expects.
    """

    variable: str
    turn: Turn = as_it_is


Translate = Callable[[str], Source | None]
"""From a tensor's name in a state dict to its source; None where it has none."""


def norm(path: str, leaf: str) -> Source | None:
    """Return the source of a batch norm's tensor, e.g. ``weight``; ``path`` leads to the official layer."""
    return Source(f"{path}/{_NORM[leaf]}") if leaf in _NORM else None


def layer(path: str, leaf: str, *, turn: Turn = of_convolution) -> Source | None:
    """Return the source of a layer's ``weight``, which is turned, or of its ``bias``."""
    if leaf not in _LAYER:
        return None
    return Source(f"{path}/{_LAYER[leaf]}", turn if leaf == "weight" else as_it_is)
