"""A job of a sweep that trains nothing: it notes that it began, waits while a file says so, and writes scores."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
import time
from pathlib import Path

from psis_bench.config import RunConfig, load_config
from psis_bench.files import write_json, write_text
from psis_bench.run import Stage
from psis_bench.splits.registry import get_split
from psis_bench.sweep import worker

HOLD, STARTED = "hold", "started.log"
"""Files of the sweep's folder: while the first is there jobs wait; the second has a line for each job begun."""


def score_of(config: RunConfig, name: str) -> float:
    """Return a number in [0, 1) that depends on the split, the seed and the class alone."""
    digest = hashlib.sha256(f"{config.split}/{config.seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "little") / 2**32


def write_scores(job: Path, config: RunConfig) -> None:
    """Write what scoring writes, and the markers of all stages."""
    split = get_split(config.split)
    groups = {**dict.fromkeys(split.seen, "seen"), **dict.fromkeys(split.unseen, "unseen")}
    rows = [["category_id", "name", "group", "instances", "box_AP", "mask_AP", "gt_box_miou"]]
    rows += [
        [str(place), name, group, "3", "", repr(score_of(config, name)), repr(score_of(config, name) / 2)]
        for place, (name, group) in enumerate(groups.items())
    ]
    lines = [",".join(row) for row in csv.reader(",".join(row) for row in rows)]
    write_text(job / "per_class.csv", "\n".join(lines) + "\n")
    write_json(job / "scores.json", {"schema": 1, "split": {"name": split.name}, "groups": {}, "notes": []})
    write_text(job / "report.html", "<html>")
    for stage in Stage:
        write_json(job / "stages" / f"{stage}.json", {})


def run_job(job: Path, *, until: Stage, threads: int) -> None:
    folder = job.parent.parent
    with (folder / STARTED).open("a") as log:
        log.write(f"{job.name} {os.getpid()}\n")
    while (folder / HOLD).exists():
        time.sleep(0.01)
    config = load_config(job / "config.yaml")
    if config.seed == 13 and not (folder / "lucky").exists():
        raise ValueError("seed 13 fails")
    write_scores(job, config)


if __name__ == "__main__":
    worker.run_job = run_job  # type: ignore[assignment]
    try:
        code = worker.main(sys.argv[1:])
    except BaseException as error:
        sys.stderr.write(json.dumps(repr(error)) + "\n")
        raise
    sys.exit(code)
