"""Intervals, yield and sequential stopping, against scipy and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from xbar_cli.workflows.statistics import (
    MIN_SAMPLES,
    enough,
    estimate,
    half_width,
    sampling_error,
    with_test_set,
    yield_at,
)

IMAGES = 1000


def test_the_interval_of_the_mean_is_students():
    x = np.random.default_rng(0).normal(0.8, 0.02, 12)
    found = estimate(list(x))
    np.testing.assert_allclose(found.ci95, stats.ttest_1samp(x, 0).confidence_interval(0.95))
    assert found.std == pytest.approx(x.std(ddof=1))
    assert estimate([0.5]).ci95 is None


def test_the_interval_over_chips_and_images_holds_the_true_accuracy():
    """A chip gets every image right with a probability of its own; both chips and images are drawn anew 1000 times."""
    rng = np.random.default_rng(1)
    held = {"chips": 0, "both": 0}
    for _ in range(1000):
        difficulty = rng.normal(0, 0.5, IMAGES)  # the images' part is common to all chips
        chance = stats.norm.cdf(1 + difficulty[None, :] + rng.normal(0, 0.05, (15, 1)))
        samples = (rng.random((15, IMAGES)) < chance).mean(axis=1)
        truth = stats.norm.cdf(1 / math.sqrt(1 + 0.5**2 + 0.05**2))
        found = estimate(list(samples))
        both = with_test_set(found, images=IMAGES)
        held["chips"] += found.ci95[0] <= truth <= found.ci95[1]
        held["both"] += both[0] <= truth <= both[1]
    assert held["both"] >= 950  # the images' error is bounded from above
    assert held["chips"] < 900  # and leaving it out is not honest
    assert with_test_set(estimate([0.5]), images=IMAGES) is None
    assert sampling_error(1.0, IMAGES) == 0.0


def test_the_yield_is_clopper_and_pearsons():
    samples = [0.8] * 3 + [0.85] * 2 + [0.9] * 15
    found = yield_at(samples, 0.85)
    assert found.fraction == 17 / 20
    expected = stats.beta.ppf(0.025, 17, 4), stats.beta.ppf(0.975, 18, 3)
    np.testing.assert_allclose(found.ci95, expected, rtol=1e-9)
    assert yield_at(samples, 0.91).ci95[0] == 0.0
    assert yield_at([851 / 1000], 0.851).fraction == 1.0


def test_a_run_stops_at_the_width_asked_for_and_its_interval_is_honest():
    rng = np.random.default_rng(2)
    width, held, lengths = 0.01, 0, []
    for _ in range(300):
        drawn = rng.normal(0.8, 0.01, 100)
        n = next(n for n in range(1, 101) if enough(drawn[:n], width=width, images=IMAGES))
        found = estimate(drawn[:n])
        assert n >= MIN_SAMPLES
        assert found.ci95[1] - found.ci95[0] <= width
        held += found.ci95[0] <= 0.8 <= found.ci95[1]
        lengths.append(n)
    assert stats.binomtest(held, 300, 0.94).pvalue > 1e-3
    assert np.mean(lengths) == pytest.approx(18, abs=2)  # 2 t s / sqrt(n) = w


def test_chips_that_agree_by_chance_do_not_stop_a_run():
    same = [0.8] * 40
    rounding = 1 / 20 / math.sqrt(12)
    assert not enough(same[:MIN_SAMPLES], width=0.005, images=20)
    assert enough(same, width=2 * half_width(rounding, 40) + 1e-9, images=20)
    assert enough(same[:MIN_SAMPLES], width=0.005, images=10_000)
