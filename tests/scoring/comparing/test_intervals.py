"""Intervals against SciPy's own and against the t table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from psis_bench.scoring.comparing.intervals import class_mean_interval, mean_interval


def test_three_runs_use_the_t_table() -> None:
    # t(0.975, 2) = 4.3027 (any table); standard error of 1, 2, 3 is 1 / sqrt(3).
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert high - mean == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)
    assert mean - low == pytest.approx(high - mean)


@pytest.mark.parametrize("runs", [2, 5, 30])
def test_agrees_with_scipy(runs: int) -> None:
    values = np.random.default_rng(runs).normal(0.6, 0.02, runs)
    expected = stats.t.interval(0.9, runs - 1, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(list(values), confidence=0.9)[1:] == pytest.approx(expected)


def test_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = [
        low <= 0.6 <= high for _, low, high in (mean_interval(list(v)) for v in generator.normal(0.6, 0.1, (2000, 3)))
    ]
    assert 0.93 < np.mean(covered) < 0.97


def test_one_run_has_no_interval() -> None:
    mean, low, high = mean_interval([0.5])
    assert mean == 0.5
    assert math.isnan(low)
    assert math.isnan(high)


def test_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


@pytest.mark.parametrize("classes", [1, 4])
def test_a_mean_over_classes_has_the_freedom_of_them_all(classes: int) -> None:
    variances, freedoms = np.full(classes, 0.01**2), np.full(classes, 5.0)
    _, low, high = class_mean_interval(0.4, deviation=0.02, variances=variances, freedoms=freedoms, confidence=0.9)
    assert (low, high) == pytest.approx(stats.t.interval(0.9, 5 * classes, 0.4, 0.02))


def test_a_mean_over_classes_stays_between_0_and_1() -> None:
    known = {"variances": np.array([0.04, np.nan, 0.0]), "freedoms": np.array([2.0, 1.0, 1.0])}
    assert class_mean_interval(0.1, deviation=0.2, **known)[:2] == (0.1, 0.0)
    assert class_mean_interval(0.9, deviation=0.2, **known).high == 1.0
    nothing = class_mean_interval(0.3, deviation=0.0, variances=np.array([0.0, np.nan]), freedoms=np.ones(2))
    assert nothing == (0.3, 0.3, 0.3)
