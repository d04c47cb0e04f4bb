"""Submissions with made-up numbers and without predictions: enough for pages, not for ``psis-bench validate``."""

from __future__ import annotations

import csv
import datetime
import json
import random
from pathlib import Path
from typing import Any

from psis_bench.splits.registry import get_split
from psis_bench.submissions.schema import Submission, Tier, Verification, place_of

AP = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")
COLUMNS = (
    "category_id",
    "name",
    "group",
    "instances",
    "box_AP",
    "mask_AP",
    "gt_box_miou",
    "full_box_miou",
    "ellipse_miou",
)


def make_submission(
    root: Path,
    *,
    split: str = "voc2nonvoc",
    model: str = "my-model",
    title: str = "My model",
    seed: int = 0,
    seeds: tuple[int, ...] = (0,),
    data: str = "synthetic",
    annotations: str = "a" * 64,
    tier: Tier | None = Tier.RECOMPUTED,
    strength: float = 0.6,
    changes: dict[str, Any] | None = None,
) -> Path:
    """Write a folder below ``root`` (``model_zoo/submissions``) and return it.

    Args:
        strength: GT-box mIoU of the model, about; classes differ from it by chance that depends on the seed.
        changes: Fields of ``submission.json`` that are something else, by their first key.
    """
    protocol = get_split(split)
    random_numbers = random.Random(f"{split}/{model}/{seed}")
    described = _described(
        protocol, model=model, title=title, seed=seed, seeds=seeds, data=data, annotations=annotations
    )
    submission = Submission.model_validate_json(json.dumps(described | (changes or {})))
    folder = root / place_of(submission)
    folder.mkdir(parents=True)
    classes = []
    names = [(name, "seen") for name in protocol.seen] + [(name, "unseen") for name in protocol.unseen]
    for index, (name, group) in enumerate(names, start=1):
        iou = min(max(random_numbers.gauss(strength - (0.02 if group == "unseen" else 0.0), 0.07), 0.0), 1.0)
        ap = max(iou - 0.25, 0.0)
        values = (ap * 1.1, ap, iou, 0.47, 0.51)
        classes.append(dict(zip(COLUMNS, (index, name, group, 10 + index, *values), strict=True)))
    with (folder / "per_class.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(classes)
    metrics = _metrics(classes, submission)
    (folder / "submission.json").write_text(json.dumps(described | (changes or {})), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    if tier is not None:
        _verify(folder, tier)
    return folder


def _described(protocol: Any, **given: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "created": "2026-11-21",
        "split": {"name": protocol.name, "version": protocol.version, "hash": protocol.hash()},
        "dataset": {"name": given["data"], "annotations_sha256": given["annotations"]},
        "model": {
            "name": given["model"],
            "title": given["title"],
            "backbone": "ResNet-18-FPN",
            "mask_head": "Hourglass-20",
            "parameters": 1_604_097,
            "pretraining": "none",
        },
        "supervision": {"mask_sources": ["masks of the seen classes"], "extra_data": []},
        "training": {
            "seed": given["seed"],
            "seeds": list(given["seeds"]),
            "hardware": "two CPU cores",
            "hours": 0.25,
            "ms_per_image": 41.5,
        },
        "code": {"software": "psis_bench 0.1.0", "commit": "c" * 40, "dirty": False, "url": "https://example.org/code"},
        "predictions": {"files": [{"path": "gt_box_masks/part-00000.parquet", "bytes": 1, "sha256": "b" * 64}]},
        "authors": ["Ada Example", "Ben Example"],
        "paper": {"title": "A paper", "url": "https://example.org/paper", "year": 2026},
        "licence": "CC-BY-4.0",
        "notes": "",
    }


def _metrics(classes: list[dict[str, Any]], submission: Submission) -> dict[str, Any]:
    def mean(key: str, group: str) -> float:
        values = [row[key] for row in classes if group in ("all", row["group"])]
        return sum(values) / len(values)

    def group_metrics(group: str) -> dict[str, Any]:
        def both(key: str) -> dict[str, float]:
            return {"class_mean": mean(key, group), "instance_mean": mean(key, group)}

        return {
            "classes": sum(group in ("all", row["group"]) for row in classes),
            "instances": sum(row["instances"] for row in classes if group in ("all", row["group"])),
            "box": {name: mean("box_AP", group) for name in AP},
            "mask": {name: mean("mask_AP", group) for name in AP},
            "gt_box_miou": both("gt_box_miou"),
            "full_box": both("full_box_miou"),
            "ellipse": both("ellipse_miou"),
        }

    groups = ["all", *dict.fromkeys(row["group"] for row in classes)]
    return {
        "schema": 1,
        "split": submission.split.model_dump(include={"name", "version", "hash"}),
        "dataset": {"annotations_sha256": submission.dataset.annotations_sha256, "images": 250, "instances": 1487},
        "groups": {group: group_metrics(group) for group in groups},
    }


def _verify(folder: Path, tier: Tier) -> None:
    from psis_bench.submissions.reading import hashes_of

    hashes = hashes_of(folder)
    verification = Verification(
        schema_version=1,
        tier=tier,
        checked=datetime.date(2026, 11, 21),
        checked_with="psis_bench 0.1.0",
        largest_difference=0.0,
        submission_sha256=hashes[0],
        metrics_sha256=hashes[1],
        per_class_sha256=hashes[2],
    )
    (folder / "verification.json").write_text(verification.model_dump_json(), encoding="utf-8")
