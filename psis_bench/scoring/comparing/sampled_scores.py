"""The scores of one run under draws of images, class by class; the same draws for every run of the same data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from psis_bench.run_lengths import Ints
from psis_bench.scoring.comparing.bootstrap import Weights, class_means, group_mean
from psis_bench.scoring.comparing.resampled_ap import resampled_ap
from psis_bench.scoring.comparing.scored_folder import ScoredFolder
from psis_bench.scoring.detection.pairs import Measure
from psis_bench.scoring.inputs.detections import Detections
from psis_bench.scoring.inputs.ground_truth import Floats, GroundTruth
from psis_bench.scoring.results.scores import GroupScores


class Metric(NamedTuple):
    """A number that runs are compared by.

    Args:
        key: Its name in ``scores.json``.
        title: Its name for people.
        part: The attribute of `GroupScores` that holds it.
        name: Its attribute there.
        column: Its column in ``per_class.csv``.
        instance: Its column in ``per_instance.parquet``; None for average precision.
    """

    key: str
    title: str
    part: str
    name: str
    column: str
    instance: str | None = None

    def of(self, group: GroupScores) -> float | None:
        """Return the number of a group of classes."""
        value: float | None = getattr(getattr(group, self.part), self.name, None)
        return value


METRICS = (
    Metric("box.AP", "box AP", "box", "ap", "box_AP"),
    Metric("mask.AP", "mask AP", "mask", "ap", "mask_AP"),
    Metric("boundary.AP", "boundary AP", "boundary", "ap", "boundary_AP"),
    Metric("gt_box_miou.class_mean", "GT-box mIoU", "gt_box_miou", "class_mean", "gt_box_miou", "iou"),
    Metric("boundary_miou.class_mean", "boundary IoU", "boundary_miou", "class_mean", "boundary_miou", "boundary_iou"),
)


GT_BOX_MIOU = METRICS[3]
_MEASURES: tuple[Measure, ...] = ("bbox", "segm", "boundary")  # of the first metrics
_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class SampledScores:
    """Every class's scores under every draw.

    Args:
        category_ids: int64 (K,), ascending.
        images: int64 (K,): in how many images each class has instances.
        classes: Metric key -> float64 (B, K); NaN where no object of the class was drawn. A metric that cannot be
            computed again is not there.
    """

    category_ids: Ints
    images: Ints
    classes: dict[str, Floats]

    def group(self, key: str, category_ids: Collection[int]) -> Floats | None:
        """Return the mean of a group's classes under each draw, float64 (B,); None where that is not known."""
        if key not in self.classes:
            return None
        return group_mean(self.classes[key], self._places(category_ids))

    def variances(self, key: str, category_ids: Collection[int]) -> tuple[Floats, Floats]:
        """Return the variance over the draws of each of a group's classes, and its degrees of freedom.

        Returns:
            float64 (k,), NaN where a class was never drawn; and float64 (k,), at least 1.
        """
        places = self._places(category_ids)
        drawn = self.classes[key][:, places]
        variances, several = np.full(len(places), np.nan), (~np.isnan(drawn)).sum(axis=0) > 1
        variances[several] = np.nanvar(drawn[:, several], axis=0, ddof=1)
        return variances, np.maximum(self.images[places] - 1.0, 1.0)

    def _places(self, category_ids: Collection[int]) -> Ints:
        return np.flatnonzero(np.isin(self.category_ids, list(category_ids)))


def sample_scores(
    folder: ScoredFolder,
    *,
    image_ids: Ints,
    weights: Weights,
    detections: tuple[GroundTruth, Detections] | None,
    max_detections: int = 100,
) -> SampledScores:
    """Compute the scores of a run under draws of images.

    Args:
        folder: The run.
        image_ids: int64 (i,), ascending: the images that any instance is in; those of ``weights`` beyond are without.
        weights: (B, I), I >= i.
        detections: Annotations and the detections that count; None leaves average precision out.
        max_detections: The limit of detections.
    """
    category_ids = np.array([row.category_id for row in folder.classes], np.int64)
    instances = folder.instances
    found: dict[str, Floats] = {}
    if detections is not None:
        # In the first draw every image is there once: what does not give the score on record is another evaluation.
        whole = np.vstack([np.ones_like(weights[:1]), weights])
        for metric, measure in zip(METRICS, _MEASURES, strict=False):
            recorded = metric.of(folder.scores.groups["all"])
            if recorded is None:
                continue
            drawn = resampled_ap(*detections, measure=measure, weights=whole, max_detections=max_detections)
            if abs(float(group_mean(drawn[:1], range(len(category_ids)))[0]) - recorded) < _SAME:
                found[metric.key] = drawn[1:]
    for metric in METRICS:
        values = instances.values.get(metric.instance or "")
        if values is None or np.isnan(values).any():
            continue
        found[metric.key] = class_means(
            values,
            images=np.searchsorted(image_ids, instances.images),
            classes=np.searchsorted(category_ids, instances.categories),
            count=len(category_ids),
            weights=weights,
        )
    return SampledScores(category_ids=category_ids, images=images_of_classes(folder), classes=found)


def images_of_classes(folder: ScoredFolder) -> Ints:
    """Return in how many images each class has scored instances, int64 (K,)."""
    ids = np.array([row.category_id for row in folder.classes], np.int64)
    pairs = np.unique(np.stack([folder.instances.categories, folder.instances.images]), axis=1)
    return np.bincount(np.searchsorted(ids, pairs[0]), minlength=len(ids)).astype(np.int64)


def mean_over_runs(samples: Sequence[Floats]) -> Floats:
    """Return the mean of several runs under each draw."""
    return np.asarray(np.mean(np.stack(samples), axis=0), np.float64)
