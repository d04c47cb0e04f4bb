from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from psis_bench.scoring.detection.average_precision import evaluate_detections

ENGINES = ("hotcoco", "pycocotools")


def stats_of(evaluation) -> list[float | None]:
    """The twelve numbers of pycocotools' own summary."""
    return [None if value == -1 else float(value) for value in evaluation.stats]


def values_of(tables, categories) -> list[float | None]:
    return list(tables.summary(categories).to_dict().values())


def summarized(tables) -> list[float | None]:
    """The same, by pycocotools' own summary of arrays that are there already."""
    evaluation = COCOeval(iouType="bbox")
    evaluation.eval = {"precision": tables.precision, "recall": tables.recall}
    evaluation.params.maxDets = list(tables.limits)
    evaluation.summarize()
    return stats_of(evaluation)


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_small_worlds_score_as_in_pycocotools_for_every_group(world, reference, ground_truth, gathered, iou_type):
    compared = 0
    for seed in range(0 if iou_type == "bbox" else 30, 30 if iou_type == "bbox" else 60):
        truth, results = world(seed)
        if not results:
            continue
        arrays = ground_truth(truth)
        detections = gathered(arrays, results)
        whole = reference(truth, results, iou_type)
        ids = [category["id"] for category in truth["categories"]]
        part = tuple(ids[seed % 2 :: 2]) or tuple(ids)
        groups = {tuple(ids): whole, part: reference(truth, results, iou_type, list(part))}
        for engine in ENGINES:
            tables = evaluate_detections(arrays, detections, iou_type=iou_type, engine=engine)
            np.testing.assert_array_equal(tables.precision, whole.eval["precision"])
            np.testing.assert_array_equal(tables.recall, whole.eval["recall"])
            for group, expected in groups.items():
                assert values_of(tables, group) == stats_of(expected), (seed, engine, group)
                compared += 1
    assert compared > 80


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_groups_on_real_images_equal_pycocotools_with_restricted_category_ids(
    coco_mini, reference, ground_truth, gathered, iou_type
):
    arrays = ground_truth(coco_mini.truth)
    detections = gathered(arrays, coco_mini.results)
    ids = [category["id"] for category in coco_mini.truth["categories"]]
    seen = [1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 18, 19, 20, 21, 44, 62, 63, 64, 67, 72]
    unseen = sorted(set(ids) - set(seen))
    tables = {e: evaluate_detections(arrays, detections, iou_type=iou_type, engine=e) for e in ENGINES}
    np.testing.assert_array_equal(tables["hotcoco"].precision, tables["pycocotools"].precision)
    np.testing.assert_array_equal(tables["hotcoco"].recall, tables["pycocotools"].recall)
    for group in (seen, unseen, ids):
        if group is ids:
            # All classes at once: the engine pycocotools above, summed up by its own code.
            expected = summarized(tables["pycocotools"])
        else:
            expected = stats_of(reference(coco_mini.truth, coco_mini.results, iou_type, group))
        assert 0.05 < expected[0] < 0.9
        np.testing.assert_allclose(values_of(tables["hotcoco"], group), expected, rtol=0, atol=1e-12)
        per_class = tables["hotcoco"].per_class()
        means = [per_class[category].ap for category in group if per_class[category].ap is not None]
        np.testing.assert_allclose(np.mean(means), expected[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_area_of_the_mask_decides_what_is_small(ground_truth, gathered, engine):
    # A thin diagonal: its box is large (100 x 100), its mask small (100 pixels).
    mask = np.eye(100, dtype=bool)
    rle, blank = (
        {"size": [100, 100], "counts": coco_mask.encode(np.asfortranarray(pixels))["counts"].decode()}
        for pixels in (mask.astype(np.uint8), mask[::-1].astype(np.uint8))
    )
    both = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 100, 100], "segmentation": rle}
    truth = {
        "images": [{"id": 1, "height": 100, "width": 100}],
        "categories": [{"id": 1, "name": "line"}],
        "annotations": [{**both, "id": 0, "area": 100.0, "iscrowd": 0}],
    }
    arrays = ground_truth(truth)
    # The other diagonal matches nothing. It is small as a mask, so it does not count among large objects.
    results = [{**both, "segmentation": blank, "score": 0.9}, {**both, "score": 0.8}]
    scores = evaluate_detections(arrays, gathered(arrays, results), iou_type="segm", engine=engine).summary([1])
    assert (scores.ap_small, scores.ap_medium, scores.ap_large) == (pytest.approx(0.5), None, None)
    assert scores.ap == pytest.approx(0.5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_no_detection_at_all_scores_zero_and_a_class_without_ground_truth_nothing(
    world, ground_truth, gathered, engine, iou_type
):
    truth, _ = next(found for found in map(world, range(20)) if len(found[0]["categories"]) > 2)
    for annotation in truth["annotations"]:
        annotation["iscrowd"] = 0
    absent = truth["categories"][0]["id"]
    truth["annotations"] = [a for a in truth["annotations"] if a["category_id"] != absent]
    arrays = ground_truth(truth)
    tables = evaluate_detections(arrays, gathered(arrays, []), iou_type=iou_type, engine=engine)
    present = truth["annotations"][0]["category_id"]
    assert tables.summary([present]).ap == 0
    assert tables.summary([present]).ar100 == 0
    assert set(tables.summary([absent]).to_dict().values()) == {None}
    assert set(tables.summary([]).to_dict().values()) == {None}


@pytest.mark.parametrize("engine", ENGINES)
def test_ids_beyond_53_bits_are_kept_apart(world, reference, ground_truth, gathered, engine):
    truth, results = world(3)
    expected = stats_of(reference(truth, results, "segm"))
    for row in (*truth["annotations"], *results):
        row["image_id"] += 2**60
    for image in truth["images"]:
        image["id"] += 2**60
    arrays = ground_truth(truth)
    tables = evaluate_detections(arrays, gathered(arrays, results), iou_type="segm", engine=engine)
    assert values_of(tables, arrays.category_ids.tolist()) == expected


def test_only_the_best_of_each_image_are_kept(world, ground_truth, gathered):
    for seed in range(20):
        truth, results = world(seed)
        arrays = ground_truth(truth)
        best = gathered(arrays, results).best_of_each_image(3)
        expected = []
        for image in {result["image_id"] for result in results}:
            own = [place for place, result in enumerate(results) if result["image_id"] == image]
            expected += sorted(own, key=lambda place: -results[place]["score"])[:3]
        kept = [results[place] for place in sorted(expected)]
        assert best.scores.tolist() == [result["score"] for result in kept]
        assert best.boxes.tolist() == [result["bbox"] for result in kept]
        assert list(best.strings) == [result["segmentation"]["counts"] for result in kept]


@pytest.mark.parametrize("limit", [5, 100, 300])
def test_the_limit_for_ap_is_that_of_the_split(world, ground_truth, gathered, reference, limit):
    truth, results = world(7)
    arrays = ground_truth(truth)
    detections = gathered(arrays, results)
    tables = [
        evaluate_detections(arrays, detections, iou_type="bbox", max_detections=limit, engine=engine)
        for engine in ENGINES
    ]
    assert tables[0].summary(arrays.category_ids.tolist()) == tables[1].summary(arrays.category_ids.tolist())
    assert tables[0].limits == tuple(sorted({1, 10, 100, limit}))
    assert values_of(tables[0], arrays.category_ids.tolist())[-1] == stats_of(reference(truth, results, "bbox"))[-1]
