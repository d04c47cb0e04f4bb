"""Jobs on this machine: as many at once as it has GPUs, or cores.

Each job is a process with a session of its own, so that Ctrl-C reaches the sweep alone, which then asks its jobs to
stop. Killed with ``kill -9``, the sweep leaves its jobs running; the next sweep counts them as running, leaves the
devices that their claims name to them, and waits for them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from psis_bench import console
from psis_bench.config import config_to_yaml
from psis_bench.errors import UserError
from psis_bench.files import write_error, write_text
from psis_bench.run import Stage
from psis_bench.sweep.attempts import clock_of, machine
from psis_bench.sweep.plan import Job
from psis_bench.sweep.states import JobStatus, State, counts, read_states

WORKER = (sys.executable, "-m", "psis_bench.sweep.worker")
LOG = Path(".state/log.txt")
"""What a job printed, in its directory."""
_STOP_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place for one job at a time: its name, and the variables that tie a process to it."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)


def find_slots(*, parallel: int | None, gpus: Sequence[str], gpus_each: int = 1, threads: int = 0) -> list[Slot]:
    """Return the places for jobs on this machine.

    Args:
        parallel: How many are wanted; None: one for each GPU, or without GPUs one for each core.
        gpus: Names of the GPUs, as in ``CUDA_VISIBLE_DEVICES``.
        gpus_each: GPUs that a job takes; without GPUs its processes.
        threads: CPU threads that a job asks for; 0: it leaves them open.

    Raises:
        UserError: A job asks for more GPUs than there are.
    """
    if not gpus:
        cores = len(os.sched_getaffinity(0))
        count = parallel or max(1, cores // (max(1, threads) * gpus_each))
        return [Slot(name=f"cpu {number}") for number in range(count)]
    groups = [list(gpus[begin : begin + gpus_each]) for begin in range(0, len(gpus) - gpus_each + 1, gpus_each)]
    if not groups:
        raise UserError(f"gpus={gpus_each}, but this machine has {len(gpus)}", cure="lower gpus=, or launcher=slurm")
    count = parallel or len(groups)
    return [
        Slot(name=f"gpu {' '.join(group)}" + (f" ({number})" if number >= len(groups) else ""),
             environment={"CUDA_VISIBLE_DEVICES": ",".join(group)})
        for number in range(count)
        for group in [groups[number % len(groups)]]
    ]  # fmt: skip


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, without importing torch."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name and name != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [str(number) for number, _ in enumerate(line for line in listed.stdout.splitlines() if line.strip())]


def prepare(job: Job) -> None:
    """Write a job's configuration into its directory, unless it is there."""
    path = job.folder / "config.yaml"
    if not path.exists():
        write_text(path, config_to_yaml(job.config))


def worker_command(status: JobStatus, *, until: Stage, threads: int = 0, slot: str = "") -> list[str]:
    """Return the command that runs a job, as long as nobody has begun it since its state was read."""
    command = [*WORKER, str(status.job.folder), f"--after={status.attempts}", f"--until={until}"]
    return command + ([f"--threads={threads}"] if threads else []) + ([f"--slot={slot}"] if slot else [])


class LocalPool:
    """Runs what is missing or failed of a sweep on this machine.

    Args:
        jobs: All jobs of the sweep.
        folder: The folder of the sweep.
        until: The stage with which a job is done.
        slots: Places for jobs.
        threads: CPU threads of a job that leaves them open.
        retries: How often a job that fails here is begun again.
        pause: Seconds between two looks at the jobs.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        folder: Path,
        until: Stage,
        slots: Sequence[Slot],
        threads: int,
        retries: int = 0,
        pause: float = 0.5,
    ) -> None:
        self.jobs = jobs
        self.folder = folder
        self.until = until
        self.slots = slots
        self.threads = threads
        self.retries = retries
        self.pause = pause
        self._children: dict[str, tuple[subprocess.Popen[bytes], Slot]] = {}
        self._tries: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._statuses: dict[str, JobStatus] = {}

    def run(self) -> list[JobStatus]:
        """Run the jobs; return their states when none is left to start and none runs.

        Raises:
            KeyboardInterrupt: The sweep was asked to stop (Ctrl-C, SIGTERM, SIGHUP); its jobs have stopped.
        """
        self._look(self.jobs)
        self._seen = {identity: status.attempts for identity, status in self._statuses.items()}
        done = counts(self._statuses.values())[State.DONE]
        try:
            with _stoppable(), console.progress("sweep", total=len(self.jobs), done=done) as bar:
                while not self._step(bar):
                    time.sleep(self.pause)
        finally:
            self._stop_children()
        self._look(self.jobs)
        return [self._statuses[job.id] for job in self.jobs]

    def _step(self, bar: console.Bar) -> bool:
        """Look at the jobs and start what can be started; return whether all is over."""
        self._reap()
        before = counts(self._statuses.values())
        self._look([status.job for status in self._statuses.values() if status.state is not State.DONE])
        waiting = [status for status in self._statuses.values() if self._may_start(status)]
        for slot in self._free_slots():
            if not waiting:
                break
            self._start(waiting.pop(0), slot)
        now = counts(self._statuses.values())
        running = max(now[State.RUNNING], len(self._children))
        bar.advance(now[State.DONE] - before[State.DONE], note=f"{running} running, {now[State.FAILED]} failed")
        return not waiting and not self._children and not now[State.RUNNING]

    def _look(self, jobs: Sequence[Job]) -> None:
        for status in read_states(jobs, until=self.until, now=clock_of(self.folder)):
            self._statuses[status.job.id] = status

    def _may_start(self, status: JobStatus) -> bool:
        """Whether a job is for this sweep to start now.

        What another sweep has begun since this one did is its own, unless it was killed there.
        """
        identity = status.job.id
        tries = self._tries.get(identity, 0)
        if not status.to_start or identity in self._children or tries > self.retries:
            return False
        return tries > 0 or status.is_interrupted or status.attempts == self._seen[identity]

    def _free_slots(self) -> Iterator[Slot]:
        taken = {slot.name for _, slot in self._children.values()}
        for status in self._statuses.values():
            claim = status.claim or {}
            if status.state is State.RUNNING and claim.get("machine") == machine():
                taken.add(str(claim.get("slot")))
        return (slot for slot in self.slots if slot.name not in taken)

    def _start(self, status: JobStatus, slot: Slot) -> None:
        prepare(status.job)
        log = status.job.folder / LOG
        environment = {**os.environ, **slot.environment, "PYTHONUNBUFFERED": "1"}
        environment.setdefault("OMP_NUM_THREADS", str(self.threads))
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as handle:
                child = subprocess.Popen(
                    worker_command(status, until=self.until, threads=self.threads, slot=slot.name),
                    stdin=subprocess.DEVNULL,
                    stdout=handle,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise write_error(log, error) from error
        self._children[status.job.id] = (child, slot)

    def _reap(self) -> None:
        from psis_bench.sweep.worker import TAKEN

        for identity, (child, _) in list(self._children.items()):
            code = child.poll()
            if code is None:
                continue
            del self._children[identity]
            _end_group(child)
            if code != TAKEN:
                self._tries[identity] = self._tries.get(identity, 0) + 1

    def _stop_children(self) -> None:
        for child, _ in self._children.values():
            child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child, _ in self._children.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            _end_group(child)
        self._children.clear()


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End what a job started and left behind: loading processes of a killed job live on for some seconds."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let the signals that end a session stop the sweep as Ctrl-C does."""

    def stop(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
