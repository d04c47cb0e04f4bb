"""Where a run computes, and with how many threads."""

from __future__ import annotations

import os

import torch

from psis_bench.errors import UserError


def use_device(device: str, threads: int) -> torch.device:
    """Choose the device and the number of CPU threads; make every operation deterministic on CPU.

    Args:
        device: ``"auto"`` (CUDA when there is one), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
        threads: CPU threads; 0 takes all cores this process may use.

    Raises:
        UserError: The device does not exist here.
    """
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    place = torch.device(device)
    if place.type == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device is usable here", cure="use device=cpu, or see psis-bench doctor")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise UserError(f"there is no {device}: {torch.cuda.device_count()} CUDA devices, counted from 0")
    if place.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("no Apple GPU is usable here", cure="use device=cpu")
    return place
