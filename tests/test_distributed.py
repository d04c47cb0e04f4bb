"""The command that starts the processes of a training, and what comes back from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from psis_bench import distributed
from psis_bench.config import RunConfig
from psis_bench.distributed import is_distributed, launch_command, train_distributed
from psis_bench.errors import UserError
from psis_bench.run import RunDirectory


def run_of(folder: Path, **settings: object) -> RunDirectory:
    run = RunDirectory.of(RunConfig(split="voc2nonvoc", out=str(folder), **settings))  # type: ignore[arg-type]
    run.state.mkdir(parents=True)
    return run


@pytest.mark.parametrize(("gpus", "nodes", "several"), [(1, 1, False), (2, 1, True), (1, 2, True), (8, 2, True)])
def test_one_process_needs_no_launcher(gpus: int, nodes: int, several: bool, tmp_path: Path) -> None:
    assert is_distributed(run_of(tmp_path, gpus=gpus, nodes=nodes)) is several


def test_on_one_machine_torchrun_finds_its_own_port(tmp_path: Path) -> None:
    command = launch_command(run_of(tmp_path, gpus=8), {})
    assert command[:3] == [sys.executable, "-m", "psis_bench.distributed"]
    assert "--nproc-per-node=8" in command
    assert "--standalone" in command
    assert command[-3:] == ["-m", "psis_bench.engine.rank", str(tmp_path)]


def test_in_a_slurm_job_each_node_has_an_agent(tmp_path: Path) -> None:
    environment = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NUM_NODES": "2"}
    command = launch_command(run_of(tmp_path, gpus=8, nodes=2), environment)
    assert command[0] == "srun"
    assert {"--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--overlap"} <= set(command)
    assert {"--nnodes=2", "--nproc-per-node=8", "--rdzv-id=4711"} <= set(command)
    assert any(word.startswith("--rdzv-endpoint=") and word.endswith(":24711") for word in command)


@pytest.mark.parametrize(
    ("environment", "have"),
    [({}, "this is no SLURM job"), ({"SLURM_JOB_ID": "1", "SLURM_JOB_NUM_NODES": "1"}, "the SLURM job has 1")],
)
def test_nodes_are_those_of_a_slurm_job(environment: dict[str, str], have: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"nodes=2, but {have}; use psis-bench sweep"):
        launch_command(run_of(tmp_path, nodes=2), environment)


def test_a_mistake_that_a_process_told_of_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, gpus=2)
    failure = run.state / distributed.FAILURE
    failure.write_text(json.dumps({"error": "of an earlier run"}))
    program = (
        f'import pathlib, sys; pathlib.Path({str(failure)!r}).write_text(\'{{"error": "no such image"}}\'); sys.exit(2)'
    )
    monkeypatch.setattr(distributed, "launch_command", lambda *_: [sys.executable, "-c", program])
    with pytest.raises(UserError, match=r"^no such image$"):
        train_distributed(run)
    monkeypatch.setattr(distributed, "launch_command", lambda *_: [sys.executable, "-c", "import sys; sys.exit(3)"])
    with pytest.raises(RuntimeError, match=r"torchrun: 3\); see above and"):
        train_distributed(run)
    monkeypatch.setattr(distributed, "launch_command", lambda *_: [sys.executable, "-c", ""])
    train_distributed(run)


def test_a_process_ends_with_its_parent() -> None:
    grandchild = "from psis_bench.distributed import die_with_parent as d; d(9); print('on', flush=True); input()"
    parent = (
        "import subprocess, sys; "
        f"c = subprocess.Popen([sys.executable, '-c', {grandchild!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE); "
        "c.stdout.readline(); print(c.pid, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        status = Path(f"/proc/{pid}/stat")
        assert status.exists()
        process.kill()
        process.wait()
        for _ in range(200_000):
            if not status.exists() or status.read_text().rpartition(")")[2].split()[0] in "ZX":
                return
    pytest.fail("the grandchild lives on")
