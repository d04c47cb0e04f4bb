"""Differences and their intervals, ranks, and what is refused, on scores that are made up and so are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scored_folders import KEY, MIOU, NAMES, entry, folder

from psis_bench.errors import UserError
from psis_bench.scoring.comparing.comparison import (
    Number,
    check_comparable,
    compare,
    names_of_entries,
    runs_of_entries,
    to_dict,
)
from psis_bench.scoring.comparing.comparison_table import as_markdown, sheets
from psis_bench.scoring.comparing.moved_classes import class_differences
from psis_bench.scoring.results.probe_mark import NOTE
from psis_bench.scoring.results.scores import SplitIdentity


def test_a_paired_difference_is_that_of_scipy() -> None:
    """One instance an image and one class that moves: SciPy's bootstrap of paired samples is the same thing."""
    random = np.random.default_rng(1)
    first, change = random.beta(6, 3, 300), random.normal(0.02, 0.05, 300)
    categories = np.repeat(list(NAMES), 60)
    cow = categories == 7
    second = first + np.where(cow, change, 0)
    shared = {"images": np.arange(300), "categories": categories}
    entries = [
        entry(name, folder(name, ious, **shared), draws=8000) for name, ious in zip("AB", (first, second), strict=True)
    ]
    found = compare(entries).differences[KEY, "unseen"]
    assert found.value == pytest.approx(change[cow].mean() / 2, rel=1e-12)
    # The 60 cows, and how many of 300 draws they are, of two unseen classes of which the other never moves.
    expected = stats.bootstrap((change[cow] / 2,), np.mean, n_resamples=8000, method="percentile", random_state=0)
    deviation = expected.standard_error
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.1 * deviation)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.1 * deviation)
    assert compare(entries).differences[KEY, "seen"] == replace(found, value=0.0, low=0.0, high=0.0)


def test_equal_runs_have_no_difference_and_no_class_moves(data) -> None:
    images, categories, ious = data
    entries = [entry(name, folder(name, ious, images=images, categories=categories)) for name in "AB"]
    assert {(n.value, n.low, n.high) for n in compare(entries).differences.values()} == {(0.0, 0.0, 0.0)}
    assert not any(row.moved for row in class_differences(*entries, MIOU))
    assert not any(number.excludes_zero for number in compare(entries).differences.values())


def test_seeds_are_one_entry_with_the_spread_of_seeds(data) -> None:
    images, categories, ious = data
    shared = {"images": images, "categories": categories}
    lifts = {"one": (0.0, 0.01, 0.02), "two": (0.05, 0.05, 0.08)}
    runs = [
        folder(f"{config}{seed}", ious + lift, **shared, config=config, seed=seed)
        for config, values in lifts.items()
        for seed, lift in enumerate(values)
    ]
    grouped = runs_of_entries([runs[0], runs[3], runs[2], runs[1], runs[5], runs[4]])
    assert [[run.path.name for run in group] for group in grouped] == [
        ["one0", "one1", "one2"],
        ["two0", "two1", "two2"],
    ]
    assert [len(group) for group in runs_of_entries([runs[0], replace(runs[0], path=Path("again"))])] == [1, 1]
    entries = [entry(label, *group) for label, group in zip("AB", grouped, strict=True)]
    found = compare(entries).differences[KEY, "all"]
    # Every image moves alike, so that only the seeds spread: Student's interval of 0.05, 0.04, 0.06.
    expected = stats.t.interval(0.95, 2, 0.05, stats.sem([0.05, 0.04, 0.06]))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)
    assert not found.excludes_zero or expected[0] > 0
    number = compare(entries).numbers[KEY, "all"][0]
    of_seeds = stats.t.interval(0.95, 2, 0, stats.sem(lifts["one"]))[1]
    deviation = np.std(entries[0].drawn(MIOU, "all"), ddof=1)
    squares = stats.norm.ppf(0.975) * deviation
    of_mean = stats.sem(lifts["one"]) ** 2
    freedom = (of_mean + deviation**2) ** 2 / (of_mean**2 / 2)
    satterthwaite = stats.t.ppf(0.975, freedom) * np.sqrt(of_mean + deviation**2)
    expected_half = (np.hypot(of_seeds, squares) + satterthwaite) / 2
    assert number.high - number.value == pytest.approx(expected_half, rel=1e-6)
    alone = compare([entries[0], entry("B", grouped[1][0])]).differences[KEY, "all"]
    assert (alone.value, alone.low) == (pytest.approx(0.04), None)


@pytest.mark.parametrize(
    ("configs", "names"),
    [
        ([{"model": "a"}, {"model": "b"}], ["a", "b"]),
        ([{"model": "a", "mask_head": "x"}, {"model": "a", "mask_head": None}, {"model": "b"}], ["a x", "a", "b"]),
        ([{"model": "a", "mask_head": "x"}, {"model": "a", "mask_head": "y"}], ["x", "y"]),
        ([{"model": "a", "iterations": 1}, {"model": "a", "iterations": 2}], ["", ""]),
        ([{"model": "a"}, None], ["a", ""]),
    ],
)
def test_entries_are_named_by_what_tells_them_apart(data, configs, names) -> None:
    images, categories, ious = data
    runs = [
        folder(str(place), ious, images=images, categories=categories, config=config and json.dumps(config), seed=0)
        for place, config in enumerate(configs)
    ]
    assert names_of_entries([(run,) for run in runs]) == names
    entries = [replace(entry("A", run), name=name) for run, name in zip(runs, names, strict=True)]
    comparison = compare(entries)
    assert [row[0] for row in sheets(comparison, [])[0].rows[: len(runs)]] == [f"A  {name}".strip() for name in names]


def test_three_entries_are_ranked(data) -> None:
    images, categories, ious = data
    shared = {"images": images, "categories": categories}
    noise = np.random.default_rng(5).normal(0, 0.1, len(ious))
    entries = [
        entry("A", folder("a", ious, **shared)),
        entry("B", folder("b", ious + 0.1, **shared)),
        entry("C", folder("c", ious + noise - noise.mean(), **shared)),
    ]
    comparison = compare(entries)
    assert comparison.differences == {}
    ranks = comparison.ranks[KEY, "all"]
    assert ranks[1] == (1, 1, 1)
    assert (ranks[0].best, ranks[0].worst) == (ranks[2].best, ranks[2].worst) == (2, 3)
    content = to_dict(comparison)
    assert content["ranks"][KEY]["all"][1] == {"rank": 1, "best": 1, "worst": 1}
    assert content["entries"][2]["scores"][KEY]["seen"]["value"] == comparison.numbers[KEY, "seen"][2].value


def test_groups_beyond_seen_and_unseen_have_intervals_where_their_classes_are_known(data) -> None:
    images, categories, ious = data
    shared = {"images": images, "categories": categories}
    runs = [folder(name, ious + lift, **shared) for name, lift in (("a", 0.0), ("b", 0.1))]
    for run in runs:
        run.scores.groups["rare"] = run.scores.groups["unseen"]
    entries = [entry(label, run) for label, run in zip("AB", runs, strict=True)]
    assert compare(entries).differences[KEY, "rare"] == Number(value=pytest.approx(0.1))
    known = [replace(one, groups={"rare": [7, 9]}) for one in entries]
    found = compare(known)
    assert found.groups == ["seen", "unseen", "all", "rare"]
    assert found.differences[KEY, "rare"] == found.differences[KEY, "unseen"]
    assert found.numbers[KEY, "rare"][0].low is not None


def test_an_entry_with_extra_mask_data_is_marked_and_not_ranked(data) -> None:
    images, categories, ious = data
    runs = [
        folder(name, ious + lift, images=images, categories=categories)
        for name, lift in zip("abc", (0.1, 0, 0.2), strict=True)
    ]
    marked = replace(runs[2], scores=replace(runs[2].scores, notes=("extra mask data, not comparable: SA-1B",)))
    comparison = compare([entry("A", runs[0]), entry("B", runs[1]), entry("C", marked)])
    ranks = comparison.ranks[KEY, "all"]
    assert [rank and rank.rank for rank in ranks] == [1, 2, None]
    assert to_dict(comparison)["ranks"][KEY]["all"][2] is None
    markdown = as_markdown(sheets(comparison, []), comparison)
    (row,) = (line for line in markdown.splitlines() if line.startswith("| C, extra mask data |"))
    assert "#" not in row
    assert "* C: c (extra mask data)" in markdown


def test_runs_that_do_not_mean_the_same_are_refused(data) -> None:
    images, categories, ious = data
    first = folder("a", ious, images=images, categories=categories)
    check_comparable([first, replace(first, path=Path("b"))])
    split = replace(first.scores, split=SplitIdentity(name="pets", version=2, hash="c" * 64))
    with pytest.raises(
        UserError, match=r"^b: is scored under split pets version 2 \(cccccccc\), a under split|pets version 1"
    ):
        check_comparable([first, replace(first, path=Path("b"), scores=split)])
    data_of = replace(first.scores.dataset, annotations_sha256="d" * 64)
    with pytest.raises(UserError, match=r"^b: is scored on other annotations .*dddddddd.* than a .*bbbbbbbb"):
        check_comparable([first, replace(first, path=Path("b"), scores=replace(first.scores, dataset=data_of))])
    fewer = replace(first.instances, annotations=first.instances.annotations + 1)
    with pytest.raises(UserError, match="other annotations"):
        check_comparable([first, replace(first, path=Path("b"), instances=fewer)])
    probe = replace(first, path=Path("b"), scores=replace(first.scores, notes=(NOTE,)))
    for order in ([first, probe], [probe, first]):
        with pytest.raises(UserError, match=r"^b: is of probe mode, another protocol, and a is not"):
            check_comparable(order)
    check_comparable([probe, replace(probe, path=Path("c"))])


def test_probe_mode_is_told_beside_every_entry(data) -> None:
    images, categories, ious = data
    runs = [folder(name, ious, images=images, categories=categories) for name in "ab"]
    runs = [replace(run, scores=replace(run.scores, notes=(NOTE,))) for run in runs]
    comparison = compare([entry(label, run) for label, run in zip("AB", runs, strict=True)])
    text = as_markdown(sheets(comparison, []), comparison)
    assert text.count("| A, probe mode |") == 1
    assert "B: b (probe mode)" in text
