"""How long planning and reading the state of 10,000 jobs takes, and assembling an 80 x 1,203 x 3 matrix.

    python benchmarks/sweep_state.py

Makes score files of the full size in a temporary folder; prints seconds and the most memory that was used.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from psis_bench.config import config_to_yaml
from psis_bench.console import out
from psis_bench.run import Stage
from psis_bench.splits.categories import COCO_NAMES
from psis_bench.sweep.assemble import assemble, find_entries
from psis_bench.sweep.attempts import claim, clock_of
from psis_bench.sweep.matrix import write_matrix
from psis_bench.sweep.plan import Job, plan_jobs
from psis_bench.sweep.states import counts, read_states

SEEDS = ",".join(str(seed) for seed in range(125))
TARGETS = 1203


def memory() -> float:
    """Return the most memory that this process has used, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def begin(jobs: list[Job]) -> None:
    """Leave the traces of a sweep: a third done, a third interrupted, a third not begun."""
    for place, job in enumerate(jobs):
        if place % 3 == 2:
            continue
        attempt = claim(job.folder, after=0, more={"machine": "another", "process": "1"})
        if attempt is not None and place % 3 == 0:
            (job.folder / "stages").mkdir()
            for name in ("stages/report.json", "report.html"):
                (job.folder / name).write_text("{}")
            attempt.path.with_suffix(".end.json").write_text('{"outcome": "done", "seconds": 60}')
        elif attempt is not None:
            attempt.path.with_suffix(".end.json").write_text('{"outcome": "interrupted", "seconds": 5}')


def states(folder: Path) -> None:
    """Plan 10,000 jobs and read their states."""
    keys = ["split=single_source/*", f"seed={SEEDS}"]
    begin(plan_jobs(keys, folder=folder))
    start, processor = time.monotonic(), time.process_time()
    jobs = plan_jobs(keys, folder=folder)
    planned = time.monotonic()
    found = counts(read_states(jobs, until=Stage.REPORT, now=clock_of(folder)))
    read, processor = time.monotonic(), time.process_time() - processor
    told = ", ".join(f"{count} {state}" for state, count in found.items() if count)
    out.print(
        f"{len(jobs)} jobs ({told}): planned in {planned - start:.2f} s, read in {read - planned:.2f} s "
        f"({processor:.2f} s of processor time)"
    )


def matrix(folder: Path) -> None:
    """Assemble and write a matrix of 80 sources, 1,203 targets and 3 seeds."""
    generator = np.random.default_rng(0)
    for job in plan_jobs(["split=single_source/*", "seed=0,1,2"], folder=folder):
        job.folder.mkdir(parents=True)
        (job.folder / "config.yaml").write_text(config_to_yaml(job.config))
        (job.folder / "scores.json").write_text("{}")
        lines = ["category_id,name,group,instances,box_AP,mask_AP,gt_box_miou,full_box_miou,ellipse_miou"]
        names = [*COCO_NAMES, *(f"class {place}" for place in range(len(COCO_NAMES), TARGETS))]
        values = generator.random((TARGETS, 5)).tolist()
        lines += [f"{n},{name},unseen,9,{','.join(map(repr, values[n]))}" for n, name in enumerate(names)]
        (job.folder / "per_class.csv").write_text("\n".join(lines) + "\n")
    before, start, processor = memory(), time.monotonic(), time.process_time()
    made = assemble(find_entries([folder]), metric="mask_AP")
    assembled, processor = time.monotonic(), time.process_time() - processor
    for suffix in ("parquet", "csv"):
        write_matrix(made, folder / f"matrix.{suffix}")
    written = time.monotonic()
    size = " x ".join(map(str, made.scores.shape))
    out.print(
        f"{size} matrix, {made.holes()} holes: assembled in {assembled - start:.2f} s "
        f"({processor:.2f} s of processor time), "
        f"written in {written - assembled:.2f} s; {before:.2f} GB before, {memory():.2f} GB most"
    )


def main() -> int:
    """Run both."""
    with tempfile.TemporaryDirectory() as folder:
        states(Path(folder) / "states")
        matrix(Path(folder) / "matrix")
    return 0


if __name__ == "__main__":
    sys.exit(main())
