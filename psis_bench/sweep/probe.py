"""A sweep in probe mode: one detector a seed, one mask head a job, all in this process (docs/sweeps.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from psis_bench import console
from psis_bench.config import RunConfig, config_to_yaml, flatten
from psis_bench.errors import UserError
from psis_bench.files import write_json, write_text
from psis_bench.run import RunDirectory, Stage
from psis_bench.scoring.results.probe_mark import NOTE
from psis_bench.sweep.assemble import PROBE_MARK
from psis_bench.sweep.attempts import clock_of
from psis_bench.sweep.plan import Job, job_id
from psis_bench.sweep.probe_settings import ProbeSettings
from psis_bench.sweep.states import JobStatus, read_states

DETECTORS = "detectors"
_AT_ONCE = 24  # heads whose predictions are in memory together
UNTIL = Stage.SCORE
"""A job in probe mode ends with its scores."""


def run_probe(jobs: Sequence[Job], *, folder: Path, settings: ProbeSettings) -> list[JobStatus]:
    """Train and score what is missing of a sweep in probe mode; return the states of its jobs.

    Args:
        jobs: Planned with `identity` as what else tells jobs apart.
        folder: The folder of the sweep.
        settings: How heads are trained.

    Raises:
        UserError: A model without a detector, another process in the same folder, and all that a run raises.
    """
    missing = [status.job for status in read_states(jobs, until=UNTIL, now=clock_of(folder)) if status.state != "done"]
    for key, group in groupby(sorted(missing, key=_detector_of), key=_detector_of):
        alike = list(group)
        config = dataclasses.replace(alike[0].config, out=str((folder / DETECTORS / key).resolve()))
        detector = RunDirectory.of(config)
        detector.create()
        with detector.locked():
            write_text(detector.config_file, config_to_yaml(config))
            _run_group(detector, alike, settings)
    return read_states(jobs, until=UNTIL, now=clock_of(folder))


def identity(settings: ProbeSettings) -> dict[str, Any]:
    """Return what tells a job in probe mode from a full one, and from one with other settings."""
    return {PROBE_MARK: settings.to_dict()}


def _detector_of(job: Job) -> str:
    """Return the name of the detector that a job's head stands on: all of its configuration but the split."""
    return job_id({key: value for key, value in flatten(job.config).items() if key != "split"})


def _run_group(detector: RunDirectory, jobs: Sequence[Job], settings: ProbeSettings) -> None:
    """Run the jobs of one detector."""
    from psis_bench.data.synthetic.make import ensure_synthetic
    from psis_bench.engine import probe as engine

    ensure_synthetic(detector.dataset)
    _tell(f"probe   detector, boxes alone: {detector.path}")
    probe = engine.train_detector(detector)
    cache = engine.cached_crops(probe, detector)
    for begin in range(0, len(jobs), _AT_ONCE):
        heads = {}
        some = jobs[begin : begin + _AT_ONCE]
        runs = [RunDirectory.of(job.config) for job in some]
        sources = [_seen_ids(run) for run in runs]
        with console.progress("heads", total=len(jobs), done=begin) as bar:
            trained = engine.train_heads(probe, cache, sources, seed=detector.config.seed, settings=settings)
            for run, head in zip(runs, trained, strict=True):
                heads[run.predictions] = head
                bar.advance()
        engine.predict_heads(probe, detector, heads, detections=settings.detections)
        for job in some:
            _score(job.config, settings)


def _seen_ids(run: RunDirectory) -> list[int]:
    from psis_bench.data.coco_format import read_coco

    train = run.dataset.train
    if train is None:
        raise UserError(f"the data set '{run.dataset.name}' has no training part", cure="add train: to its YAML file")
    coco = read_coco(train.annotations, on_bad_boxes=run.dataset.on_bad_boxes)
    return sorted(run.split.resolve(coco.categories, where=str(train.annotations)).seen_ids)


def _score(config: RunConfig, settings: ProbeSettings) -> None:
    """Score a job; its predictions say of its numbers what they are (`psis_bench.scoring.results.probe_mark`)."""
    from psis_bench.scoring.score import score_run

    run = RunDirectory.of(config)
    write_text(run.config_file, config_to_yaml(config))
    # Before any number is there.
    write_json(run.path / PROBE_MARK, {"note": NOTE, **settings.to_dict()})
    score_run(
        predictions=run.predictions,
        annotations=run.dataset.val.annotations,
        split=run.split,
        out=run.path,
        on_bad_boxes=run.dataset.on_bad_boxes,
    )
    write_json(run.marker(UNTIL), {"probe": settings.to_dict()})


def _tell(line: str) -> None:
    console.err.print(line, soft_wrap=True, markup=False)
