"""Intervals, yield and sequential stopping, against scipy and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from xbar_cli.statistics import (
    ACCURACY,
    MIN_SAMPLES,
    RULED_OUT,
    bounded,
    bounded_interval,
    capital,
    enough,
    estimate,
    fewest,
    is_skewed,
    sampling_error,
    skewness,
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


def normal(rng, shape):
    return rng.normal(0.85, 0.01, shape)


def dead(share):
    """Chips of 85 %, of which a share has 10 %."""
    return lambda rng, shape: np.where(rng.random(shape) < share, 0.1, normal(rng, shape))


def skewed(rng, shape):
    return np.clip(0.95 - 0.02 * rng.lognormal(0, 1, shape), 0, 1)


SKEWED_MEAN = 0.95 - 0.02 * math.exp(0.5)
CHIPS = {
    "normal": (normal, 0.85),
    "skewed": (skewed, SKEWED_MEAN),
    **{f"{share:.0%} dead": (dead(share), 0.85 - 0.75 * share) for share in (0.01, 0.05, 0.1, 0.2)},
}


@pytest.mark.parametrize("name", CHIPS)
def test_a_run_that_stops_by_its_width_holds_the_mean(name):
    """300 runs, looked at after each tenth more chips. The rule of Student's interval alone held 38 % at 5 % dead."""
    draw, mean = CHIPS[name]
    x, width = draw(np.random.default_rng(2), (300, 600)), 0.1
    low, high, going, n = np.zeros(300), np.ones(300), np.arange(300), fewest(width)
    while going.size and n <= 600:
        low[going], high[going] = bounded_interval(x[going, :n], width=width)
        going, n = going[high[going] - low[going] > width], int(n * 1.1) + 1
    held = (low <= mean) & (mean <= high)
    assert held.mean() >= 0.94
    assert going.size <= 6
    # whoever stops as he likes is wrong no more often
    above, below = capital(x, mean, width=width), capital(1 - x, 1 - mean, width=width)
    assert (np.maximum(above, below).max(-1) < RULED_OUT).mean() >= 0.92


def test_a_run_stops_at_the_first_interval_that_is_narrow_enough():
    drawn = normal(np.random.default_rng(3), 200).tolist()
    stops = {width: next(n for n in range(1, 201) if enough(drawn[:n], width=width)) for width in (0.05, 0.1, 0.5)}
    for width, n in stops.items():
        assert n >= fewest(width) >= MIN_SAMPLES
        assert np.ptp(bounded(drawn[:n], width=width).ci95) <= width
        if n > fewest(width):
            assert np.ptp(bounded(drawn[: n - 1], width=width).ci95) > width
    # what chips that all agree cost: little more than any rule must take
    assert (stops[0.05], stops[0.1], stops[0.5]) == pytest.approx((82, 40, MIN_SAMPLES), abs=2)
    assert fewest(0.05) == math.ceil(math.log(40) / -math.log(0.95)) == 72


def test_the_bounded_interval_is_waudby_smiths_and_ramdas():
    """Against a loop over the samples and a search over the means."""
    x = np.random.default_rng(4).choice([0.1, 0.8, 0.9], 30, p=[0.1, 0.5, 0.4])

    def log_capital(x, m, reach):
        total = 0.0
        for i, value in enumerate(x):
            variance = (0.05 + (np.var(x[:i]) * i if i else 0.0)) / max(i, 1)
            mean = (0.5 + sum(x[:i])) / (i + 1)
            stake = reach(variance) / (variance + 0.7 * reach(variance) * mean)
            total += math.log(1 + min(stake, 0.95 / m) * (value - m))
        return total

    for width, reach in ((0.2, lambda _: 0.1), (None, lambda v: math.sqrt(2 * math.log(40) * v / 30))):
        means = np.linspace(1e-4, 1 - 1e-4, 2000)
        low = max(m for m in means if log_capital(x, m, reach) >= math.log(40))
        high = min(1 - m for m in means if log_capital(1 - x, m, reach) >= math.log(40))
        np.testing.assert_allclose(bounded(x.tolist(), width=width).ci95, (low, high), atol=6e-4)


def test_chips_that_agree_say_nothing_of_the_bad_ones_that_were_not_seen():
    """A share of bad chips that escapes with a probability of 5 % lies inside of the interval, Student's has no width."""
    for n in (5, 25, 100):
        low, high = bounded([0.8] * n).ci95
        unseen = 1 - 0.05 ** (1 / n)
        assert low <= 0.8 * (1 - unseen)
        assert high >= 0.8 + 0.2 * unseen
        assert np.ptp(estimate([0.8] * n).ci95) < 1e-15
    assert bounded([0.5]).ci95 is None


def test_every_interval_of_an_accuracy_is_one_of_accuracies():
    for samples in ([1.0, 0.98, 0.6], [0.0, 0.0, 0.3], [1.0, 0.1], [1.0] * 30, [0.0] * 30, [0.999, 1.0] * 10):
        student = estimate(samples, within=ACCURACY)
        for found in (student, bounded(samples), bounded(samples, width=0.1)):
            for low, high in (found.ci95, with_test_set(found, images=10)):
                assert 0 <= low <= found.mean <= high <= 1
        assert yield_at(samples, 0.5, width=0.1).ci95[0] >= 0
    wide = estimate([1.0, 0.1])
    assert wide.ci95[0] < 0 < 1 < wide.ci95[1]  # of a power, say
    # all right on a few images is no certainty about others
    assert with_test_set(estimate([1.0] * 30), images=10)[0] == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)


def test_the_yield_of_a_run_that_stopped_by_itself_is_wider():
    samples = dead(0.1)(np.random.default_rng(5), 200).tolist()
    fixed, stopped = yield_at(samples, 0.8), yield_at(samples, 0.8, width=0.1)
    assert fixed.fraction == stopped.fraction
    assert stopped.ci95[0] < fixed.ci95[0] < fixed.ci95[1] < stopped.ci95[1]


def test_skewed_samples_are_told_from_normal_ones():
    rng = np.random.default_rng(6)
    noted = {
        name: np.mean([is_skewed(row) for row in draw(rng, (400, 25)).tolist()]) for name, (draw, _) in CHIPS.items()
    }
    assert noted["normal"] < 0.04
    assert noted["skewed"] > 0.6
    assert 0.6 < noted["5% dead"] < 0.85  # 28 of 100 runs hold no dead chip at all, and nothing is to be seen
    assert is_skewed([0.85] * 24 + [0.1])
    assert not is_skewed([0.8] * 25)
    assert (skewness([0.8] * 5), skewness([0.8, 0.9])) == (None, None)
    x = skewed(rng, 30)
    assert skewness(x.tolist()) == pytest.approx(stats.skew(x, bias=False))


def test_equal_values_have_no_spread():
    """Their mean may round: 0.755 five times is off by a bit, and its spread would be 1e-16."""
    found = estimate([0.755] * 5)
    assert found.std == 0.0
    assert found.ci95 == (found.mean, found.mean)
