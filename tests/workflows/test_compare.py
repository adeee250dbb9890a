"""The paired comparison: against scipy, uniform p under the null, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from xbar_cli.errors import RunError
from xbar_cli.report.compared import Evaluation, differences
from xbar_cli.runs.environment import DRAWING, FIRST_BITS
from xbar_cli.statistics import sampling_error
from xbar_cli.workflows.compare import compare, notes, on_chips

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


USUAL = {**DRAWING, FIRST_BITS: [1, 2, 3, 4]}
DEVICES = {"fc1": [784, 60], "fc2": [60, 20]}


def evaluation(samples, *, seed=0, images=IMAGES, fixed=False, data="d", name="a", **more):
    given = {"tested": "0f", "random": USUAL, "devices": DEVICES, "facts": {"scheme": "de"}} | more
    return Evaluation(Path(name), np.asarray(samples), seed, images, fixed, data, **given)


def test_runs_are_paired_where_their_chips_are_the_same():
    rng = np.random.default_rng(4)
    a, b = chips(rng, 25), chips(rng, 25)
    assert on_chips(evaluation(a), evaluation(b)).found.method == "paired t"
    still = on_chips(evaluation([0.9], fixed=True), evaluation(b, seed=1)).found
    reference = stats.ttest_1samp(b, 0.9)
    assert (still.method, still.p) == ("paired t", pytest.approx(reference.pvalue))
    assert on_chips(evaluation([0.9], fixed=True), evaluation([0.8] * 25, fixed=True)).found.better == "a"
    assert on_chips(evaluation([0.9], fixed=True), evaluation([0.9] * 25, fixed=True)).found.method == "identical"
    for other, message in (
        (evaluation(b, images=500), "saw 1000 test images and a 500"),
        (evaluation(b, data="e"), "of data set d and a of e"),
        (evaluation(b, tested="1e"), r"saw other test images \(0f\) than a \(1e\)"),
        (evaluation([0.9]), "evaluate 2 chips or more"),
    ):
        with pytest.raises(RunError, match=message):
            on_chips(evaluation(a), other)


def test_runs_of_other_counts_are_paired_over_the_chips_that_both_have():
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 0.03, 40)
    a, b = 0.85 + shared[:25], 0.853 + shared + rng.normal(0, 0.001, 40)
    pair = on_chips(evaluation(a), evaluation(b))
    reference = stats.ttest_rel(b[:25], a)
    assert (pair.found.method, pair.found.p) == ("paired t", pytest.approx(reference.pvalue))
    assert pair.found.p < 1e-6 < 0.1 < stats.ttest_ind(b, a, equal_var=False).pvalue
    assert (pair.a.size, pair.b.size, pair.alone, pair.apart) == (25, 25, 15, None)
    assert pair.found.difference == pytest.approx(pair.b.mean() - pair.a.mean())
    said = notes(evaluation(a), evaluation(b, name="b"), pair)
    assert said == ["a has 25 chips and b 40: the first 25 are in both and are compared, 15 are left out"]
    assert on_chips(evaluation(a), evaluation(np.append(a, 0.1))).found.method == "identical"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"seed": 7}, "seed 0 and 7"),
        ({"random": USUAL | {"jax_default_prng_impl": "rbg"}}, "jax_default_prng_impl threefry2x32 and rbg"),
        ({"random": USUAL | {"jax_threefry_partitionable": False}}, "jax_threefry_partitionable True and False"),
        ({"random": USUAL | {"jax_random_seed_offset": 3}}, "jax_random_seed_offset 0 and 3"),
        ({"random": USUAL | {"jax_enable_x64": True}}, "jax_enable_x64 False and True"),
        (
            {"random": USUAL | {FIRST_BITS: [5, 6, 7, 8]}},
            "first random bits [1, 2, 3, 4] and [5, 6, 7, 8] from the same seed",
        ),
        ({"devices": {"fc1": [784, 31], "fc2": [60, 11]}}, "devices fc1 784×60, fc2 60×20 and fc1 784×31, fc2 60×11"),
        ({"devices": None, "facts": {"scheme": "bc"}}, "scheme de and bc"),
        ({"facts": {"scheme": "de", "monte_carlo.first": 25}}, "chips from number 0 and from number 25 on"),
    ],
)
def test_chips_that_are_not_the_same_are_not_paired_and_both_values_are_named(other, why):
    rng = np.random.default_rng(6)
    a, b = chips(rng, 25), chips(rng, 30)
    pair = on_chips(evaluation(a), evaluation(b, **other))
    assert (pair.found.method, pair.alone) == ("Welch t", 0)
    assert pair.found.p == pytest.approx(stats.ttest_ind(b, a, equal_var=False).pvalue)
    assert pair.apart == why


def test_what_acts_on_the_same_devices_keeps_the_pairs():
    rng = np.random.default_rng(7)
    a, b = chips(rng, 25), chips(rng, 25)
    for other in (
        {"facts": {"scheme": "de", "variation.amount": 0.3, "weights_sha256": "ff"}},  # other errors, another network
        {"devices": {"fc2": [60, 20]}},  # one layer of them alone on arrays
        {"random": None},  # an older version
    ):
        assert on_chips(evaluation(a), evaluation(b, **other)).found.method == "paired t"
    older = evaluation(b, random=None, name="old")
    assert notes(evaluation(a), older, on_chips(evaluation(a), older)) == [
        "old does not say how it drew random numbers (an older version): taken for as usual"
    ]
    facts = {"scheme": "de", "seed": 0, "x": 1}, {"scheme": "bc", "seed": 0, "y": 2}
    first, second = (evaluation(a, facts=f) for f in facts)
    assert differences(first, second) == {"scheme": ["de", "bc"], "x": [1, None], "y": [None, 2]}


def test_differences_end_where_accuracies_can_and_skewed_ones_are_told():
    found = compare([0.0, 0.1, 0.0], [1.0, 0.2, 1.0], paired=True, resolution=STEP)
    assert found.ci95[1] == 1.0
    assert compare([1.0, 0.2, 1.0], [0.0, 0.1, 0.0], paired=False, resolution=STEP).ci95[0] == -1.0
    rng = np.random.default_rng(8)
    a = chips(rng, 25)
    b = a + np.where(np.arange(25) == 3, -0.6, rng.normal(0, 0.01, 25))
    said = notes(evaluation(a), evaluation(b), on_chips(evaluation(a), evaluation(b)))
    assert len(said) == 1
    assert "differences of the chips are skewed" in said[0]
    assert (
        "accuracies of the chips"
        in notes(evaluation(a), evaluation(b, seed=1), on_chips(evaluation(a), evaluation(b, seed=1)))[0]
    )
