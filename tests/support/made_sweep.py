"""A sweep's folder with made scores: three sources and the run with all masks, two seeds; not everything is done."""

from __future__ import annotations

from pathlib import Path

from stub_job import write_scores

from psis_bench.config import config_to_yaml
from psis_bench.files import write_json
from psis_bench.sweep.attempts import claim
from psis_bench.sweep.plan import Job, plan_jobs

SPLITS = "split=single_source/cat,single_source/dining_table,single_source/dog,fully_supervised"
FAILURE = "</script><b onclick=alert(1)>out of memory</b> & more"


def make_sweep(folder: Path, *keys: str, undone: tuple[str, int] = ("single_source/dog", 1)) -> list[Job]:
    """Make the folder; of ``undone``, a split and a seed, the job has failed."""
    jobs = plan_jobs(keys, folder=folder)
    for job in jobs:
        attempt = claim(job.folder, after=0, more={})
        assert attempt is not None
        (job.folder / "config.yaml").write_text(config_to_yaml(job.config))
        if (job.config.split, job.config.seed) == undone:
            attempt.finish("failed", message=FAILURE)
            continue
        write_scores(job.folder, job.config)
        means = {"unseen": job.config.seed / 10 + 0.5, "seen": 0.25}
        groups = {name: {"gt_box_miou": {"class_mean": mean}, "mask": None} for name, mean in means.items()}
        write_json(job.folder / "scores.json", {"schema": 1, "groups": groups, "notes": []})
        attempt.finish("done")
    write_json(folder / "sweep.json", {"arguments": list(keys), "until": "report"})
    return jobs
