"""A CSV of measurements becomes the statistics that made it; every refusal names file and line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.device.measured import fit_smooth, fit_states, read_measurements
from xbar_cli.device.variation import smooth
from xbar_cli.errors import ConfigError

RNG = np.random.default_rng(5)


def write(path, target, measured):
    rows = [f"{i},{t!r},{m!r}" for i, (t, m) in enumerate(zip(target.tolist(), measured.tolist(), strict=True))]
    path.write_text("\n".join(["# wafer 3", "device,target_siemens, measured_siemens", "", *rows]))
    return path


def test_table_of_states_through_a_file(tmp_path):
    states, bias, sigma = np.array([1e-6, 8e-6, 2e-5]), np.array([2e-7, 0, -5e-7]), np.array([1e-7, 6e-7, 3e-7])
    index = RNG.integers(0, 3, 30_000)
    measured = states[index] + bias[index] + sigma[index] * RNG.normal(size=index.size)
    target, read, _ = read_measurements(write(tmp_path / "devices.csv", states[index], measured))
    assert (read == measured).all()
    table = fit_states(target, read, min_count=10)
    assert (table.target == states).all()
    assert (np.abs(table.mean - states - bias) < 4 * sigma / 100).all()
    assert np.allclose(table.sigma, sigma, rtol=0.04)
    with pytest.raises(ConfigError, match="has 1 measurement"):
        fit_states(np.array([1e-6, 1e-6, 2e-6]), np.array([1e-6, 1e-6, 2e-6]), min_count=2)
    with pytest.raises(ConfigError, match="no usable statistics: target"):
        fit_states(np.array([1e-6, 1e-6]), np.array([1e-6, 2e-6]), min_count=2)


def test_targets_that_differ_in_their_last_bits_are_one_state(tmp_path):
    """Half of the targets went through single precision, or were written with seven digits."""
    states = np.array([0.0, 1.1e-6, 8.3e-6, 2.7e-5])
    target = np.tile(np.concatenate([states, states.astype(np.float32).astype(np.float64), states * (1 + 3e-7)]), 200)
    measured = target * (1 + 0.01 * np.random.default_rng(1).normal(size=target.size))
    table = fit_states(*read_measurements(write(tmp_path / "bits.csv", target, measured))[:2], min_count=600)
    np.testing.assert_allclose(table.target, states, rtol=1e-6)
    np.testing.assert_allclose(table.sigma, 0.01 * states, rtol=0.1)
    with pytest.raises(ConfigError, match="at 4 targets do not determine"):
        fit_smooth(target, measured, degree=4, knots=9)
    apart = np.repeat([1e-6, 1e-6 * (1 + 1e-4), 2e-6], 5)  # these are states of their own
    assert fit_states(apart, apart, min_count=5).target.size == 3


GOOD = np.repeat([5e-6, 1e-5, 2e-5, 3e-5], 10)


@pytest.mark.parametrize(
    ("target", "measured", "message"),
    [
        (GOOD * 1e6, GOOD * 1e6, "target_siemens spans 5 … 30 S, and no device conducts more than 1 S (are they microsiemens?)"),
        (1 / GOOD, 1 / GOOD, "no device conducts more than 1 S (are they nanosiemens or ohm?)"),
        (GOOD, GOOD * 1e6, "measured_siemens spans 5 … 30 S, and no device"),
        (GOOD, GOOD * 1e3, "target_siemens spans 5e-06 … 3e-05 S and measured_siemens 0.005 … 0.03 S: one of them is in another"),
        (GOOD * 1e3, GOOD, "one of them is in another unit"),
        (GOOD, -GOOD, "measured_siemens spans -3e-05 … -5e-06 S, most of it below 0: turn the sign"),
        (-GOOD, GOOD, "target_siemens spans -3e-05 … -5e-06 S; a conductance is 0 or more"),
    ],
)  # fmt: skip
def test_columns_of_another_unit_or_sign_are_refused(tmp_path, target, measured, message):
    path = write(tmp_path / "devices.csv", target, measured)
    with pytest.raises(ConfigError) as error:
        read_measurements(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    below_zero = GOOD - 1.2e-5  # an offset of the instrument takes low states below 0: no slip of the sign
    read_measurements(write(path, GOOD, below_zero))


def test_smooth_curve_recovers_mean_and_spread_and_generates_them():
    target = RNG.uniform(1e-6, 2e-5, 40_000)
    mean = 0.95 * target + 5e-7
    sigma = np.sqrt(1e-14 + (0.05 * target) ** 2)
    curve = fit_smooth(target, mean + sigma * RNG.normal(size=target.size), degree=2, knots=33)
    assert np.allclose(curve.mean, 0.95 * curve.target + 5e-7, atol=3e-8)
    assert np.allclose(curve.sigma, np.sqrt(1e-14 + (0.05 * curve.target) ** 2), rtol=0.1, atol=3e-8)
    drawn = np.asarray(smooth(jax.random.key(0), jnp.full(50_000, 1.2e-5), curve=curve))
    assert drawn.mean() == pytest.approx(0.95 * 1.2e-5 + 5e-7, abs=3e-8)
    assert drawn.std() == pytest.approx(np.sqrt(1e-14 + 0.36e-12), rel=0.05)


def test_smooth_refusals():
    target = np.repeat([1e-6, 2e-6, 3e-6], 3)
    with pytest.raises(ConfigError, match="do not determine"):
        fit_smooth(target, target, degree=4, knots=5)


def test_a_smooth_spread_is_nowhere_negative():
    target = np.repeat([1e-6, 2e-6, 3e-6], 3)
    measured = target + np.repeat([0, 0, 1e-7], 3) * np.tile([-1, 0, 1], 3)  # plain least squares dips below 0 here
    curve = fit_smooth(target, measured, degree=2, knots=21)
    assert curve.sigma.min() >= 0
    assert curve.sigma[0] < 1e-12
    assert curve.sigma[-1] > 9e-8
    rng = np.random.default_rng(0)
    target = np.repeat(np.linspace(3e-6, 33e-6, 8), 2000)
    curve = fit_smooth(target, target * (1 + 0.05 * rng.normal(size=target.size)), degree=2, knots=9)
    np.testing.assert_allclose(curve.sigma, 0.05 * curve.target, rtol=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no measurements"),
        ("target_siemens,value\n1e-6,1e-6\n", ":1: no column measured_siemens"),
        ("target_siemens,measured_siemens\n", ":1: holds no measurements below"),
        ("target_siemens,measured_siemens\n1e-6,1e-6\n2e-6\n", ":3: no value of measured_siemens"),
        ("target_siemens,measured_siemens\n\n1e-6,high\n", ":3: measured_siemens is 'high', not a number"),
        ("measured_siemens,target_siemens\n1e-6,nan\n", ":2: target_siemens is nan, not a finite"),
    ],
)
def test_files_that_are_refused(tmp_path, text, message):
    path = tmp_path / "devices.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_measurements(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_measurements(tmp_path / "none.csv")
