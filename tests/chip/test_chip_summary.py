"""What is said of chips: figures from their accuracies by SciPy and by hand, layers one by one, fields of results.nc."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from xbar_cli.array.ideal import LinearLayer
from xbar_cli.chip import sensitivity
from xbar_cli.chip.result import summary
from xbar_cli.chip.sample import Tally
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.load import validate
from xbar_cli.nn.reading import Circuit
from xbar_cli.statistics import MIN_SAMPLES, Estimate, fewest

IMAGES = 400


def configured(**monte_carlo):
    return validate(EvaluateConfig, {"run": "r", "monte_carlo": monte_carlo}, {})


def chips(n=30, seed=0):
    return np.random.default_rng(seed).binomial(IMAGES, 0.9, n) / IMAGES


def told(accuracies, **monte_carlo):
    return summary.accuracies(configured(**monte_carlo), Tally(values=list(accuracies)), images=IMAGES)


def test_mean_spread_and_students_interval_are_scipys():
    x = chips()
    found = told(x)
    assert found["accuracy_mean"] == pytest.approx(x.mean())
    assert found["accuracy_std"] == pytest.approx(x.std(ddof=1))
    np.testing.assert_allclose(found["accuracy_ci95"], stats.ttest_1samp(x, 0).confidence_interval(0.95))
    assert found["accuracy_ci95_kind"] == "student"
    assert found["accuracy_skewness"] == pytest.approx(stats.skew(x), rel=0.1)
    assert (found["accuracy_worst"], found["worst_sample"]) == (x.min(), x.argmin())
    assert found["accuracy_samples"] == list(x)


def test_the_error_of_the_test_set_is_that_of_a_share_of_its_images():
    found = told(chips())
    p = found["accuracy_mean"]
    assert found["test_set_error"] == pytest.approx(np.sqrt(p * (1 - p) / IMAGES), rel=0.01)
    low, high = found["accuracy_with_test_set_ci95"]
    assert low < found["accuracy_ci95"][0] < found["accuracy_ci95"][1] < high


def test_the_interval_that_holds_for_any_distribution_is_wider_and_given_where_a_width_is_asked_for():
    x = chips(60)
    plain, wide = told(x), told(x, ci_width=0.2)
    low, high = plain["accuracy_bounded_ci95"]
    assert low <= plain["accuracy_ci95"][0]
    assert high >= plain["accuracy_ci95"][1]
    assert (wide["accuracy_ci95_kind"], wide["ci_width"]) == ("bounded", 0.2)
    assert wide["accuracy_ci95"] == wide["accuracy_bounded_ci95"]
    assert wide["ci_width_reached"] == (wide["accuracy_ci95"][1] - wide["accuracy_ci95"][0] <= 0.2)


def test_the_yield_is_the_share_of_chips_that_are_good():
    x = chips()
    found = told(x, yield_at=0.9)
    assert found["yield_fraction"] == pytest.approx((x >= 0.9).mean())
    low, high = found["yield_ci95"]
    assert low < found["yield_fraction"] < high
    assert "yield_fraction" not in told(x)


@pytest.mark.parametrize(("monte_carlo", "samples"), [({}, 25), ({"samples": 7}, 7), ({"ci_width": 0.1}, MIN_SAMPLES)])
def test_chips_that_are_all_the_same_are_computed_once_and_certain(monte_carlo, samples):
    found = told([0.875], **monte_carlo, yield_at=0.8)
    assert found["samples"] == samples == len(found["accuracy_samples"])
    assert found["accuracy_ci95"] == [0.875, 0.875]
    assert found["accuracy_std"] == 0
    assert found["yield_ci95"] == [1.0, 1.0]
    assert found.get("ci_width_reached", True)


def test_a_width_that_so_few_chips_cannot_reach_is_said_before():
    assert summary.out_of_reach(configured()) is None
    enough = fewest(0.05)
    assert summary.out_of_reach(configured(ci_width=0.05, max_samples=enough)) is None
    line = summary.out_of_reach(configured(ci_width=0.05, max_samples=enough - 1))
    assert str(enough) in line
    assert str(enough - 1) in line


def test_skewed_chips_are_noted_with_the_interval_that_holds():
    skewed = np.append(np.full(29, 0.95), 0.1)
    found = told(skewed)
    note = summary.skew_note(found)
    low, high = found["accuracy_bounded_ci95"]
    assert f"{low:.4f} … {high:.4f}" in note
    assert "worst 0.1000" in note
    assert summary.skew_note(told(chips())) is None
    assert summary.skew_note(told(skewed, ci_width=0.5)) is None


def corrected(n=4):
    rng = np.random.default_rng(1)
    column = [{"a": (rng.normal(1, 0.1, 3), rng.normal(0, 0.1, 3))} for _ in range(n)]
    return [chip | {"b": (rng.normal(1, 0.1), rng.normal(0, 0.1))} for chip in column]


def test_corrections_are_means_over_chips_and_columns():
    tally = Tally(values=[0.9] * 4, corrections=corrected())
    config = validate(EvaluateConfig, {"run": "r", "decoding": {"calibrate": "affine", "per": "column"}}, {})
    found = summary.calibration(config, tally, images=50)
    assert (found["fit"], found["per"], found["images"]) == ("affine", "column", 50)
    for which, key in enumerate(("gain", "offset")):
        by_hand = [np.mean([chip[name][which] for chip in tally.corrections]) for name in ("a", "b")]
        np.testing.assert_allclose(found[key], by_hand)
    gains = validate(EvaluateConfig, {"run": "r", "decoding": {"calibrate": "gain"}}, {})
    assert "offset" not in summary.calibration(gains, tally, images=50)
    assert summary.calibration(configured(), tally, images=50) is None


def test_results_hold_every_chip_with_every_layer_alone_and_every_correction():
    tally = Tally(values=[0.9, 0.8, 0.7, 0.6], alone={"a": [0.95] * 4}, corrections=corrected())
    fields = summary.results([0.9, 0.8, 0.7, 0.6], tally)
    np.testing.assert_array_equal(fields["accuracy"].values, tally.values)
    np.testing.assert_array_equal(fields["a_alone_accuracy"].values, 0.95)
    assert fields["a_gain"].dims == ("chip", "a_out")
    assert fields["b_offset"].dims == ("chip",)
    np.testing.assert_array_equal(fields["a_gain"].values[2], tally.corrections[2]["a"][0])


def test_each_layers_cost_is_what_the_network_has_lost_with_it_alone():
    tally = Tally(values=list(chips(25)), alone={"a": list(chips(25, 1)), "b": list(chips(25, 2) - 0.1)})
    found = summary.per_layer(configured(), tally, ideal=0.95)
    for name in ("a", "b"):
        x = np.array(tally.alone[name])
        layer = found["per_layer"][name]
        assert layer["cost"] == pytest.approx(0.95 - x.mean())
        low, high = stats.ttest_1samp(x, 0).confidence_interval(0.95)
        np.testing.assert_allclose(layer["cost_ci95"], [0.95 - high, 0.95 - low])
    assert found["costliest_layer"] == "b"
    assert summary.per_layer(configured(), Tally(values=[0.9, 0.8]), ideal=0.95) == {}


def test_one_layer_alone_has_its_devices_and_all_others_the_networks_kernels():
    kernels = {name: jnp.full((2, 2), value) for name, value in (("a", 1.0), ("b", 2.0))}
    circuit = Circuit(layers={name: LinearLayer(10 * kernel) for name, kernel in kernels.items()})
    found = sensitivity.only(circuit, "a", kernels)
    assert found.layers["a"] is circuit.layers["a"]
    np.testing.assert_array_equal(found.layers["b"].kernel, kernels["b"])
    assert (found.adcs, found.noises, found.corrections) == ({}, {}, {})


def test_costs_are_drawn_with_or_without_intervals(tmp_path):
    given = {name: Estimate(mean, 0.01, ci) for name, mean, ci in (("a", 0.9, (0.88, 0.92)), ("b", 0.8, None))}
    found = sensitivity.summarise(given, ideal=0.95)
    assert found["per_layer"]["b"]["cost_ci95"] is None
    assert sensitivity.draw(tmp_path / "costs.png", found, caption="c").stat().st_size > 3000
