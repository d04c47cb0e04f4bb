"""How often the interval of AP covers what as many other images give on average, where classes are rare."""

from __future__ import annotations

import numpy as np

from psis_bench.scoring.comparing.bootstrap import group_mean, image_weights, percentile_interval
from psis_bench.scoring.comparing.intervals import class_mean_interval
from psis_bench.scoring.comparing.resampled_ap import resampled_ap
from psis_bench.scoring.comparing.sampled_scores import SampledScores
from psis_bench.scoring.inputs.predictions import counted_detections

IMAGES, CASES, DRAWS = 100, 200, 100
SHARES = np.geomspace(0.4, 0.02, 8)
"""Of the images that each class is in: some forty for the first, two for the last."""


def case(random: np.random.Generator):
    """Return annotations and what two detectors found, the objects of an image being easy or hard together."""
    images = [{"id": place, "file_name": f"{place}.jpg", "height": 100, "width": 400} for place in range(IMAGES)]
    categories = [{"id": 1 + place, "name": f"class {place}"} for place in range(len(SHARES))]
    annotations, found = [], ([], [])
    for image in range(IMAGES):
        ease = random.normal(0, 0.06)
        for category, share in enumerate(SHARES.tolist(), 1):
            objects = 1 + random.poisson(0.5) if random.random() < share else 0
            for place in range(objects):
                box = [60.0 * (place % 6), 10.0, 40.0, 40.0]
                row = {"image_id": image, "category_id": category, "bbox": box}
                annotations.append({**row, "id": len(annotations) + 1, "area": 1600.0, "iscrowd": 0})
                quality = 0.8 + ease + random.normal(0, 0.08)
                for rows, better in zip(found, (0.0, 0.03), strict=True):
                    if random.random() < 0.85:
                        iou = np.clip(quality + better + random.normal(0, 0.05), 0.1, 1)
                        score = 0.5 + 0.25 * random.normal()
                        rows.append({**row, "bbox": [*box[:3], float(40.0 * iou)], "score": score})
            for rows in found:
                for _ in range(random.poisson(0.04 + 0.2 * share)):
                    row = {"image_id": image, "category_id": category, "bbox": [10.0, 60.0, 30.0, 30.0]}
                    rows.append({**row, "score": 0.2 + 0.25 * random.normal()})
    return {"images": images, "categories": categories, "annotations": annotations}, found


def test_the_interval_of_ap_covers_the_expected_score_although_draws_lie_above_it(ground_truth):
    random, places = np.random.default_rng(11), np.arange(len(SHARES))
    scores, ends, paired, lifts = [], [], [], []
    for number in range(CASES):
        truth, found = case(random)
        arrays = ground_truth(truth)
        weights = np.vstack([np.ones((1, IMAGES), np.uint8), image_weights(IMAGES, draws=DRAWS, seed=number)])
        both = [
            resampled_ap(arrays, counted_detections(rows, arrays, 100)[0], measure="bbox", weights=weights)
            for rows in found
        ]
        pairs = np.unique(np.stack([arrays.categories, arrays.images]), axis=1)
        images = np.array([(pairs[0] == category).sum() for category in arrays.category_ids])
        means = [group_mean(values, places) for values in both]
        sampled = SampledScores(category_ids=arrays.category_ids, images=images, classes={"AP": both[0][1:]})
        variances, freedoms = sampled.variances("AP", arrays.category_ids)
        deviation = float(means[0][1:].std(ddof=1))
        value = float(means[0][0])
        interval = class_mean_interval(value, deviation=deviation, variances=variances, freedoms=freedoms)
        assert interval.low <= value <= interval.high
        scores.append([mean[0] for mean in means])
        ends.append(interval[1:])
        paired.append(percentile_interval((means[1] - means[0])[1:]))
        lifts.append(means[0][1:].mean() - value)
    first, second = np.mean(scores, axis=0)

    def covered(intervals, expected: float) -> float:
        low, high = np.array(intervals, float).T
        return float(np.mean((low <= expected) & (expected <= high)))

    # The draws are displaced, the score is not; what they are too little spread is made good.
    assert np.mean(lifts) > 0.01
    assert 0.92 < covered(ends, first) < 0.98
    # Of a difference the displacement cancels.
    assert 0.9 < covered(paired, second - first) < 0.98
