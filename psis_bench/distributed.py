"""One training over several processes: ``gpus=8 nodes=2``.

torchrun starts a process for each GPU, on this machine or, inside a SLURM job, on every node of the job; each of them
runs `psis_bench.engine.rank`. Only training is shared out: predicting, scoring and reporting follow in one process.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from psis_bench.errors import UserError
from psis_bench.run import RunDirectory

LOG = "distributed.log"
FAILURE = "distributed-failure.json"
PROCESSES = "distributed.json"
"""Files in ``.state`` of a run directory: what torchrun says, the mistake that ended a process, how many there were."""


def is_distributed(run: RunDirectory) -> bool:
    """Whether a run's training is shared out among processes."""
    return run.config.gpus * run.config.nodes > 1


def train_distributed(run: RunDirectory) -> None:
    """Train a run with several processes; each goes on from the last checkpoint.

    Raises:
        UserError: A mistake that a process has told of, or nodes without a SLURM job that has them.
        RuntimeError: A process ended in another way; names the log.
    """
    command = launch_command(run, os.environ)
    failure, log = run.state / FAILURE, run.state / LOG
    failure.unlink(missing_ok=True)
    environment = dict(os.environ)
    if run.config.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""  # MMEngine takes a GPU where it sees one
    with log.open("ab") as handle:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=handle, env=environment)
        try:
            code = child.wait()
        except BaseException:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(30)
            child.kill()
            raise
    if code == 0:
        return
    told = _read_failure(failure)
    if told is not None:
        raise UserError(told)
    raise RuntimeError(f"a process of the training ended with an error (torchrun: {code}); see above and {log}")


def launch_command(run: RunDirectory, environment: Mapping[str, str]) -> list[str]:
    """Return the command that starts the processes of a training.

    Args:
        run: The run directory.
        environment: Variables, in which a SLURM job tells of itself.

    Raises:
        UserError: Several nodes are wanted, but this is no SLURM job, or one of fewer nodes.
    """
    config = run.config
    agent = [sys.executable, "-m", "psis_bench.distributed", f"--nproc-per-node={config.gpus}"]
    rank = ["-m", "psis_bench.engine.rank", str(run.path.resolve())]
    if config.nodes == 1:
        return [*agent, "--standalone", *rank]
    job, there = environment.get("SLURM_JOB_ID"), int(environment.get("SLURM_JOB_NUM_NODES", "1"))
    if job is None or there < config.nodes:
        have = f"the SLURM job has {there}" if job else "this is no SLURM job"
        raise UserError(
            f"nodes={config.nodes}, but {have}",
            cure="use psis-bench sweep ... launcher=slurm, or start the command in a job of that many nodes",
        )
    port = 20_000 + int(job) % 20_000
    meeting = [
        f"--nnodes={config.nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={socket.gethostname()}:{port}",
        f"--rdzv-id={job}",
    ]
    # One agent a node, beside the step in which this command runs.
    step = [f"--nodes={config.nodes}", f"--ntasks={config.nodes}", "--ntasks-per-node=1", "--overlap"]
    return ["srun", *step, *agent, *meeting, *rank]


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask Linux for a signal when the parent of this process dies, also by ``kill -9``; elsewhere do nothing."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, int(number))  # PR_SET_PDEATHSIG


def _read_failure(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    # torchrun, but one that does not outlive the command that it was started by.
    die_with_parent()
    runpy.run_module("torch.distributed.run", run_name="__main__", alter_sys=True)
