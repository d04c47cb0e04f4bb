"""Checkpoints that cannot be half written, hold nothing but plain values, and are read as such.

Two kinds: ``checkpoints/iter_N.pth`` holds everything a stopped run needs to go on (read with
``weights_only=True``, so that no code in it can run); ``checkpoints/final.safetensors`` holds the weights of a
finished run and is what prediction reads.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from psis_bench.errors import UserError
from psis_bench.files import atomic_path, write_json

LOWER_THE_RATE = "lower the learning rate (mm.optim_wrapper.optimizer.lr=...) with overwrite=train"
# What a damaged file, or one with code in it, can raise while it is read without running anything.
_UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError)


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

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Save when it is time.

        Raises:
            UserError: A weight is NaN or infinite, which the losses show only an iteration later.
        """
        iteration = runner.iter + 1
        if (iteration % self.interval and iteration != runner.max_iters) or not is_main_process():
            return
        name = f"iter_{iteration}.pth"
        state = resumable_state(runner)
        for weight, value in state["state_dict"].items():
            if not bool(torch.isfinite(value).all()):
                raise UserError(f"{weight} is not finite after iteration {iteration}", cure=LOWER_THE_RATE)
        with atomic_path(self.folder / name) as temporary:
            try:
                torch.save(state, temporary)
            except RuntimeError as error:  # all that torch tells of a full disk: "unexpected pos 64 vs 0"
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        write_json(self.folder / "last.json", {"iteration": iteration, "file": name})
        for old in self.folder.glob("iter_*.pth"):
            if old.name != name:
                old.unlink(missing_ok=True)


def resumable_state(runner: Runner) -> dict[str, Any]:
    """Return what `mmengine.runner.Runner.resume` reads: model, optimizer, schedulers and place in training.

    MMEngine's own ``save_checkpoint`` adds its logging buffers, which are not plain values (the log is a file here),
    and goes through a file client that warns of its own deprecation.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    state = {
        "meta": {
            "epoch": runner.epoch,
            "iter": runner.iter + 1,
            "seed": runner.seed,
            "dataset_meta": runner.train_dataloader.dataset.metainfo,
        },
        "state_dict": model.state_dict(),
        "optimizer": runner.optim_wrapper.state_dict(),
        "param_schedulers": [scheduler.state_dict() for scheduler in runner.param_schedulers],
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }
    # Hooks that keep weights of their own (averages) put them in here.
    runner.call_hook("before_save_checkpoint", checkpoint=state)
    return state


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
    cure = f"delete {folder} to train from the start"
    try:
        last = json.loads(record.read_text(encoding="utf-8"))
        path, iteration = folder / str(last["file"]), int(last["iteration"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError("the record of the last checkpoint is damaged", where=str(record), cure=cure) from error
    if not path.is_file():
        raise UserError("the checkpoint named by last.json is missing", where=str(path), cure=cure)
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise UserError("the checkpoint is damaged or holds more than weights", where=str(path), cure=cure) from error
    return LastCheckpoint(path, iteration)


class Weights(NamedTuple):
    """The tensors of a network by name, and the class names of its labels in order (None: not on record)."""

    tensors: dict[str, Tensor]
    classes: tuple[str, ...] | None


def save_weights(path: Path, weights: dict[str, Tensor], *, classes: Sequence[str]) -> None:
    """Write weights to a safetensors file, atomically.

    Args:
        path: The file.
        weights: Tensors by name.
        classes: Class names in the order of the network's labels: ids and order differ between annotation files.
    """
    # One entry only: the library writes several in random order, and equal weights shall make equal files.
    record = {"classes": json.dumps(list(classes))}
    with atomic_path(path) as temporary:
        try:
            save_file({name: value.contiguous() for name, value in weights.items()}, temporary, metadata=record)
        except SafetensorError as error:
            # Its only cause when writing plain tensors: the disk. The library says so in its text alone.
            code = errno.ENOSPC if "No space left" in str(error) else errno.EIO
            raise OSError(code, str(error)) from error


def load_weights(path: Path) -> Weights:
    """Read weights from a safetensors file, or from a ``.pth`` file that holds plain values.

    Raises:
        UserError: The file is missing, damaged, or holds something other than weights.
    """
    if not path.is_file():
        raise UserError("no such checkpoint", where=str(path), cure="train first, or give another checkpoint")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                names = (file.metadata() or {}).get("classes")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return Weights(tensors, None if names is None else tuple(json.loads(names)))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, *_UNREADABLE) as error:
        raise UserError(f"not a readable checkpoint ({type(error).__name__})", where=str(path)) from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError("the file holds no weights", where=str(path))
    return Weights(state, None)


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """Return a hash of names, shapes, types and bytes of weights, independent of the file they came from."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return digest.hexdigest()
