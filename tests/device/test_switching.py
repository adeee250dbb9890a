"""Switching models: trains against pulses one by one and the closed curve, moments of the spreads, presets and files."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.device.switching.model import (
    PulseBranch,
    Switching,
    draw_devices,
    pulsed,
    train_joules,
    train_seconds,
)
from xbar_cli.device.switching.plan import planned
from xbar_cli.device.switching.presets import load_switching, presets
from xbar_cli.device.update import conductance
from xbar_cli.errors import ConfigError

LOW, HIGH = 1e-6, 1e-5
KEY = jax.random.key(3)
UP = PulseBranch(pulses=50.0, nonlinearity=2.0, volt=2.0, seconds=1e-6)
DOWN = PulseBranch(pulses=80.0, nonlinearity=0.0, volt=1.0, seconds=5e-6)
QUIET = Switching(name="quiet", source="test", up=UP, down=DOWN, volt_read=0.1, seconds_read=1e-8)


def devices(model, like, key=KEY):
    return draw_devices(key, like, model=model, g_min=LOW, g_max=HIGH)


def train(model, g, n, key=KEY):
    n = jnp.broadcast_to(jnp.asarray(n, g.dtype), g.shape)
    return pulsed(key, g, n, model=model, devices=devices(model, g))


@pytest.mark.parametrize("nu", [0.0, 0.01, 2.0, -3.0, 15.0])
def test_the_mean_curve_is_that_of_the_update_model_up_and_mirrored_down(nu):
    model = replace(QUIET, up=replace(UP, nonlinearity=nu), down=replace(DOWN, nonlinearity=nu))
    n = jnp.arange(0.0, 51.0)
    span = {"nu": nu, "g_min": LOW, "g_max": HIGH}
    up = train(model, jnp.full(51, LOW), n)
    np.testing.assert_allclose(up, conductance(n, pulses=50, **span), rtol=2e-5, atol=1e-10)
    down = train(model, jnp.full(51, HIGH), -n)
    np.testing.assert_allclose(down, LOW + HIGH - conductance(n, pulses=80, **span), rtol=2e-5, atol=1e-10)


def test_a_train_is_its_pulses_one_by_one_and_none_leaves_a_device_alone():
    g = jnp.linspace(2e-6, 6e-6, 9)
    at_once, one_by_one = train(QUIET, g, 7), g
    for _ in range(7):
        one_by_one = train(QUIET, one_by_one, 1)
    np.testing.assert_allclose(at_once, one_by_one, rtol=1e-5)
    np.testing.assert_array_equal(train(replace(QUIET, sigma_cycle=0.3), g, 0), g)
    assert (np.asarray(train(QUIET, g, 1000)) <= HIGH * (1 + 1e-6)).all()
    assert np.asarray(train(QUIET, g, -1000)).min() >= LOW * (1 - 1e-6)


@pytest.mark.parametrize("spread", [{"sigma_cycle": 0.5}, {"sigma_cycle_window": 0.01}])
@pytest.mark.parametrize("pulses", [12, -12])
def test_a_train_spreads_as_its_pulses_one_by_one(spread, pulses):
    model, g = replace(QUIET, **spread), jnp.full(20000, 5e-6)
    at_once, one_by_one = train(model, g, pulses), g
    for n in range(12):
        one_by_one = train(model, one_by_one, np.sign(pulses), key=jax.random.fold_in(KEY, n))
    assert float(at_once.std()) == pytest.approx(float(one_by_one.std()), rel=0.03)
    error = 4 * float(at_once.std()) / 20000**0.5
    assert float(at_once.mean()) == pytest.approx(float(one_by_one.mean()), abs=1.5 * error)


def test_the_spreads_between_devices_have_the_moments_that_were_asked_for():
    model = replace(QUIET, sigma_step=0.2, sigma_asymmetry=0.05, sigma_window=0.02)
    found = devices(model, jnp.zeros(40000))
    width = HIGH - LOW
    assert float(found.low.std()) == pytest.approx(0.02 * width, rel=0.02)
    assert float(found.high.mean()) == pytest.approx(HIGH, rel=1e-3)
    assert float(((found.up + found.down) / 2).std()) == pytest.approx(0.2, rel=0.02)
    skew = (found.up - found.down) / (found.up + found.down)
    assert float(skew.std()) == pytest.approx(0.05, rel=0.02)
    # A device whose steps are twice as large goes twice as far in a straight line.
    twice = replace(found, down=2 * jnp.ones(40000))
    moved = pulsed(KEY, found.high, jnp.full(40000, -10.0), model=model, devices=twice)
    np.testing.assert_allclose((found.high - moved) / (found.high - found.low), 20 / 80, rtol=1e-3)


def test_plans_lead_nominal_devices_to_their_targets():
    start = jnp.linspace(LOW, 9.9e-6, 30)
    for aim in (1.5e-6, 5e-6, 9.5e-6):
        target = jnp.full(30, aim)
        n = planned(start, target, model=QUIET, g_min=LOW, g_max=HIGH)
        assert (jnp.sign(n) == jnp.sign(target - start))[np.abs(target - start) > 1e-8].all()
        np.testing.assert_allclose(train(QUIET, start, n), target, rtol=3e-3)
    beyond = planned(jnp.asarray([0.0, 2e-5]), jnp.asarray([5e-6, 5e-6]), model=QUIET, g_min=LOW, g_max=HIGH)
    at_ends = planned(jnp.asarray([LOW, HIGH]), jnp.asarray([5e-6, 5e-6]), model=QUIET, g_min=LOW, g_max=HIGH)
    np.testing.assert_allclose(beyond, at_ends, rtol=1e-6)


def test_energy_and_time_of_trains_by_hand():
    n = jnp.asarray([3.0, -2.0, 0.0])
    before, after = jnp.asarray([2e-6, 4e-6, 1e-6]), jnp.asarray([4e-6, 3e-6, 1e-6])
    by_hand = [3 * 4.0 * 1e-6 * 3e-6, 2 * 1.0 * 5e-6 * 3.5e-6, 0.0]
    np.testing.assert_allclose(train_joules(before, after, n, model=QUIET), by_hand, rtol=1e-6)
    np.testing.assert_allclose(train_seconds(n, model=QUIET), [3e-6, 10e-6, 0.0], rtol=1e-6)


def test_presets_load_and_files_are_read(tmp_path):
    assert {load_switching(name).name for name in presets()} == set(presets())
    soft = load_switching("reram_sb")
    quarter = train(
        replace(soft, sigma_cycle_window=0.0, sigma_step=0.0, sigma_window=0.0, sigma_asymmetry=0.0),
        jnp.full(1, LOW + 0.375 * (HIGH - LOW)),
        1,
    )
    assert float((quarter[0] - LOW) / (HIGH - LOW)) - 0.375 == pytest.approx(0.001, rel=0.01)
    file = tmp_path / "mine.toml"
    lines = [f"{key} = {value!r}" for key, value in presets()["agsi"].items() if key != "source"]
    file.write_text('source = "me"\n' + "\n".join(lines))
    assert replace(load_switching(file), name="agsi", source="") == replace(load_switching("agsi"), source="")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pulses_up": 0}, "pulses_up must be a number from 1 to"),
        ({"volt_up": None}, "volt_up is missing"),
        ({"sigma_step": "x" * 5000}, "sigma_step must be a number"),
        ({"speed": 1}, "unknown key 'speed'"),
        ({"source": ""}, "source must be a text"),
    ],
)
def test_files_that_are_no_model_are_one_line(tmp_path, change, message):
    table = {**presets()["agsi"], **change}
    file = tmp_path / "mine.toml"
    file.write_text("\n".join(f"{key} = {value!r}" for key, value in table.items() if value is not None))
    with pytest.raises(ConfigError) as error:
        load_switching(file)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700
    with pytest.raises(ConfigError, match="switching model 'nothing' is unknown: use agsi"):
        load_switching("nothing")
