"""A small count of what ``make exactness`` compares in full: docs/exactness.md."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from exactness import definitions, differences, problems
from exactness.__main__ import features
from exactness.differences import Tally

COCO_SEEDS = (1, 2, 14, 23, 28, 32)


def part_of(truth, seed) -> list[int]:
    ids = sorted(category["id"] for category in truth["categories"])
    return ids[seed % 2 :: 2] or ids


@pytest.mark.parametrize("seed", COCO_SEEDS)
def test_coco_arrays_and_numbers_are_those_of_pycocotools_by_every_engine(seed):
    truth, results = problems.problem(seed)
    tally = Tally()
    differences.coco(tally, truth, results, where=f"seed {seed}", groups=[part_of(truth, seed)])
    assert not tally.different
    assert (tally.arrays, tally.largest) == (2 * 3 * 3, 0)
    assert tally.numbers >= 2 * 3 * 24


@pytest.mark.parametrize("seed", [3, 6, 7])
def test_lvis_arrays_and_numbers_are_those_of_the_lvis_package_by_every_engine(seed):
    truth, results = problems.federated(seed)
    tally = Tally()
    differences.lvis(tally, truth, results, where=f"seed {seed}")
    assert not tally.different
    assert (tally.arrays, tally.numbers) == (2 * 2 * 2, 2 * 2 * 13)


@pytest.mark.parametrize("seed", [2, 3, 8])
def test_boundary_ap_is_that_of_full_size_masks_eroded_step_by_step(seed):
    truth, results = problems.problem(seed)
    tally = Tally()
    differences.boundary(tally, truth, results, where=f"seed {seed}")
    assert not tally.different
    assert (tally.arrays, tally.numbers) == (3, 12)


@pytest.mark.parametrize("seed", [2, 3, 8])
def test_class_agnostic_recall_is_that_of_plain_loops(seed):
    truth, results = problems.problem(seed)
    tally = Tally()
    differences.agnostic(tally, truth, results, where=f"seed {seed}", group=part_of(truth, seed))
    assert not tally.different
    assert tally.numbers == 2 * (2 * 7 + 4)


def test_these_few_problems_have_what_evaluators_go_apart_in():
    there = [features(*problems.problem(seed)) for seed in COCO_SEEDS]
    assert not [name for name in there[0] if not any(problem[name] for problem in there)]


def test_a_difference_in_the_last_bit_is_told():
    tally = Tally()
    tally.array(np.array([0.1]), np.array([0.1]), "same")
    tally.number(0.5, 0.5, "same")
    tally.number(None, -1, "same")
    assert (tally.different, tally.largest) == ([], 0)
    tally.array(np.array([0.1]), np.nextafter(np.array([0.1]), 1), "array")
    tally.number(None, 0.0, "number")
    assert tally.different == ["array", "number"]


def test_a_result_on_another_class_takes_no_place_among_the_first_k():
    # Ten detections on a seen object's place, then one on the unseen object: with 10 detections it is found, since the
    # one that matches the seen object is taken out and the nine others stay.
    def box(x):
        return {"image_id": 1, "bbox": [x, 0, 10, 10]}

    mask = problems.encoded(np.ones((20, 100), np.uint8))
    images = [{"id": 1, "file_name": "1.jpg", "height": 20, "width": 100}]
    categories = [{"id": 1, "name": "seen"}, {"id": 2, "name": "unseen"}]
    drawn = [{**box(40 * place), "id": place, "category_id": place + 1, "area": 100, "iscrowd": 0} for place in (0, 1)]
    truth = {
        "images": images,
        "categories": categories,
        "annotations": [{**row, "segmentation": mask} for row in drawn],
    }
    found = [{**box(0), "category_id": 1, "score": 0.9}] + [{**box(80), "category_id": 1, "score": 0.8}] * 9
    results = [*copy.deepcopy(found), {**box(40), "category_id": 1, "score": 0.1}]
    for row in results:
        row["segmentation"] = mask
    arrays, detections = differences.sides(truth, results)
    evaluation = differences.AgnosticEvaluation(arrays, detections, measure="bbox")
    assert (evaluation.recall([2]).ar10, evaluation.recall([1, 2]).ar10) == (1.0, 0.5)
    assert definitions.agnostic_recall(truth, results, "bbox", [2])["AR10"] == 1.0
    assert evaluation.recall([]).ar10 is None
