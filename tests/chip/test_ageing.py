"""A chip over time: when policies act, and that it is the same chip."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.chip.test_chips import G_OFF, G_ON, network
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.life.aged import Aged, compensation, first_read
from xbar_cli.chip.life.history import Policy, moment
from xbar_cli.config.variation import VariationSection
from xbar_cli.errors import ConfigError

KEY = jax.random.key(3)
DAY = 86400.0
WRITE, FIT = Policy("reprogram", 100 * DAY), Policy("gain", 30 * DAY)
DRIFT = "drift:t0=20,nu=0.05,nu_sigma=0.02"


@pytest.mark.parametrize(
    ("t", "age", "programmings", "fitted_at", "corrections"),
    [
        (20.0, 20.0, 1, 20.0, 1),
        (1.0, 20.0, 1, 20.0, 1),  # no read is earlier than the first
        (29 * DAY, 29 * DAY, 1, 20.0, 1),
        (30 * DAY, 30 * DAY, 1, 30 * DAY, 2),
        (99 * DAY, 99 * DAY, 1, 90 * DAY, 4),
        (100 * DAY, 20.0, 2, 20.0, 5),  # written anew, and fitted with it
        (119 * DAY, 19 * DAY, 2, 20.0, 5),
        (125 * DAY, 25 * DAY, 2, 20 * DAY, 6),
        (300 * DAY, 20.0, 4, 20.0, 1 + 10 + 2),  # 300 days are a turn of both
    ],
)
def test_what_is_due_has_been_done(t, age, programmings, fitted_at, corrections):
    found = moment(t, reprogram=WRITE, correct=FIT, earliest=20.0)
    assert (found.age, found.programmings, found.corrections) == (pytest.approx(age), programmings, corrections)
    assert found.fitted_at == pytest.approx(fitted_at)


def test_without_policies_a_chip_ages():
    found = moment(5 * DAY, reprogram=None, correct=None, earliest=20.0)
    assert (found.age, found.programmings, found.fitted_at, found.corrections) == (5 * DAY, 1, None, 0)


def test_a_policy_that_acts_for_ever_is_one_line():
    with pytest.raises(ConfigError, match=r"gain every 1e-06 s acts .* times within 1e6 s"):
        moment(1e6, reprogram=None, correct=Policy("gain", 1e-6), earliest=1e-9)


def aged(t, *effects, write=None, correct=None):
    variation = VariationSection(effects=effects)
    return Aged(moment(t, reprogram=write, correct=correct, earliest=20.0), correct, variation)


def devices(chip):
    found = network()
    made = make_fabricator(found, chip.steps(found), negative="clamp")(KEY).conductances["a"]
    return np.asarray(made, float)[1:7].ravel()  # row 0 has no devices


def test_a_chip_at_two_times_is_the_same_chip():
    """Every device keeps its exponent, and what is stuck stays stuck."""
    effects = ("additive:sigma=0.05", DRIFT, "stuck:on=0.1")
    first, hour, year = (devices(aged(t, *effects)) for t in (20.0, 3600.0, 3e7))
    stuck = first == hour
    np.testing.assert_allclose(first[stuck], G_ON, rtol=1e-6)
    assert 0 < stuck.sum() < first.size / 2
    np.testing.assert_array_equal(hour[stuck], year[stuck])
    exponents = [-np.log(g / first)[~stuck] / np.log(t / 20) for g, t in ((hour, 3600.0), (year, 3e7))]
    np.testing.assert_allclose(exponents[0], exponents[1], atol=1e-4)
    assert exponents[0].std() > 0.01


def test_writing_anew_draws_what_programming_leaves_and_nothing_else():
    effects = ("write_verify:tolerance=0.2", DRIFT)
    period = Policy("reprogram", 1e6)
    times = (20.0, 1e6, 2e6)
    new = [devices(aged(t, *effects, write=period)) for t in times]
    assert all(np.abs(a - b).max() > 1e-3 * G_ON for a, b in ((new[0], new[1]), (new[1], new[2])))
    old = devices(aged(1e6 + 5e5, *effects, write=period))
    exponents = -np.log(old / new[1]) / np.log(5e5 / 20)
    np.testing.assert_allclose(
        exponents, -np.log(devices(aged(3600.0, *effects)) / new[0]) / np.log(3600 / 20), atol=1e-4
    )


def test_summed_currents_compensate_what_all_devices_lose_alike():
    new = {"layer": jnp.linspace(G_OFF, G_ON, 12).reshape(3, 4)}
    (found,) = compensation(new, {"layer": 0.8 * new["layer"]}).values()
    assert float(found.gain) == pytest.approx(1.25)
    assert float(found.offset) == 0


def test_the_first_read_is_that_of_the_effects():
    assert first_read(VariationSection(effects=("pcm_drift", "pcm_read")), network()) == (20.0, "t0 of pcm_drift")
    assert first_read(VariationSection(effects=("pcm_read:t_read=1m",)), network()) == (1e-3, "t_read of pcm_read")
