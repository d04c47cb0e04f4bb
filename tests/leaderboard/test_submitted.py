"""Submissions as rows: seeds, intervals, tiers, and folders that are not what they say."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from made_submissions import make_submission

from psis_bench.leaderboard.rows import Estimate, Row
from psis_bench.leaderboard.site import read_zoo
from psis_bench.leaderboard.submitted import read_submitted
from psis_bench.submissions.schema import Tier


def only_row(root: Path) -> Row:
    rows, faults = read_submitted(root)
    assert not faults
    (row,) = rows
    return row


def set_unseen_miou(folder: Path, value: float) -> None:
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    metrics["groups"]["unseen"]["gt_box_miou"]["class_mean"] = value
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_three_seeds_are_one_row_with_students_interval(tmp_path: Path):
    for seed, value in ((0, 0.60), (1, 0.62), (2, 0.64)):
        set_unseen_miou(make_submission(tmp_path, seed=seed, seeds=(0, 1, 2), tier=None), value)
    row = only_row(tmp_path)
    estimate = row.numbers["gt_box_miou.unseen"]
    # Mean 0.62, standard deviation 0.02, t(0.975, 2) = 4.302653: half width 0.0496828.
    assert estimate == pytest.approx((0.62, 0.5703172, 0.6696828), abs=1e-6)
    assert row.seeds == (0, 1, 2)
    assert row.notes == ()


def test_a_single_seed_has_no_interval_and_missing_ones_are_told(tmp_path: Path):
    make_submission(tmp_path, seed=4, seeds=(4, 5, 6))
    row = only_row(tmp_path)
    assert row.numbers["mask_AP.unseen"].low is None
    assert row.notes == ("Trained with more seeds than were submitted; missing: 5, 6.",)


def test_the_trivial_rows_have_no_interval(tmp_path: Path):
    for seed in (0, 1):
        make_submission(tmp_path, seed=seed, seeds=(0, 1))
    row = only_row(tmp_path)
    assert row.numbers["ellipse.unseen"] == Estimate(pytest.approx(0.51))
    assert row.numbers["mask_AP.unseen"].low is not None


def test_a_row_is_checked_as_far_as_its_least_checked_seed(tmp_path: Path):
    make_submission(tmp_path, seed=0, seeds=(0, 1), tier=Tier.RETRAINED)
    make_submission(tmp_path, seed=1, seeds=(0, 1), tier=Tier.RECOMPUTED)
    row = only_row(tmp_path)
    assert row.tier == "recomputed"
    assert [scores.tier for scores in row.per_seed] == ["retrained", "recomputed"]


def test_a_tier_falls_when_a_number_is_changed_afterwards(tmp_path: Path):
    folder = make_submission(tmp_path, tier=Tier.RETRAINED)
    set_unseen_miou(folder, 0.99)
    assert only_row(tmp_path).tier == "reported"


def test_seeds_scored_on_different_annotations_are_different_rows(tmp_path: Path):
    make_submission(tmp_path, seed=0, seeds=(0, 1), annotations="a" * 64)
    make_submission(tmp_path, seed=1, seeds=(0, 1), annotations="b" * 64)
    rows, _ = read_submitted(tmp_path)
    assert sorted(row.seeds for row in rows) == [(0,), (1,)]
    assert len({row.name for row in rows}) == 2


def test_scores_of_classes_are_means_over_seeds(tmp_path: Path):
    folders = [make_submission(tmp_path, seed=seed, seeds=(0, 1)) for seed in (0, 1)]
    values = []
    for folder in folders:
        with (folder / "per_class.csv").open(encoding="utf-8", newline="") as file:
            values.append({row["name"]: float(row["mask_AP"]) for row in csv.DictReader(file)})
    shown = {score.name: score for score in only_row(tmp_path).classes}
    assert len(shown) == 80
    for name in ("person", "zebra"):
        assert shown[name].mask_ap == pytest.approx((values[0][name] + values[1][name]) / 2)


def test_the_command_is_that_of_the_configuration(tmp_path: Path):
    folder = make_submission(tmp_path)
    keys = {"split": "voc2nonvoc", "mask_head": "resnet4", "crop_source": None, "data": {"name": "coco"}, "mm": {}}
    (folder / "config.json").write_text(json.dumps({"run": keys, "mm": None}), encoding="utf-8")
    assert only_row(tmp_path).commands[0] == (
        "Train it again",
        "psis-bench run split=voc2nonvoc mask_head=resnet4 data=coco",
    )


@pytest.mark.parametrize("content", ["{", "[]", '{"run": 5}', '{"run": {"model": "x"}}', "[" * 5000, ""])
def test_a_configuration_that_is_none_is_no_command(tmp_path: Path, content: str):
    folder = make_submission(tmp_path)
    (folder / "config.json").write_text(content, encoding="utf-8")
    assert [label for label, _ in only_row(tmp_path).commands] == ["Score it again"]


def test_a_configuration_that_is_a_link_is_not_read(tmp_path: Path):
    folder = make_submission(tmp_path / "zoo")
    (tmp_path / "elsewhere.json").write_text('{"run": {"split": "voc2nonvoc"}}', encoding="utf-8")
    (folder / "config.json").symlink_to(tmp_path / "elsewhere.json")
    assert [label for label, _ in only_row(tmp_path / "zoo").commands] == ["Score it again"]


def test_a_damaged_submission_and_one_in_the_wrong_place_are_named(tmp_path: Path):
    root = tmp_path / "submissions"
    make_submission(root, model="good")
    damaged = make_submission(root, model="damaged")
    (damaged / "metrics.json").write_text("{", encoding="utf-8")
    moved = make_submission(root, model="moved")
    moved.rename(moved.parent / "5")
    rows, faults = read_submitted(root)
    assert [row.model for row in rows] == ["good"]
    assert len(faults) == 2
    assert "damaged" in faults[0]
    assert "wrong folder for what it says, voc2nonvoc@1/moved/0; move it there" in faults[1]
    assert read_zoo(tmp_path).faults == faults
