"""What is given to SLURM, with stand-ins for sbatch and squeue; the real ones are in tests/cluster."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.run import Stage
from psis_bench.sweep import worker
from psis_bench.sweep.attempts import claim, last_attempt
from psis_bench.sweep.plan import Job, plan_jobs
from psis_bench.sweep.slurm import SlurmQueue, SlurmTask, queued_jobs
from psis_bench.sweep.states import State

# Else the import of submitit closes the log files that are open in this process, to which other tests write.
os.environ.setdefault("SUBMITIT_LOG_LEVEL", "NOCONFIG")

PROGRAMS = {
    "sbatch": 'cp "$1" "$FAKE/script-$(ls "$FAKE" | grep -c script).sh"; echo "Submitted batch job 77"',
    "squeue": 'cat "$FAKE/queue" 2>/dev/null || true',
    "srun": "exit 1",
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what sbatch was given, and ``queue``, what squeue tells."""
    folder = tmp_path / "fake"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    return folder


def jobs_of(folder: Path, *more: str) -> list[Job]:
    return plan_jobs(["split=voc2nonvoc", "seed=0,1,2", *more], folder=folder)


def script(fake: Path, number: int = 0) -> dict[str, str]:
    """Return the options in a script that sbatch was given."""
    text = (fake / f"script-{number}.sh").read_text()
    return dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", text, re.MULTILINE)) | {"": text}


def test_jobs_go_as_an_array_that_is_put_back(fake: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    jobs = jobs_of(tmp_path / "sweep", "workers=3")
    parameters = {"partition": "gpu", "time": "90", "account": "me"}
    queue = SlurmQueue(tmp_path / "sweep", until=Stage.SCORE, parameters=parameters, at_once=2)
    assert queue.submit(jobs) == 3
    options = script(fake)
    assert options["array"] == "0-2%2"
    assert "requeue" in options
    assert (options["partition"], options["time"], options["account"]) == ("gpu", "90", "me")
    assert (options["gpus-per-node"], options["cpus-per-task"]) == ("1", "4")
    (fake / "queue").write_text("77_0\n77_2\n")
    assert queued_jobs(tmp_path / "sweep") == {jobs[0].id, jobs[2].id}
    assert [status.state for status in queue.states(jobs)] == [State.QUEUED, State.MISSING, State.QUEUED]
    assert queue.submit(jobs) == 1, "only what SLURM does not hold"
    assert all((job.folder / "config.yaml").is_file() for job in jobs)


def test_a_job_of_two_nodes_has_one_step_that_starts_its_processes(fake: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    jobs = jobs_of(tmp_path / "sweep", "gpus=8", "nodes=2", "workers=1")
    SlurmQueue(tmp_path / "sweep", until=Stage.REPORT, parameters={}).submit(jobs)
    options = script(fake)
    assert (options["nodes"], options["gpus-per-node"], options["cpus-per-task"]) == ("2", "8", "16")
    assert re.search(r"srun .*--nodes=1 --ntasks=1", options[""])
    SlurmQueue(tmp_path / "cpu", until=Stage.REPORT, parameters={}).submit(jobs_of(tmp_path / "cpu", "device=cpu"))
    assert "gpus-per-node" not in script(fake, 1)


def test_mistakes_in_settings_are_told(fake: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    queue = SlurmQueue(tmp_path / "sweep", until=Stage.REPORT, parameters={"queue_name": "gpu"})
    with pytest.raises(UserError, match="Unavailable parameter"):
        queue.submit(jobs_of(tmp_path / "sweep"))
    (fake / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpu' >&2; exit 1\n")
    queue = SlurmQueue(tmp_path / "sweep", until=Stage.REPORT, parameters={"partition": "gpu"})
    with pytest.raises(UserError, match=r"SLURM refuses the jobs.*invalid partition"):
        queue.submit(jobs_of(tmp_path / "sweep"))


def test_where_slurm_cannot_be_asked_nothing_is_queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".slurm").mkdir()
    (tmp_path / ".slurm" / "submitted-1.json").write_text(json.dumps({"jobs": {"77": "a"}}))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert queued_jobs(tmp_path) == set()


def test_a_task_runs_its_command_and_knows_how_it_ended(tmp_path: Path) -> None:
    def task(code: int) -> SlurmTask:
        program = f"print('trained'); raise SystemExit({code})"
        return SlurmTask(str(tmp_path), (sys.executable, "-c", program))

    assert pickle.loads(pickle.dumps(task(0)))() == 0  # noqa: S301 - as submitit sends it
    assert task(worker.TAKEN)() == worker.TAKEN
    with pytest.raises(RuntimeError, match="ended with exit code 3"):
        task(3)()
    assert (tmp_path / ".state" / "log.txt").read_text() == "trained\n" * 3


def test_a_job_that_slurm_begins_again_follows_its_own_claim_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Path] = []
    monkeypatch.setattr(worker, "run_job", lambda job, **_: ran.append(job))
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    monkeypatch.setenv("SLURM_JOB_ID", "80")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    claim(tmp_path, after=0, more={"slurm": "77_1", "machine": "a node that died"})
    assert worker.main([str(tmp_path), "--after=0"]) == 0
    last = last_attempt(tmp_path)
    assert last is not None
    assert (last.number, last.claim["slurm"]) == (2, "77_1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    assert worker.main([str(tmp_path), "--after=0"]) == worker.TAKEN
    assert ran == [tmp_path]


def test_without_submitit_the_cure_is_told(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    queue = SlurmQueue(tmp_path / "sweep", until=Stage.REPORT, parameters={})
    with pytest.raises(UserError, match=r"pip install -e '\.\[slurm\]'"):
        queue.submit(jobs_of(tmp_path / "sweep"))


def test_the_stand_ins_are_found(fake: Path) -> None:
    assert subprocess.run(["squeue"], capture_output=True, check=True).stdout == b""
