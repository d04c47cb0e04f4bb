"""The state of each job of a sweep, read from its files alone."""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from psis_bench.run import RESULTS, Stage
from psis_bench.sweep.attempts import Attempt, last_attempt
from psis_bench.sweep.plan import Job

INTERRUPTED = "interrupted"
_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, process


class State(StrEnum):
    """What a job is."""

    MISSING = "missing"
    QUEUED = "queued"
    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """A job and its state.

    Attributes:
        job: The job.
        state: Its state.
        detail: Of a failed job, why (``interrupted``: it was stopped or killed); of a running one, where.
        attempts: How often it was begun.
        seconds: How long its last attempt took, or has taken so far; None: there was none, or it is not on record.
        claim: What the last attempt's claim tells.
    """

    job: Job
    state: State
    detail: str = ""
    attempts: int = 0
    seconds: float | None = None
    claim: Mapping[str, Any] | None = None

    @property
    def to_start(self) -> bool:
        """Whether the job is for a sweep to start."""
        return self.state in (State.MISSING, State.FAILED)

    @property
    def is_interrupted(self) -> bool:
        """Whether the job failed by being stopped or killed, not by an error of its own."""
        return self.state is State.FAILED and self.detail == INTERRUPTED


def read_states(
    jobs: Sequence[Job], *, until: Stage, now: float, queued: Collection[str] = frozenset()
) -> list[JobStatus]:
    """Return the state of each job, in their order.

    Args:
        jobs: All in one sweep's folder.
        until: The stage with which a job is done.
        now: The time by the clock of the folder's file system (`psis_bench.sweep.attempts.clock_of`).
        queued: Ids of jobs that a scheduler holds.
    """
    present: set[str] = set()
    for home in {job.folder.parent for job in jobs}:
        present |= _names(home)
    return [
        read_state(job, until=until, now=now, queued=job.id in queued)
        if job.id in present or job.id in queued
        else JobStatus(job=job, state=State.MISSING)
        for job in jobs
    ]


def read_state(job: Job, *, until: Stage, now: float, queued: bool = False) -> JobStatus:
    """Return the state of one job; see `read_states`."""
    attempt = last_attempt(job.folder)
    attempts = 0 if attempt is None else attempt.number
    claim = None if attempt is None else attempt.claim
    if is_done(job.folder, until):
        seconds = _number(attempt.end, "seconds") if attempt is not None and attempt.end is not None else None
        return JobStatus(job=job, state=State.DONE, attempts=attempts, seconds=seconds, claim=claim)
    if attempt is not None and attempt.is_alive(now=now):
        seconds = max(0.0, now - float(attempt.claim.get("claimed", now)))
        return JobStatus(
            job=job, state=State.RUNNING, detail=_where(attempt), attempts=attempts, seconds=seconds, claim=claim
        )
    if queued:
        return JobStatus(job=job, state=State.QUEUED, attempts=attempts, claim=claim)
    if run_holder(job.folder):
        return JobStatus(job=job, state=State.RUNNING, detail="psis-bench run", attempts=attempts, claim=claim)
    if attempt is None:
        return JobStatus(job=job, state=State.MISSING)
    end = attempt.end or {}
    why = str(end.get("message") or INTERRUPTED) if end.get("outcome") == "failed" else INTERRUPTED
    return JobStatus(
        job=job, state=State.FAILED, detail=why, attempts=attempts, seconds=_number(end, "seconds"), claim=claim
    )


def is_done(folder: Path, until: Stage) -> bool:
    """Whether a run directory has come to the end of a stage."""
    return (folder / "stages" / f"{until}.json").exists() and (folder / RESULTS[until]).exists()


def run_holder(folder: Path) -> bool:
    """Whether a process of this machine works in a run directory, as by ``psis-bench run``, without a claim."""
    try:
        with (folder / ".state" / "lock").open("rb") as lock:
            asked = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            answer = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, asked))
    except (OSError, struct.error):
        return False
    return bool(answer[0] != fcntl.F_UNLCK)


def counts(statuses: Iterable[JobStatus]) -> dict[State, int]:
    """Return how many jobs are in each state, every state named."""
    found = dict.fromkeys(State, 0)
    for status in statuses:
        found[status.state] += 1
    return found


def seconds_left(statuses: Collection[JobStatus], *, at_once: int) -> float | None:
    """Return how long the jobs that run or wait will take; None when none does, or no job has shown how long one takes.

    Args:
        statuses: All jobs of the sweep. One that has failed waits for a new command, and is not counted.
        at_once: How many run at the same time.
    """
    known = sorted(status.seconds for status in statuses if status.state is State.DONE and status.seconds)
    open_ones = [status for status in statuses if status.state not in (State.DONE, State.FAILED)]
    if not known or not open_ones:
        return None
    one = known[len(known) // 2]
    running = [max(0.0, one - (status.seconds or 0.0)) for status in open_ones if status.state is State.RUNNING]
    waiting = len(open_ones) - len(running)
    at_least = max([*running, one if waiting else 0.0])
    return max(at_least, (sum(running) + waiting * one) / max(1, at_once))


def progress_of(folder: Path) -> str:
    """Return how far a begun job is: ``"training, iteration 400"``, or the stage that it works on."""
    for stage in reversed(Stage):
        if (folder / ".state" / f"started-{stage}.json").exists():
            iteration = _last_iteration(folder) if stage is Stage.TRAIN else None
            return f"{stage}, iteration {iteration}" if iteration is not None else str(stage)
    return ""


def _last_iteration(folder: Path) -> int | None:
    """Return the iteration of the newest line of the training log, which may be half written."""
    try:
        with (folder / "train_log.jsonl").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
            lines = log.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            return int(json.loads(line)["iteration"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError:
        return set()


def _where(attempt: Attempt) -> str:
    text = f"{attempt.claim.get('host', '?')}, pid {attempt.claim.get('pid', '?')}"
    return f"{text}, SLURM {attempt.claim['slurm']}" if attempt.claim.get("slurm") else text


def _number(values: Mapping[str, Any] | None, key: str) -> float | None:
    value = (values or {}).get(key)
    return float(value) if isinstance(value, int | float) else None
