"""AP under draws of images against pycocotools on files in which the drawn images are really there so many times."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from psis_bench.scoring.comparing.bootstrap import image_weights
from psis_bench.scoring.comparing.resampled_ap import resampled_ap
from psis_bench.scoring.detection.average_precision import evaluate_boundaries, evaluate_detections


def repeated(truth, results, weights):
    """Write every image as often as it was drawn; scores of copies differ by less than those of two detections."""
    images, annotations, found = [], [], []
    for image, times in zip(sorted(truth["images"], key=lambda image: image["id"]), weights, strict=True):
        for _ in range(times):
            identity = len(images) + 1
            images.append({**image, "id": identity})
            for source, target in ((truth["annotations"], annotations), (results, found)):
                target += [
                    {**copy.deepcopy(row), "image_id": identity} for row in source if row["image_id"] == image["id"]
                ]
    annotations = [{**row, "id": place} for place, row in enumerate(annotations, 1)]
    return {**truth, "images": images, "annotations": annotations}, found


def with_different_scores(results):
    """Ties between images fall to the order of the images, which a weight cannot know."""
    order = np.random.default_rng(0).permutation(len(results))
    return [
        {**row, "score": (rank + 1) / (len(results) + 1)} for row, rank in zip(results, order.tolist(), strict=True)
    ]


@pytest.mark.parametrize("masks", [True, False])
def test_drawn_images_count_as_if_they_were_there_so_often(world, reference, ground_truth, gathered, masks):
    compared = 0
    for seed in range(22):
        truth, results = world(seed)
        if len(truth["images"]) < 3 or not results:
            continue
        results = with_different_scores(results)
        weights = image_weights(len(truth["images"]), draws=3, seed=seed)
        weights[0] = 1
        arrays = ground_truth(truth)
        found = resampled_ap(arrays, gathered(arrays, results), measure="segm" if masks else "bbox", weights=weights)
        for draw, row in enumerate(weights):
            drawn, again = repeated(truth, results, row.tolist())
            if not again or not drawn["annotations"]:
                continue
            precision = reference(drawn, again, "segm" if masks else "bbox").eval["precision"][:, :, :, 0, 2]
            expected = [
                np.nan if (part := precision[:, :, k]).max() < 0 else part.mean() for k in range(found.shape[1])
            ]
            np.testing.assert_allclose(found[draw], expected, rtol=0, atol=1e-12)
            compared += np.isfinite(expected).sum()
    assert compared > 60


def test_crowds_are_set_aside_and_nothing_found_is_zero(world, ground_truth, gathered):
    truth, results = world(32)
    arrays = ground_truth(truth)
    weights = image_weights(len(truth["images"]), draws=5)
    nothing = resampled_ap(arrays, gathered(arrays, []), measure="segm", weights=weights)
    assert set(nothing[np.isfinite(nothing)].tolist()) == {0.0}
    crowded = {**truth, "annotations": [{**row, "iscrowd": 1} for row in truth["annotations"]]}
    arrays = ground_truth(crowded)
    assert np.isnan(resampled_ap(arrays, gathered(arrays, results), measure="segm", weights=weights)).all()


def test_every_measure_is_that_of_the_whole_evaluation(coco_mini, ground_truth, gathered):
    """With every image drawn once: box, mask and boundary AP of every class, exactly."""
    arrays = ground_truth(coco_mini.truth)
    detections = gathered(arrays, coco_mini.results)
    once = np.ones((1, len(arrays.image_ids)), np.uint8)
    tables = {
        "bbox": evaluate_detections(arrays, detections, iou_type="bbox"),
        "segm": evaluate_detections(arrays, detections, iou_type="segm"),
        "boundary": evaluate_boundaries(arrays, detections),
    }
    for measure, table in tables.items():
        found = resampled_ap(arrays, detections, measure=measure, weights=once)[0]
        expected = [np.nan if (ap := table.summary([k]).ap) is None else ap for k in arrays.category_ids.tolist()]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
