"""Which detection scores there are in what a score writes, and that they are the ones asked for."""

from __future__ import annotations

import csv
import json

import pytest

from psis_bench.scoring import Scores, score_predictions
from psis_bench.scoring.results.scores import AveragePrecision
from psis_bench.splits import SplitProtocol

TWELVE = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]


@pytest.fixture(scope="module")
def scored(world, tmp_path_factory):
    """A world with several classes: its scores, plain and with all that can be asked for, and their folders."""
    truth, results = world(32)
    folder = tmp_path_factory.mktemp("scored")
    names = [category["name"] for category in truth["categories"]]
    split = SplitProtocol(name="halves", version=1, seen=tuple(names[::2]), unseen=tuple(names[1::2]), description="")

    def score(out, **options) -> Scores:
        return score_predictions(results, annotations=truth, split=split, out=folder / out, **options)

    plain, full = score("plain"), score("full", boundary=True, class_agnostic=True)
    return truth, results, folder, plain, full


def test_all_twelve_numbers_of_coco_for_each_group(scored, reference):
    truth, results, folder, plain, _ = scored
    content = json.loads((folder / "plain" / "scores.json").read_text())
    ids = {category["name"]: category["id"] for category in truth["categories"]}
    for group, chosen in (("all", None), ("seen", list(ids.values())[::2]), ("unseen", list(ids.values())[1::2])):
        for part, measure in (("box", "bbox"), ("mask", "segm")):
            stats = reference(truth, results, measure, chosen).stats
            expected = [None if value == -1 else float(value) for value in stats]
            assert list(content["groups"][group][part]) == TWELVE
            assert list(content["groups"][group][part].values()) == expected
    assert Scores.from_dict(content) == plain


def test_what_is_asked_for_is_there_and_nothing_else_changes(scored):
    _, _, folder, plain, full = scored
    asked = {"boundary", "agnostic_box", "agnostic_mask"}
    contents = [json.loads((folder / name / "scores.json").read_text())["groups"] for name in ("plain", "full")]
    for group in contents[0]:
        assert contents[1][group].keys() - contents[0][group].keys() == asked
        assert {key: contents[1][group][key] for key in contents[0][group]} == contents[0][group]
    unseen = full.groups["unseen"]
    assert list(contents[1]["unseen"]["agnostic_mask"]) == ["AR10", "AR100", "AR300", "AR1000", "ARs", "ARm", "ARl"]
    assert 0 < unseen.agnostic_box.ar10 <= unseen.agnostic_box.ar100 <= 1
    assert unseen.boundary.ap <= unseen.mask.ap
    assert plain.groups["unseen"].agnostic_box is None
    assert Scores.from_dict({**full.to_dict(), "groups": contents[1]}) == full


def test_each_class_has_its_own_numbers(scored, reference):
    truth, results, folder, *_ = scored
    rows = list(csv.DictReader((folder / "full" / "per_class.csv").read_text().splitlines()))
    assert [int(row["category_id"]) for row in rows] == sorted(category["id"] for category in truth["categories"])
    for row in rows:
        stats = reference(truth, results, "segm", [int(row["category_id"])]).stats
        found = [row[f"mask_{key}"] for key in ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")]
        expected = [stats[place] for place in (0, 1, 2, 3, 4, 5, 8)]
        assert found == ["" if value == -1 else repr(float(value)) for value in expected]
        assert (row["boundary_AP"] == "") == (row["mask_AP"] == "")


def test_scores_of_the_first_release_are_still_read():
    first = {"AP": 0.5, "AP50": 0.6, "AP75": 0.4, "APs": None, "APm": 0.3, "APl": 0.7, "AR100": 0.8}
    read = AveragePrecision.from_dict(first)
    assert (read.ap, read.ar100, read.ar1, read.ar300) == (0.5, 0.8, None, None)
    with pytest.raises(KeyError):
        AveragePrecision.from_dict({key: value for key, value in first.items() if key != "AP75"})
