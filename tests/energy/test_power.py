"""Mean power of a layer's cells, against every cell at every input one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.chip.activity import Wanted, full_drive, of_inputs
from xbar_cli.energy.activity import Coding
from xbar_cli.energy.power import at_voltage, layer_watt, row_factors, voltage_factors
from xbar_cli.nn.contracts import dense

V_MAX = 0.5
FIT = analytic.fitted(1.0)


@pytest.fixture(scope="module")
def power():
    """The surrogate of a cell, its current taken for a power."""
    return FIT.to_jax()


@pytest.fixture(scope="module")
def g():
    return np.random.default_rng(0).uniform(analytic.G_OFF, analytic.G_ON, (6, 5)).astype(np.float32)


def cells(g, volts):
    """Every cell at every input by the fit in NumPy, summed over all of them [inputs]."""
    return sum(FIT.on_grid(g[i].astype(float), np.asarray(volts, float)[:, i]).sum(axis=0) for i in range(len(g)))


def seen(x, wanted):
    return of_inputs(x, dense, (), full_scale=1.0, signed=False, wanted=wanted)


def test_resistive_cells_draw_v_squared_g(g):
    x = np.random.default_rng(1).uniform(size=(20, 6)).astype(np.float32)
    coding = Coding("amplitude", None, 0.3, {})
    found = layer_watt(g, seen(x, coding.wanted), coding=coding, name="l", phases=1)
    by_hand = np.mean([sum((0.3 * x[n, i]) ** 2 * g[i, j] for i in range(6) for j in range(5)) for n in range(20)])
    assert found == pytest.approx(by_hand, rel=1e-5)


def test_amplitudes_on_cells_are_the_mean_over_all_inputs(power, g):
    x = np.random.default_rng(2).uniform(size=(12, 6)).astype(np.float32)
    coding = Coding("amplitude", None, V_MAX, {"l": power})
    found = layer_watt(g, seen(x, coding.wanted), coding=coding, name="l", phases=1)
    assert found == pytest.approx(cells(g, V_MAX * x).mean(), rel=1e-5)


def test_pulses_are_at_the_one_voltage_and_idle_cells_draw_their_rest(power, g):
    """Of 4 pulses a row has as many as its code has ones; in the others it draws what a cell draws at 0 V."""
    x = np.random.default_rng(3).uniform(size=(8, 6)).astype(np.float32)
    coding = Coding("bitserial", 4, 0.4, {"l": power})
    found = layer_watt(g, seen(x, coding.wanted), coding=coding, name="l", phases=1)
    codes = np.rint(x.astype(float) * 15).astype(int)
    by_hand = sum(cells(g, 0.4 * (codes >> bit & 1)).mean() for bit in range(4))
    assert found == pytest.approx(by_hand, rel=1e-5)


def test_a_pulse_counts_by_its_width(power, g):
    x = np.random.default_rng(4).uniform(size=(8, 6)).astype(np.float32)
    coding = Coding("pwm", 3, 0.4, {"l": power})
    found = layer_watt(g, seen(x, coding.wanted), coding=coding, name="l", phases=1)
    widths = np.rint(x.astype(float) * 7) / 7
    at, rest = (np.array([cells(g[i : i + 1], [[v]])[0] for i in range(6)]) for v in (0.4, 0.0))
    assert found == pytest.approx((widths * at + (1 - widths) * rest).sum(axis=1).mean(), rel=1e-5)


def test_a_second_phase_adds_the_rest_of_the_idle_array(power, g):
    coding = Coding("amplitude", None, V_MAX, {"l": power})
    x = np.random.default_rng(5).uniform(size=(4, 6)).astype(np.float32)
    one, two = (layer_watt(g, seen(x, coding.wanted), coding=coding, name="l", phases=n) for n in (1, 2))
    rest = float(cells(g, np.zeros((1, 6)))[0])
    assert two - one == pytest.approx(rest, rel=1e-3, abs=1e-6 * one)


def test_full_drive_is_every_row_at_the_top(power, g):
    coding = Coding("amplitude", None, V_MAX, {"l": power})
    worst = layer_watt(g, full_drive(6, 1, coding.wanted), coding=coding, name="l", phases=1)
    assert worst == pytest.approx(float(cells(g, np.full((1, 6), V_MAX))[0]), rel=1e-5)


def test_a_table_of_factors_is_as_good_as_the_factors(power, g):
    sums, idle = row_factors(power, g)
    with jax.enable_x64(True):
        wanted = np.asarray(power.in_g(jnp.asarray(g, jnp.float64))).sum(axis=1)
    np.testing.assert_allclose(sums, wanted, rtol=2e-5, atol=2e-6 * np.abs(wanted).max())
    assert idle == pytest.approx(float(cells(g, np.zeros((1, 6)))[0]), rel=1e-3)
    equal, _ = row_factors(power, np.full((2, 3), 1e-5, np.float32))
    np.testing.assert_allclose(equal[0], equal[1])


@pytest.mark.parametrize("volt", [0.02, 0.2, 0.5])
def test_voltage_factors_in_the_share_of_the_largest_voltage_are_those_of_the_surrogate(power, volt):
    found = at_voltage(power, voltage_factors(power), volt)
    with jax.enable_x64(True):
        wanted = power.in_v(jnp.asarray(volt))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_what_a_coding_wants_to_know_is_what_its_power_takes(power):
    assert Coding("bitserial", 5, 0.4, {}).wanted == Wanted((5,), 0)
    assert Coding("pwm", 5, 0.4, {}).wanted == Wanted((), 1, 5)
    assert Coding("amplitude", None, 0.4, {}).wanted == Wanted((), 0, None)
    assert Coding("amplitude", 6, 0.4, {"l": power}).wanted == Wanted((), power.polynomials.shape[1], 6)


@pytest.mark.parametrize(("coding", "kept", "covered"), [
    (Coding("bitserial", 8, 0.4, {}), Wanted((8,), 0), True),
    (Coding("bitserial", 8, 0.4, {}), Wanted((7, 9), 3), False),
    (Coding("pwm", 4, 0.4, {}), Wanted((), 1, 4), True),
    (Coding("pwm", 4, 0.4, {}), Wanted((), 1, 5), False),
    (Coding("amplitude", None, 0.4, {}), Wanted((), 0), True),
    (Coding("amplitude", 4, 0.4, {}), Wanted((), 0), False),
])  # fmt: skip
def test_kept_activity_serves_only_what_it_was_rounded_and_counted_for(coding, kept, covered):
    activity = {"l": seen(np.full((2, 3), 0.5, np.float32), kept)}
    assert coding.covered(activity) is covered
