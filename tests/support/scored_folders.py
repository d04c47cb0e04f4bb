"""Scored folders that are made up: five classes, and any IoU for each instance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from psis_bench.scoring.comparing.bootstrap import image_weights
from psis_bench.scoring.comparing.comparison import Entry
from psis_bench.scoring.comparing.sampled_scores import GT_BOX_MIOU, sample_scores
from psis_bench.scoring.comparing.scored_folder import ClassRow, InstanceScores, ScoredFolder
from psis_bench.scoring.results.scores import DatasetIdentity, GroupScores, MeanIou, Scores, SplitIdentity

MIOU = GT_BOX_MIOU
KEY = "gt_box_miou.class_mean"
NAMES = {2: ("cat", "seen"), 3: ("dog", "seen"), 7: ("cow", "unseen"), 9: ("bat", "unseen"), 11: ("elk", "other")}


def folder(name: str, ious: np.ndarray, *, images: np.ndarray, categories: np.ndarray, **more) -> ScoredFolder:
    means = {category: float(ious[categories == category].mean()) for category in NAMES}

    def group(*wanted: str) -> GroupScores:
        chosen = [means[category] for category, (_, own) in NAMES.items() if own in wanted]
        mean = MeanIou(class_mean=float(np.mean(chosen)), instance_mean=None)
        return GroupScores(
            classes=len(chosen), instances=1, box=None, mask=None, gt_box_miou=mean, full_box=mean, ellipse=mean
        )

    groups = {"all": group("seen", "unseen", "other"), "seen": group("seen"), "unseen": group("unseen")}
    return ScoredFolder(
        path=Path(name),
        scores=Scores(
            split=SplitIdentity(name="pets", version=1, hash="a" * 64),
            dataset=DatasetIdentity(annotations_sha256="b" * 64, images=len(set(images)), instances=len(ious)),
            groups=groups,
            notes=(),
        ),
        classes=tuple(
            ClassRow(category_id=category, name=own, group=group, values={"gt_box_miou": means[category]})
            for category, (own, group) in NAMES.items()
        ),
        instances=InstanceScores(
            images=images, annotations=np.arange(len(ious)), categories=categories, values={"iou": ious}
        ),
        **more,
    )


def entry(label: str, *runs: ScoredFolder, draws: int = 1500) -> Entry:
    ids = np.unique(runs[0].instances.images)
    weights = image_weights(len(ids), draws=draws)
    samples = [sample_scores(run, image_ids=ids, weights=weights, detections=None) for run in runs]
    return Entry(label=label, runs=runs, samples=tuple(samples))
