"""Checkpoints that cannot be half written, hold nothing but plain values, and are read as such.

Two kinds: ``checkpoints/iter_N.pth`` holds everything a stopped run needs to go on (read with
``weights_only=True``, so that no code in it can run); ``checkpoints/final.safetensors`` holds the weights of a
finished run and is what prediction reads.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from psis_bench.errors import UserError
from psis_bench.files import atomic_path, write_json


class ResumableCheckpoint(Hook):
    """Save everything that training needs to go on, every ``interval`` iterations and at the end.

    Args:
        folder: Where to write; ``last.json`` there names the newest whole checkpoint.
        interval: Iterations between checkpoints.
    """

    # After every other hook has finished its part of the iteration.
    priority = "VERY_LOW"

    def __init__(self, *, folder: Path, interval: int) -> None:
        self.folder = folder
        self.interval = interval

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, object]) -> None:
        """Leave out MMEngine's logging buffers: the log is a file, and they are not plain values."""
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Save when it is time."""
        iteration = runner.iter + 1
        if iteration % self.interval and iteration != runner.max_iters:
            return
        name = f"iter_{iteration}.pth"
        with atomic_path(self.folder / name) as temporary:
            runner.save_checkpoint(str(temporary.parent), temporary.name, by_epoch=False)
        write_json(self.folder / "last.json", {"iteration": iteration, "file": name})
        for old in self.folder.glob("iter_*.pth"):
            if old.name != name:
                old.unlink(missing_ok=True)


class LastCheckpoint(NamedTuple):
    """The newest resumable checkpoint and the number of iterations it has behind it."""

    path: Path
    iteration: int


def last_checkpoint(folder: Path) -> LastCheckpoint | None:
    """Return the newest resumable checkpoint, or None when there is none.

    Raises:
        UserError: The checkpoint is damaged or holds more than plain values.
    """
    record = folder / "last.json"
    if not record.is_file():
        return None
    last = json.loads(record.read_text())
    path = folder / str(last["file"])
    cure = f"delete {folder} to train from the start"
    if not path.is_file():
        raise UserError("the checkpoint named by last.json is missing", where=str(path), cure=cure)
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise UserError("the checkpoint is damaged or holds more than weights", where=str(path), cure=cure) from error
    return LastCheckpoint(path, int(last["iteration"]))


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write weights to a safetensors file, atomically."""
    with atomic_path(path) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read weights from a safetensors file, or from a ``.pth`` file that holds plain tensors.

    Raises:
        UserError: The file is missing, damaged, or holds something other than weights.
    """
    if not path.is_file():
        raise UserError("no such checkpoint", where=str(path), cure="train first, or give another checkpoint=")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(f"not a readable checkpoint ({type(error).__name__})", where=str(path)) from error
    weights = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError("the file holds no weights", where=str(path))
    return weights


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """Return a hash of names, shapes, types and bytes of weights, independent of the file they came from."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return digest.hexdigest()
