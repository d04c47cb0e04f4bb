"""The bootstrap over images against SciPy's, a plain loop, closed forms, and the share of cases that it covers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from psis_bench.scoring.comparing.bootstrap import class_means, group_mean, image_weights, percentile_interval
from psis_bench.scoring.comparing.intervals import seeds_and_images_interval
from psis_bench.scoring.comparing.ranks import rank_intervals


def test_weights_count_how_often_an_image_was_drawn() -> None:
    weights = image_weights(50, draws=4000, seed=3)
    assert (weights.sum(axis=1) == 50).all()
    # Multinomial: mean 1, variance 1 - 1 / 50, covariance -1 / 50.
    assert weights.mean() == 1
    assert weights.var(axis=0).mean() == pytest.approx(0.98, abs=0.01)
    assert np.cov(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(-0.02, abs=0.05)
    np.testing.assert_array_equal(weights, image_weights(50, draws=4000, seed=3))
    assert (weights != image_weights(50, draws=4000, seed=4)).any()


def test_means_under_weights_equal_a_loop_over_drawn_instances() -> None:
    random = np.random.default_rng(0)
    values, images, classes = random.random(60), random.integers(0, 12, 60), random.integers(0, 4, 60)
    weights = image_weights(12, draws=40)
    means = class_means(values, images=images, classes=classes, count=5, weights=weights)
    groups = group_mean(means, [0, 2, 4])
    for draw, row in enumerate(weights):
        drawn = [
            place for image, times in enumerate(row) for place in np.flatnonzero(images == image) for _ in range(times)
        ]
        expected = [np.mean([values[p] for p in drawn if classes[p] == k] or [np.nan]) for k in range(5)]
        np.testing.assert_allclose(means[draw], expected, rtol=1e-12)
        assert groups[draw] == pytest.approx(np.nanmean([expected[0], expected[2]]), rel=1e-12)
    assert np.isnan(means[:, 4]).all()
    assert np.isnan(group_mean(means, [4])).all()
    assert np.isnan(group_mean(means, [])).all()


def test_the_interval_is_that_of_scipy() -> None:
    """One instance an image is SciPy's own case; the ends differ by the chance of the draws alone."""
    values = np.random.default_rng(1).beta(5, 2, 200)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", random_state=0)
    weights = image_weights(200, draws=20_000)
    means = class_means(values, images=np.arange(200), classes=np.zeros(200, int), count=1, weights=weights)
    low, high = percentile_interval(means[:, 0])
    deviation = values.std() / np.sqrt(200)
    assert low == pytest.approx(expected.confidence_interval.low, abs=0.06 * deviation)
    assert high == pytest.approx(expected.confidence_interval.high, abs=0.06 * deviation)
    # And near the closed form, which a mean of 200 values reaches.
    assert means.std() == pytest.approx(deviation, rel=0.02)
    assert (low, high) == pytest.approx(stats.norm.interval(0.95, values.mean(), deviation), abs=0.15 * deviation)


def test_a_percentile_interval_leaves_out_what_was_not_drawn() -> None:
    samples = np.array([[0.0, 1.0, 2.0, 3.0, np.nan], [np.nan] * 5])
    low, high = percentile_interval(samples, confidence=0.5)
    assert (low[0], high[0]) == (0.75, 2.25)
    assert np.isnan([low[1], high[1]]).all()


def simulated(random: np.random.Generator, cases: int, images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return image, class and values (cases, n) of instances lifted by their images; and the truth."""
    counts = random.poisson(4, images) + 1
    of_image = np.repeat(np.arange(images), counts)
    of_class = random.choice(3, len(of_image), p=[0.6, 0.3, 0.1])
    lifted = random.normal(0, 0.08, (cases, images))
    values = (
        np.array([0.7, 0.6, 0.4])[of_class] + lifted[:, of_image] + random.uniform(-0.3, 0.3, (cases, len(of_image)))
    )
    return of_image, of_class, values, (0.7 + 0.6 + 0.4) / 3


def test_intervals_over_images_cover_as_often_as_they_say() -> None:
    """1,000 cases of 120 images: the class mean, and the paired difference of two runs on the same images."""
    random, weights = np.random.default_rng(7), image_weights(120, draws=1000, seed=1)
    covered, paired = [], []
    for _ in range(10):
        of_image, of_class, values, truth = simulated(random, 100, 120)
        better = values + random.normal(0.01, 0.05, values.shape)
        cases = len(values)
        # All cases in one product: case c has classes 3 c, 3 c + 1, 3 c + 2.
        classes = (3 * np.arange(cases)[:, None] + of_class).ravel()
        images = np.tile(of_image, cases)
        first, second = (
            class_means(both.ravel(), images=images, classes=classes, count=3 * cases, weights=weights)
            .reshape(len(weights), cases, 3)
            .mean(axis=2)
            .T
            for both in (values, better)
        )
        low, high = percentile_interval(first)
        covered += ((low <= truth) & (truth <= high)).tolist()
        low, high = percentile_interval(second - first)
        paired += ((low <= 0.01) & (high >= 0.01)).tolist()
    assert len(covered) == len(paired) == 1000
    assert 0.93 < np.mean(covered) < 0.97
    assert 0.93 < np.mean(paired) < 0.97


@pytest.mark.parametrize("of_images", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_over_seeds_and_images_cover_as_often_as_they_say(of_images: float, seeds: int) -> None:
    """Seeds on one draw of images; the deviation of the images is known, as the bootstrap tells it."""
    random = np.random.default_rng(5)
    cases = 1500
    deviation = of_images * 0.01 / np.sqrt(seeds)
    scores = 0.6 + deviation * random.normal(size=(cases, 1)) + 0.01 * random.normal(size=(cases, seeds))
    covered = []
    for values in scores:
        _, low, high = seeds_and_images_interval(list(values), image_deviation=deviation)
        covered.append(low <= 0.6 <= high)
    assert 0.93 < np.mean(covered) < 0.97


def test_seeds_and_images_agree_with_closed_forms() -> None:
    same = seeds_and_images_interval([0.5, 0.5, 0.5], image_deviation=0.1)
    assert same[1:] == pytest.approx(stats.norm.interval(0.95, 0.5, 0.1))
    values = [0.5, 0.6, 0.7, 0.9]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert seeds_and_images_interval(values, image_deviation=0.0)[1:] == pytest.approx(expected)
    assert np.isnan(seeds_and_images_interval([0.5], image_deviation=0.1).low)
    with pytest.raises(ValueError, match="at least one"):
        seeds_and_images_interval([], image_deviation=0.1)


def test_ranks_have_intervals() -> None:
    random = np.random.default_rng(2)
    scores = np.array([0.5, 0.7, 0.695, 0.2])
    samples = scores + 0.01 * random.normal(size=(3000, 4))
    ranks = rank_intervals(scores, samples)
    assert [rank.rank for rank in ranks] == [3, 1, 2, 4]
    assert [(rank.best, rank.worst) for rank in ranks] == [(3, 3), (1, 2), (1, 2), (4, 4)]
    assert [rank.rank for rank in rank_intervals(np.array([0.5, 0.5]), np.array([[0.5, 0.5]]))] == [1, 1]
    # A brute-force count of places in each draw.
    places = np.array([[1 + sum(other > own for other in row) for own in row] for row in samples[:500]])
    found = rank_intervals(scores, samples[:500], confidence=0.8)
    for run in range(4):
        inside = (places[:, run] >= found[run].best) & (places[:, run] <= found[run].worst)
        assert inside.mean() >= 0.8
