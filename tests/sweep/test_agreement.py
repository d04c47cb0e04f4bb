"""How alike two matrices rank: against SciPy, counts by hand, and the share of simulated cases that is covered."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from psis_bench.errors import UserError
from psis_bench.sweep.agreement import agreements, rank_correlation, same_order
from psis_bench.sweep.matrix import TransferMatrix


def test_the_coefficient_is_scipys_and_holes_are_left_out() -> None:
    random = np.random.default_rng(0)
    first, second = random.random(30), random.random(30)
    first[3], second[[3, 7]] = np.nan, np.nan
    there = ~np.isnan(first + second)
    found = rank_correlation(first, second)
    assert found.value == pytest.approx(stats.spearmanr(first[there], second[there]).statistic)
    assert found.number == 28
    # Fisher's z with the variance of Bonett and Wright, for 28 values.
    half = 1.959964 * ((1 + found.value**2 / 2) / 25) ** 0.5
    assert np.arctanh([found.low, found.high]) == pytest.approx(np.arctanh(found.value) + np.array([-half, half]))


def test_few_values_have_no_interval() -> None:
    assert np.isnan(rank_correlation(np.arange(9.0), np.arange(9.0)[::-1]).low)
    assert np.isnan(rank_correlation(np.arange(2.0), np.arange(2.0)).value)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_interval_covers_as_often_as_it_says(rho: float) -> None:
    """1,000 cases of 60 targets; Spearman's coefficient of a normal pair is 6 / pi asin(rho / 2)."""
    random = np.random.default_rng(1)
    truth = 6 / np.pi * np.arcsin(rho / 2)
    covered = []
    for _ in range(1000):
        first = random.normal(size=60)
        second = rho * first + (1 - rho**2) ** 0.5 * random.normal(size=60)
        found = rank_correlation(first, second)
        covered.append(found.low <= truth <= found.high)
    assert 0.93 < np.mean(covered) < 0.97


def test_pairs_in_the_same_order_are_counted() -> None:
    first = np.array([[0.1, 0.5, 0.3], [0.2, 0.4, 0.3], [0.3, 0.6, np.nan]])
    second = np.array([[0.1, 0.5, 0.3], [0.3, 0.4, 0.1], [0.2, 0.7, 0.9]])
    # Target 0: two of three pairs; target 1: all three; target 2: one pair is known, equal in the first matrix.
    found = same_order(first, second)
    assert found.value == pytest.approx((2 + 3 + 0.5) / 7)
    assert found.number == 7
    assert found.low <= found.value <= found.high
    assert same_order(first[:, :2], first[:, :2])[:3] == (1.0, 1.0, 1.0)
    assert same_order(first[:, :2], -first[:, :2])[:3] == (0.0, 0.0, 0.0)
    random = np.random.default_rng(0)
    chance = same_order(random.random((3, 400)), random.random((3, 400)))
    assert chance.low < 0.5 < chance.high


def matrix(sources: tuple[str, ...], targets: tuple[str, ...], scores: np.ndarray) -> TransferMatrix:
    return TransferMatrix(
        metric="gt_box_miou",
        protocol="full",
        sources=sources,
        targets=targets,
        seeds=(0,),
        scores=scores[:, :, None],
        seen=np.zeros(scores.shape, dtype=bool),
        reference=np.empty((len(targets), 0)),
    )


def test_matrices_are_matched_by_name() -> None:
    scores = np.random.default_rng(3).random((3, 12))
    names = tuple(f"t{place:02d}" for place in range(12))
    first = matrix(("a", "b", "c"), names, scores)
    second = matrix(("c", "x", "a", "b"), names[::-1], np.vstack([scores[2], scores[0], scores[0], scores[1]])[:, ::-1])
    found = agreements(first, second)
    assert {what: (one.value, one.number) for what, one in found.items()} == {
        "targets": (pytest.approx(1.0), 12),
        "sources": (pytest.approx(1.0), 3),
        "sources by target": (1.0, 36),
    }
    with pytest.raises(UserError, match="one matrix is of gt_box_miou, the other of mask_AP"):
        agreements(first, dataclasses.replace(second, metric="mask_AP"))
    with pytest.raises(UserError, match="share fewer than two sources"):
        agreements(first, matrix(("y", "z", "a"), names, scores))
