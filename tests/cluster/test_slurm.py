"""SLURM for real: a sweep through submitit while a node dies, and one training over two nodes.

Run by ``make test-cluster``; see docs/sweeps.md. Skipped otherwise.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_data import TinyData

from .slurm import Cluster, cluster, missing_programs, wait_for

pytestmark = pytest.mark.skipif(not os.environ.get("PSIS_BENCH_TEST_CLUSTER"), reason="run by make test-cluster")

MODEL = "detection_free/small"
ALIKE = [
    "mask_head=conv4",
    "mm.train_pipeline.2.keep_ratio=false",
    "mm.train_pipeline.2.ratio_range=[1.0,1.0]",
    "mm.model.backbone.norm_cfg={type: GN, num_groups: 4}",
    "+mm.model.mask_branch.trunk.norm_type=null",
    "mm.optim_wrapper.optimizer={type: SGD, lr: 0.02, weight_decay: 0.0}",
]
SLURM = ["launcher=slurm", "slurm.partition=main", "slurm.time=60"]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two nodes."""
    missing = missing_programs()
    if missing or os.geteuid() != 0:
        pytest.fail(f"needs root, and Debian's slurmctld, slurmd, slurm-client and munge (missing: {missing})")
    if importlib.util.find_spec("submitit") is None:
        pytest.fail("needs submitit: pip install '.[slurm]'")
    with cluster(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyData:
    """Eight training and four validation images."""
    return TinyData(tmp_path_factory.mktemp("data") / "tiny")


def sweep(slurm: Cluster, tiny: TinyData, name: str, *more: str) -> subprocess.Popen[str]:
    keys = tiny.arguments(MODEL, out=name, iterations=20)
    command = [sys.executable, "-m", "psis_bench.cli", "sweep", *keys, *more]
    return subprocess.Popen(command, env=slurm.environment, stdout=subprocess.PIPE, text=True)


def states(slurm: Cluster, tiny: TinyData, name: str, *more: str) -> dict[str, Any]:
    out, _ = sweep(slurm, tiny, name, *more, "--dry-run", "--json").communicate()
    content: dict[str, Any] = json.loads(out)
    return content


def test_a_sweep_finishes_while_a_node_dies(slurm: Cluster, tiny: TinyData) -> None:
    keys = ("seed=0,1,2,3", "mask_head=resnet4")
    process = sweep(slurm, tiny, "sweep", *keys, *SLURM, "wait=true")
    jobs = tiny.folder / "sweep" / "jobs"

    def begun() -> list[str]:
        return [path.read_text() for path in jobs.glob("*/.state/attempts/0001.json")]

    def running_on(node: str) -> bool:
        return f" {node}" in slurm.command("squeue", "--noheader", "--states=RUNNING", "--format= %N")

    wait_for(lambda: bool(begun()) and running_on("n1"), "a job to run on n1")
    assert states(slurm, tiny, "sweep", *keys)["counts"]["missing"] == 0, "all four are with SLURM"
    slurm.kill_node("n1")
    try:
        out, _ = process.communicate(timeout=1800)
        assert process.returncode == 0, out
        assert "4 jobs: 4 done" in out
        scores = sorted(path.read_text() for path in jobs.glob("*/per_class.csv"))
        assert len(scores) == 4
        attempts = [len(list(path.glob(".state/attempts/????.json"))) for path in jobs.iterdir()]
        assert max(attempts) >= 2, "the job of the node that died was begun again"
        again = states(slurm, tiny, "sweep", *keys)
        assert again["counts"] == {"missing": 0, "queued": 0, "running": 0, "failed": 0, "done": 4}
    finally:
        slurm.start("slurmd", "-N", "n1", pid_file=slurm.folder / "n1.pid")
        wait_for(lambda: slurm.command("sinfo", "-h", "-o", "%T").split() == ["idle"], "the node to come back")


def test_one_training_over_two_nodes_has_the_losses_of_one_process(slurm: Cluster, tiny: TinyData) -> None:
    until = ("until=train", *ALIKE)
    both = sweep(slurm, tiny, "two", "seed=0", "gpus=1", "nodes=2", *until, *SLURM, "wait=true")
    out, _ = both.communicate(timeout=1800)
    assert both.returncode == 0, out
    alone = sweep(slurm, tiny, "one", "seed=0", *until)
    out, _ = alone.communicate(timeout=1800)
    assert alone.returncode == 0, out

    def run(name: str) -> Path:
        return next((tiny.folder / name / "jobs").iterdir())

    def losses(name: str) -> list[float]:
        return [json.loads(line)["loss_mask"] for line in (run(name) / "train_log.jsonl").read_text().splitlines()]

    assert json.loads((run("two") / ".state" / "distributed.json").read_text()) == {"processes": 2}
    assert losses("two")[:10] == pytest.approx(losses("one")[:10], abs=1e-5)
