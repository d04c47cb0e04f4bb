"""Where hotcoco, used by itself, is not pycocotools: docs/exactness.md. What we hand to it has none of this."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings

import hotcoco
import numpy as np
import pytest
from exactness import problems
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def evaluated(package, truth, results, *, numbered=True, **params):
    """Evaluate masks with one package, as its users do."""
    truth, results = copy.deepcopy(truth), copy.deepcopy(results)
    for result in results:
        result.pop("bbox", None)
    if numbered:
        for number, annotation in enumerate(truth["annotations"], 1):
            annotation["id"] = number
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hotcoco tells of unusual limits
        if package == "hotcoco":
            index = hotcoco.COCO(truth)
            evaluation = hotcoco.COCOeval(index, index.load_res(results), "segm")
        else:
            index = COCO()
            index.dataset = truth
            index.createIndex()
            evaluation = COCOeval(index, index.loadRes(results), "segm")
        for name, value in params.items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def both(truth, results, **options):
    return [evaluated(package, truth, results, **options) for package in ("pycocotools", "hotcoco")]


@pytest.fixture(scope="module")
def world():
    return problems.problem(2)


def test_with_numbered_annotations_and_default_limits_they_are_the_same(world):
    ours, theirs = both(*world)
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(np.asarray(theirs.eval[name]), ours.eval[name])
    np.testing.assert_array_equal(np.asarray(theirs.stats), ours.stats)


def test_pycocotools_loses_a_match_to_annotation_0_and_hotcoco_does_not():
    mask = problems.encoded(np.ones((10, 10), np.uint8))
    row = {"image_id": 1, "category_id": 1, "segmentation": mask}
    truth = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 10, "width": 10}],
        "categories": [{"id": 1, "name": "one"}],
        "annotations": [{**row, "id": 0, "bbox": [0, 0, 10, 10], "area": 100.0, "iscrowd": 0}],
    }
    ours, theirs = both(truth, [{**row, "score": 0.9}], numbered=False)
    assert (ours.stats[0], round(theirs.stats[0], 6)) == (0.0, 1.0)
    ours, theirs = both(truth, [{**row, "score": 0.9}])
    assert ours.stats[0] == theirs.stats[0] == pytest.approx(1.0)


def test_hotcoco_keeps_category_ids_in_the_order_they_are_given(world):
    truth, results = world
    ids = sorted((category["id"] for category in truth["categories"]), reverse=True)
    assert len(ids) > 1
    ours, theirs = both(truth, results, catIds=ids)
    np.testing.assert_array_equal(np.asarray(theirs.eval["precision"]), ours.eval["precision"][:, :, ::-1])
    assert not np.array_equal(np.asarray(theirs.eval["precision"]), ours.eval["precision"])


def test_hotcoco_keeps_limits_in_the_order_they_are_given(world):
    ours, theirs = both(*world, maxDets=[100, 10, 1])
    np.testing.assert_array_equal(np.asarray(theirs.eval["recall"]), ours.eval["recall"][..., ::-1])
    assert not np.array_equal(np.asarray(theirs.eval["recall"]), ours.eval["recall"])


def test_ap_with_other_limits_is_taken_at_the_last_one_by_hotcoco_and_at_100_by_pycocotools(world):
    ours, theirs = both(*world, maxDets=[1, 10, 5])
    assert ours.stats[0] == -1
    assert theirs.stats[0] != -1


def test_hotcoco_evaluates_an_empty_list_where_pycocotools_stops(world):
    truth, _ = world
    with pytest.raises(IndexError):
        evaluated("pycocotools", truth, [])
    assert evaluated("hotcoco", truth, []).stats[0] in {0.0, -1.0}


def test_hotcoco_takes_annotations_without_iscrowd_where_pycocotools_stops(world):
    truth, results = copy.deepcopy(world)
    for annotation in truth["annotations"]:
        del annotation["iscrowd"]
    with pytest.raises(KeyError):
        evaluated("pycocotools", truth, results)
    assert -1 <= evaluated("hotcoco", truth, results).stats[0] <= 1


def test_hotcoco_refuses_a_score_that_is_not_a_number_where_pycocotools_sorts_it_somewhere(world):
    truth, results = copy.deepcopy(world)
    results[0]["score"] = float("nan")
    assert np.isfinite(evaluated("pycocotools", truth, results).stats).all()
    with pytest.raises(ValueError, match="score"):
        evaluated("hotcoco", truth, results)
