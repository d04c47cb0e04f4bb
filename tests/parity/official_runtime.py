"""What the scripts that run the official code share. Its environment knows nothing of this package.

Importing this module prepares TensorFlow: import it first.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The official code uses it for one conversion of colours alone, in a loss whose weight is 0.
_io = types.ModuleType("tensorflow_io")
_io.experimental = types.SimpleNamespace(color=types.SimpleNamespace(rgb_to_lab=lambda image: image))  # type: ignore[attr-defined]
sys.modules["tensorflow_io"] = _io

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

# official network_type -> this package's mask head
DEEP_MAC_HEADS = {
    "resnet4": "resnet4",
    "resnet8": "resnet8",
    "resnet12": "resnet12",
    "resnet16": "resnet16",
    "resnet20": "resnet20",
    "hourglass10": "hourglass10",
    "hourglass20": "hourglass20",
    "hourglass32": "hourglass32",
    "hourglass52": "hourglass52",
    "hourglass100": "hourglass100",
    "hourglass20_no_shortcut": "hourglass20_no_lrs",
    "hourglass20_uniform_size": "hourglass20_no_ed",
}
# official convnet_variant -> mask head, side of its crops, channels after it
DEEP_MARC_HEADS = {
    "default": ("conv4", 14, 256),
    "hourglass20": ("hourglass20", 16, 64),
    "hourglass52": ("hourglass52", 32, 64),
    "hourglass100": ("hourglass100", 32, 64),
}


def disturb(network: Any, generator: np.random.Generator) -> None:
    """Give batch norms statistics, scales and shifts as training would, so that a mistake in any of them shows."""
    for variable in network.variables:
        kind = variable.name.rsplit("/", 1)[-1].split(":")[0]
        shape = tuple(variable.shape)
        if kind in ("gamma", "moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, shape).astype(np.float32))
        elif kind in ("beta", "moving_mean", "bias"):
            variable.assign(generator.normal(0, 0.2, shape).astype(np.float32))


def save(folder: Path, name: str, network: Any, arrays: dict[str, Any]) -> None:
    """Save a model as a checkpoint, and inputs with what it makes of them."""
    tf.train.Checkpoint(model=network).write(str(folder / name))
    keep(folder, name, arrays)
    sys.stderr.write(f"{name}: {len(network.variables)} variables\n")


def keep(folder: Path, name: str, arrays: dict[str, Any]) -> None:
    """Save inputs and what the official code makes of them."""
    np.savez(folder / f"{name}.npz", **{key: np.asarray(value) for key, value in arrays.items()})
