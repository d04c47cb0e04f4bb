"""Which classes moved, on differences that are made up and so are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scored_folders import MIOU, NAMES, entry, folder

from psis_bench.scoring.comparing.moved_classes import class_differences


def test_the_class_that_moved_is_named_and_no_other(data) -> None:
    images, categories, ious = data
    random = np.random.default_rng(3)
    noise = random.normal(0, 0.03, len(ious))
    second = ious + noise + np.where(categories == 9, 0.03, 0)
    shared = {"images": images, "categories": categories}
    first, other = entry("A", folder("a", ious, **shared)), entry("B", folder("b", second, **shared))
    rows = class_differences(first, other, MIOU)
    assert [row.name for row in rows if row.moved] == ["bat"]
    assert rows[0].name == "bat"
    for row in rows:
        own = categories == row.category_id
        values = (second - ious)[own]
        assert row.difference.value == pytest.approx(values.mean(), rel=1e-9)
        assert row.images == len(set(images[own]))
        # Noise is independent from instance to instance, so Student's interval over instances is nearly the same.
        expected = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        assert (row.difference.low, row.difference.high) == pytest.approx(expected, abs=0.15 * np.ptp(expected))
        student = values.mean() / stats.sem(values)
        assert row.p_value == pytest.approx(2 * stats.t.sf(abs(student), len(values) - 1), abs=0.05)


def test_a_class_that_moved_alike_in_every_draw_is_listed_unless_that_may_be_chance() -> None:
    """One IoU before and one after: no draw differs. Of two images chance would do that in half of all cases."""
    images = np.arange(64)
    categories = np.repeat(list(NAMES), (40, 12, 2, 1, 9))
    lift = {2: -0.5, 3: 0.1, 7: 0.3, 9: 0.3, 11: 0.0}
    first = np.full(64, 0.6)
    second = first + np.array([lift[category] for category in categories.tolist()])
    entries = [
        entry(name, folder(name, ious, images=images, categories=categories))
        for name, ious in zip("AB", (first, second), strict=True)
    ]
    rows = {row.name: row for row in class_differences(*entries, MIOU)}
    assert {name for name, row in rows.items() if row.moved} == {"cat", "dog"}
    for name in ("cat", "dog", "cow", "elk"):
        row = rows[name]
        assert (row.difference.low, row.difference.high) == (pytest.approx(row.difference.value, abs=1e-12),) * 2
        signs = stats.binomtest(row.images, row.images).pvalue  # of the sign test, all on one side
        assert row.p_value == pytest.approx(1.0 if name == "elk" else signs)
    assert (rows["bat"].p_value, rows["bat"].difference.low) == (None, None)


def test_chance_alone_seldom_moves_a_class(data) -> None:
    """Of 40 comparisons of nothing but noise, about one in twenty names any class at all."""
    images, categories, ious = data
    shared = {"images": images, "categories": categories}
    first, named = entry("A", folder("a", ious, **shared), draws=200), 0
    for seed in range(40):
        second = ious + np.random.default_rng(seed).normal(0, 0.05, len(ious))
        other = entry("B", folder("b", second, **shared), draws=200)
        named += any(row.moved for row in class_differences(first, other, MIOU))
    assert named <= 6  # more than 6 of 40 at 5 % each: once in 300 times
