"""Jobs on a SLURM cluster, through submitit: job arrays that continue after preemption, time limit and a dead node.

The folder of the sweep must be one that all nodes see. ``<folder>/.slurm`` holds what submitit writes, and one JSON
file a submission, from which a later command knows which jobs the scheduler holds.
"""

from __future__ import annotations

import getpass
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError
from psis_bench.files import write_json
from psis_bench.run import Stage
from psis_bench.sweep.attempts import clock_of
from psis_bench.sweep.local import LOG, prepare, worker_command
from psis_bench.sweep.plan import Job
from psis_bench.sweep.states import JobStatus, State, read_states

FOLDER = ".slurm"
_DEFAULTS: Mapping[str, Any] = {"time": 24 * 60, "signal_delay_s": 60, "stderr_to_stdout": True}
# A job that runs out of time is put back and goes on from its checkpoint, this often.
_MOST_TIMEOUTS = 100
_MOST_IN_ARRAY = 1000  # SLURM's own default limit is 1,001
_LISTS = ("setup", "teardown", "srun_args")


@dataclass(frozen=True)
class SlurmTask:
    """What a SLURM job does: run one job of a sweep in a process of its own.

    submitit saves this object, and calls `checkpoint` when the job is about to be stopped by its time limit or by
    preemption; SLURM then puts the job back, and it continues.
    """

    job: str
    command: tuple[str, ...]

    def __call__(self) -> int:
        """Run the job; its exit code other than 0 becomes that of the SLURM job."""
        log = Path(self.job) / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as handle:
            # Of its own session: the signal that announces the end is for this process, which lets the job stop.
            child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                code = child.wait()
            finally:
                if child.poll() is None:
                    child.terminate()
                    child.wait()
        # 75: another sweep has the job, which is no failure.
        if code not in (0, 75):
            raise RuntimeError(f"the job ended with exit code {code}; see {log}")
        return code

    def checkpoint(self) -> Any:
        """Return what runs when the job starts again: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class SlurmQueue:
    """Gives what is missing or failed of a sweep to SLURM.

    Args:
        folder: The folder of the sweep.
        until: The stage with which a job is done.
        parameters: submitit's names for sbatch's options, and their values as typed: ``partition``, ``time`` (minutes),
            ``mem``, ``account``, ``gpus_per_node``, ...
        at_once: Jobs of an array that may run at the same time.
    """

    def __init__(
        self, folder: Path, *, until: Stage, parameters: Mapping[str, str], at_once: int | None = None
    ) -> None:
        self.folder = folder.expanduser().resolve()
        self.until = until
        self.parameters = {key: _typed(key, text) for key, text in parameters.items()}
        self.at_once = at_once

    def states(self, jobs: Sequence[Job]) -> list[JobStatus]:
        """Return the state of each job, also of those that SLURM holds."""
        return read_states(jobs, until=self.until, now=clock_of(self.folder), queued=queued_jobs(self.folder))

    def submit(self, jobs: Sequence[Job]) -> int:
        """Give what is missing or failed to SLURM; return how many jobs that are.

        Raises:
            UserError: There is no SLURM or no submitit here, or SLURM refuses the job.
        """
        waiting = [status for status in self.states(jobs) if status.to_start]
        for _, group in groupby(sorted(waiting, key=_size), key=_size):
            alike = list(group)
            for begin in range(0, len(alike), _MOST_IN_ARRAY):
                self._submit_array(alike[begin : begin + _MOST_IN_ARRAY])
        return len(waiting)

    def wait(self, jobs: Sequence[Job], *, pause: float = 5.0) -> list[JobStatus]:
        """Wait until no job is queued or running; return the states."""
        from psis_bench import console

        statuses = self.states(jobs)
        done = _done(statuses)
        with console.progress("sweep", total=len(jobs), done=done) as bar:
            while any(status.state in (State.QUEUED, State.RUNNING) for status in statuses):
                time.sleep(pause)
                statuses = self.states(jobs)
                failed = sum(status.state is State.FAILED for status in statuses)
                bar.advance(_done(statuses) - done, note=f"{failed} failed")
                done = _done(statuses)
        return statuses

    def _submit_array(self, statuses: Sequence[JobStatus]) -> None:
        executor = self._executor(statuses[0].job)
        for status in statuses:
            prepare(status.job)
        # The number of cores is known where the job runs: threads=0 takes those that SLURM gives it.
        tasks = [
            SlurmTask(str(status.job.folder), tuple(worker_command(status, until=self.until))) for status in statuses
        ]
        try:
            with executor.batch():
                submitted = [executor.submit(task) for task in tasks]
        except Exception as error:  # submitit and sbatch raise whatever they meet
            reason = " ".join(str(error).split()[-60:])
            raise UserError(
                f"SLURM refuses the jobs: {reason}", cure="correct the slurm. settings, as in slurm.partition=NAME"
            ) from error
        record = {job.job_id: status.job.id for job, status in zip(submitted, statuses, strict=True)}
        write_json(self.folder / FOLDER / f"submitted-{time.time_ns()}.json", {"jobs": record})

    def _executor(self, job: Job) -> Any:
        try:
            import submitit
        except ImportError:
            raise UserError(
                "launcher=slurm needs submitit, which is not installed",
                cure="in the checkout: pip install -e '.[slurm]'",
            ) from None
        try:
            executor = submitit.SlurmExecutor(self.folder / FOLDER, max_num_timeout=_MOST_TIMEOUTS)
            executor.update_parameters(**{**_DEFAULTS, **_resources_of(job), **self._limits(), **self.parameters})
        except RuntimeError as error:
            raise UserError(f"there is no SLURM here: {error}", cure="use it where sbatch and srun are") from error
        except (ValueError, TypeError) as error:
            raise UserError(f"slurm. settings: {' '.join(str(error).split()[:80])}") from error
        return executor

    def _limits(self) -> dict[str, Any]:
        limits: dict[str, Any] = {"additional_parameters": {"requeue": True}, "job_name": f"psis-{self.folder.name}"}
        return limits | ({"array_parallelism": self.at_once} if self.at_once else {})


def queued_jobs(folder: Path) -> set[str]:
    """Return the ids of the jobs of a sweep's folder that SLURM holds, waiting or running.

    Where SLURM cannot be asked, none is known.
    """
    given: dict[str, str] = {}
    for path in (folder / FOLDER).glob("submitted-*.json"):
        try:
            given |= json.loads(path.read_text(encoding="utf-8"))["jobs"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    if not given:
        return set()
    command = ["squeue", "--noheader", "--array", f"--user={getpass.getuser()}", "--format=%i"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return set()
    return {given[number] for number in listed if number in given}


def _done(statuses: Sequence[JobStatus]) -> int:
    return sum(status.state is State.DONE for status in statuses)


def _size(status: JobStatus) -> str:
    """Return what tells jobs of different needs apart: an array holds jobs of one size."""
    return repr(sorted(_resources_of(status.job).items()))


def _resources_of(job: Job) -> dict[str, Any]:
    """Return what one job needs: cores and GPUs for its processes, and one step that starts them on every node."""
    config = job.config
    resources: dict[str, Any] = {"cpus_per_task": (config.threads or config.workers + 1) * config.gpus}
    if config.device != "cpu":
        resources["gpus_per_node"] = config.gpus
    if config.nodes > 1:
        resources |= {"nodes": config.nodes, "srun_args": ["--nodes=1", "--ntasks=1"]}
    return resources


def _typed(key: str, text: str) -> Any:
    if key in _LISTS:
        return [text]
    return int(text) if text.lstrip("-").isdecimal() else text
