"""One job of a sweep in a process of its own: ``python -m psis_bench.sweep.worker <job> --after=N``.

The process claims the job, runs its stages, and notes how it ended. Killed at any moment it leaves a claim without an
end, which the next sweep finds and continues.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from psis_bench.config import load_config
from psis_bench.errors import UserError
from psis_bench.run import Stage
from psis_bench.sweep.attempts import HEARTBEAT_SECONDS, Attempt, claim, last_attempt
from psis_bench.sweep.states import is_done

TAKEN = 75
"""Exit code when somebody else has the job."""
FAILED = 1
STOPPED = 130


def main(argv: Sequence[str]) -> int:
    """Run one job; return 0, or `TAKEN`, `FAILED` or `STOPPED`."""
    options = _parser().parse_args(argv)
    more = {"slot": options.slot} if options.slot else {}
    if os.environ.get("SLURM_JOB_ID"):
        more["slurm"] = slurm_id(os.environ)
        # It announces the end of a SLURM job, and is for the process that started this one (psis_bench.sweep.slurm).
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    attempt = claim(options.job, after=_last_number(options.job, options.after, more.get("slurm")), more=more)
    if attempt is None:
        return TAKEN
    signal.signal(signal.SIGTERM, _stop)
    until = Stage(options.until)
    with Heartbeat(attempt):
        return _run(attempt, options.job, until=until, threads=options.threads)


def slurm_id(environment: Any) -> str:
    """Return the number of a SLURM job as ``squeue`` shows it: ``123_4`` for a task of an array."""
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else str(environment["SLURM_JOB_ID"])


def _last_number(job: Path, after: int, slurm: str | None) -> int:
    """Return the number of the attempt that this one may follow.

    SLURM begins a job again under its own number when it was preempted or its node has died. What that number left is
    dead, whatever its heartbeat says, and is followed too.
    """
    last = last_attempt(job) if slurm else None
    return last.number if last is not None and last.claim.get("slurm") == slurm else after


def run_job(job: Path, *, until: Stage, threads: int) -> None:
    """Run the stages of a job that are not done.

    Args:
        job: The run directory, with its ``config.yaml``.
        until: The last stage.
        threads: CPU threads where the configuration leaves them open; 0: all cores.
    """
    from psis_bench.pipeline import run_stages

    config = load_config(job / "config.yaml")
    config = dataclasses.replace(config, out=str(job), threads=config.threads or threads)
    run_stages(config, list(Stage)[: until.order + 1])


class Heartbeat:
    """Touches a claim while the block runs, and ends the process when another has taken the job over.

    That happens only to a process that stood still for minutes, e.g. while its machine's file system hung.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._over.set()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            try:
                if not self._attempt.beat():
                    os._exit(TAKEN)
            except OSError:
                continue  # a file system that is away for a moment


def _run(attempt: Attempt, job: Path, *, until: Stage, threads: int) -> int:
    from psis_bench.commands.failures import as_user_error

    try:
        if not is_done(job, until):
            run_job(job, until=until, threads=threads)
    except (KeyboardInterrupt, _Stopped):
        attempt.finish("interrupted")
        return STOPPED
    except Exception as error:
        mistake = as_user_error(error)
        told = " ".join(str(error).split()) or "no message"
        message = str(mistake) if isinstance(mistake, UserError) else f"defect: {type(error).__name__}: {told}"
        if mistake is None:
            import traceback

            traceback.print_exc()
        sys.stderr.write(f"psis-bench: {message}\n")
        attempt.finish("failed", message=message)
        return FAILED
    attempt.finish("done")
    return 0


class _Stopped(BaseException):
    """The process was asked to end."""


def _stop(*_: object) -> NoReturn:
    raise _Stopped


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="psis_bench.sweep.worker")
    parser.add_argument("job", type=Path)
    parser.add_argument("--after", type=int, required=True, help="number of the last attempt, 0: none")
    parser.add_argument("--until", default=str(Stage.REPORT), choices=[str(stage) for stage in Stage])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--slot", default="", help="the device that was given to the job, for the claim")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
