"""The paired comparison: against scipy, uniform p under the null, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from xbar_cli.errors import RunError
from xbar_cli.workflows.compare import Evaluation, compare, on_chips
from xbar_cli.workflows.statistics import sampling_error

IMAGES = 1000
STEP = 1 / IMAGES


def chips(rng, n, *, mean=0.85, spread=0.01):
    """Accuracies of n chips on a test set: whole numbers of hits."""
    return np.round(rng.normal(mean, spread, n) * IMAGES) / IMAGES


def test_paired_and_welch_are_scipys():
    rng = np.random.default_rng(0)
    a, b = chips(rng, 25), chips(rng, 25, mean=0.86)
    found, reference = compare(a, b, paired=True, resolution=STEP), stats.ttest_rel(b, a)
    assert found.p == pytest.approx(reference.pvalue)
    np.testing.assert_allclose(found.ci95, reference.confidence_interval(0.95))
    c = chips(rng, 10, spread=0.03)
    found, reference = compare(a, c, paired=False, resolution=STEP), stats.ttest_ind(c, a, equal_var=False)
    assert (found.method, found.p) == ("Welch t", pytest.approx(reference.pvalue))
    np.testing.assert_allclose(found.ci95, reference.confidence_interval(0.95))
    assert found.difference == pytest.approx(c.mean() - a.mean())


@pytest.mark.parametrize("paired", [True, False])
def test_p_is_uniform_where_there_is_no_difference(paired):
    rng = np.random.default_rng(1)
    found = [compare(chips(rng, 25), chips(rng, 25), paired=paired, resolution=STEP) for _ in range(400)]
    assert stats.kstest([c.p for c in found], "uniform").pvalue > 1e-3
    covered = np.mean([c.ci95[0] <= 0 <= c.ci95[1] for c in found])
    assert stats.binomtest(round(covered * 400), 400, 0.95).pvalue > 1e-3


def test_pairing_sees_what_the_chips_share():
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 0.02, 25)
    a, b = 0.85 + shared, 0.852 + shared + rng.normal(0, 0.001, 25)
    assert compare(a, b, paired=True, resolution=STEP).better == "b"
    assert compare(b, a, paired=True, resolution=STEP).better == "a"
    assert compare(a, b, paired=False, resolution=STEP).better is None


def test_identical_and_exact_and_a_difference_without_spread():
    a = np.asarray([0.8, 0.81, 0.79])
    same = compare(a, a, paired=True, resolution=STEP)
    assert (same.method, same.p, same.difference, same.better) == ("identical", 1.0, 0.0, None)
    exact = compare([0.8, 0.8], [0.7, 0.7], paired=True, resolution=STEP)
    assert (exact.method, exact.p, exact.better) == ("exact", None, "a")
    # two chips that happen to differ by as many hits prove nothing
    assert compare([0.80, 0.82], [0.801, 0.821], paired=True, resolution=STEP).p > 0.05
    with pytest.raises(ValueError, match="at least 2 chips"):
        compare([0.8], [0.9], paired=True, resolution=STEP)
    with pytest.raises(ValueError, match="as many chips in both"):
        compare([0.8, 0.9], a, paired=True, resolution=STEP)


def test_the_error_of_the_test_set_is_binomial():
    hits = np.random.default_rng(3).binomial(IMAGES, 0.85, 20_000) / IMAGES
    assert sampling_error(0.85, IMAGES) == pytest.approx(hits.std(), rel=0.02)


def evaluation(samples, *, seed=0, images=IMAGES, fixed=False, data="d", name="a"):
    return Evaluation(Path(name), np.asarray(samples), seed, images, fixed, data)


def test_runs_are_paired_where_their_chips_are_the_same():
    rng = np.random.default_rng(4)
    a, b = chips(rng, 25), chips(rng, 25)
    assert on_chips(evaluation(a), evaluation(b)).method == "paired t"
    assert on_chips(evaluation(a), evaluation(b, seed=1)).method == "Welch t"
    assert on_chips(evaluation(a), evaluation(b[:20])).method == "Welch t"
    still = on_chips(evaluation([0.9], fixed=True), evaluation(b))
    reference = stats.ttest_1samp(b, 0.9)
    assert (still.method, still.p) == ("paired t", pytest.approx(reference.pvalue))
    assert on_chips(evaluation([0.9], fixed=True), evaluation([0.8] * 25, fixed=True)).better == "a"
    assert on_chips(evaluation([0.9], fixed=True), evaluation([0.9] * 25, fixed=True)).method == "identical"
    for other, message in (
        (evaluation(b, images=500), "saw 1000 test images and a 500"),
        (evaluation(b, data="e"), "of data set d and a of e"),
        (evaluation([0.9]), "--samples 2 or more"),
    ):
        with pytest.raises(RunError, match=message):
            on_chips(evaluation(a), other)
