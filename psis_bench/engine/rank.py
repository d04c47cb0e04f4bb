"""One of the processes of a training: ``python -m psis_bench.engine.rank <run directory>``, started by torchrun.

Every process computes on its own part of each batch. Gradients are averaged by PyTorch's DistributedDataParallel; the
mask loss is a mean over the instances of the whole batch (`psis_bench.models.mask_loss`), so that the numbers do not
depend on how many processes there are. Batch normalisation that is not synchronised (``SyncBN``) does depend on it.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from torch import distributed

from psis_bench.distributed import FAILURE, PROCESSES, die_with_parent
from psis_bench.engine.train import train
from psis_bench.errors import UserError
from psis_bench.files import write_json
from psis_bench.run import RunDirectory


def main(arguments: Sequence[str]) -> int:
    """Train as one process of several; return the exit code."""
    die_with_parent(signal.SIGKILL)
    run = local_run(RunDirectory.load(Path(arguments[0])))
    try:
        join(run.config.device)
        if is_main_process():
            write_json(run.state / PROCESSES, {"processes": distributed.get_world_size()})
        train(run)
        distributed.barrier()
    except UserError as error:
        write_json(run.state / FAILURE, {"error": str(error)})
        sys.stderr.write(f"psis-bench: error: {error}\n")
        return 2
    distributed.destroy_process_group()
    return 0


def local_run(run: RunDirectory) -> RunDirectory:
    """Return the run as this process sees it: its own device, and its share of the cores."""
    device, beside = run.config.device, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device in ("auto", "cuda"):
        available = torch.cuda.is_available() or device == "cuda"
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if available else "cpu"
    threads = run.config.threads or max(1, len(os.sched_getaffinity(0)) // beside)
    config = dataclasses.replace(run.config, device=device, threads=threads, out=str(run.path))
    return RunDirectory.of(config)


def join(device: str) -> None:
    """Join the other processes, over NCCL on GPUs and over gloo elsewhere.

    Raises:
        UserError: The device is not there, or is one for all.
    """
    place = torch.device(device)
    if place.type not in ("cuda", "cpu"):
        raise UserError(f"device={device} is for one process", cure="leave gpus= and nodes= out")
    if place.type == "cuda":
        if (place.index or 0) >= torch.cuda.device_count():
            raise UserError(
                f"gpus={os.environ.get('LOCAL_WORLD_SIZE')}, but there are {torch.cuda.device_count()} here",
                cure="lower gpus=, or use device=cpu",
            )
        torch.cuda.set_device(place)
    # Before MMEngine would, which asks for a GPU in any case.
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
