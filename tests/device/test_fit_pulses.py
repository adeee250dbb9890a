"""Switching models from pulse trains: trains of the model itself give its figures back, within their intervals."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.device.fitting.described import remarks, soft_bounds, switching_table
from xbar_cli.device.fitting.moments import PulsePlan, moments, windows
from xbar_cli.device.fitting.pulses import fit_switching
from xbar_cli.device.fitting.simulated import drawn_trains
from xbar_cli.device.switching.model import PulseBranch, Switching
from xbar_cli.device.switching.presets import parse_switching
from xbar_cli.device.update import conductance
from xbar_cli.errors import ConfigError

LOW, WIDE = 2e-6, 2e-5
SIGMAS = ("sigma_cycle", "sigma_cycle_window", "sigma_step", "sigma_asymmetry", "sigma_window")
SIZES = {
    "volt_up": 1.0,
    "volt_down": 1.2,
    "seconds_up": 1e-6,
    "seconds_down": 1e-6,
    "volt_read": 0.1,
    "seconds_read": 1e-8,
}
QUIET = Switching(
    name="quiet", source="test", up=PulseBranch(pulses=40.0, nonlinearity=1.5, volt=1.0, seconds=1.0),
    down=PulseBranch(pulses=50.0, nonlinearity=3.0, volt=1.0, seconds=1.0), volt_read=1.0, seconds_read=1.0,
)  # fmt: skip
ROUGH = replace(
    QUIET, sigma_cycle=0.25, sigma_cycle_window=0.015, sigma_step=0.15, sigma_asymmetry=0.05, sigma_window=0.05
)


def plan_of(devices, cycles, *, up=55, down=65):
    sign = np.concatenate([np.ones(up, np.int64), -np.ones(down, np.int64)])
    return PulsePlan(np.tile(sign, (devices * cycles, 1)), np.repeat(np.arange(devices), cycles))


def trains(model, plan, *, read, sets=1, seed=0):
    """Sets of reads [S] of devices of the model."""
    start = np.zeros(plan.device.size)
    many = drawn_trains(jax.random.key(seed), plan, start, model=model, sigma_read=read, floor=-LOW / WIDE, sets=sets)
    return [LOW + WIDE * reads for reads in many]


def fit(reads, plan, **more):
    return fit_switching(reads, plan, names=[f"d{n}" for n in range(plan.devices)], seed=0, **more)


def truth(model):
    branches = {"up": model.up, "down": model.down}
    found = {f"pulses_{way}": branch.pulses for way, branch in branches.items()}
    found |= {f"nonlinearity_{way}": branch.nonlinearity for way, branch in branches.items()}
    return found | {name: getattr(model, name) for name in SIGMAS}


def held(found, name, value):
    low, high = found.intervals[name]
    return (low is None or low <= value) and (high is None or value <= high)


def test_without_noise_trains_follow_the_curve_and_the_fit_is_near():
    plan = plan_of(2, 1, up=40, down=50)
    (reads,) = trains(QUIET, plan, read=0.0)
    up = conductance(jnp.arange(41.0), pulses=40.0, nu=1.5, g_min=LOW, g_max=LOW + WIDE)
    np.testing.assert_allclose(reads[0, :41], up, rtol=1e-4)
    raw = moments(reads, plan)
    np.testing.assert_allclose(raw.low, LOW, rtol=5e-2)
    np.testing.assert_allclose(raw.bend, np.tanh([0.75, 1.5]), rtol=0.05)
    found = fit(reads, plan, rounds=(2, 2, 4))
    for name, value in truth(QUIET).items():
        assert found.figures[name] in (None, pytest.approx(value, rel=5e-2, abs=2e-2))
    np.testing.assert_allclose([found.g_min, found.g_max], [LOW, LOW + WIDE], rtol=5e-2)


def test_intervals_hold_the_figures_that_trains_were_drawn_from():
    plan, expected = plan_of(12, 3), truth(ROUGH)
    found = [fit(reads, plan, rounds=(20, 20, 150)) for reads in trains(ROUGH, plan, read=0.008, sets=3)]
    hits = {name: sum(held(one, name, value) for one in found) for name, value in expected.items()}
    assert sum(hits.values()) >= 23, hits  # of 27, 25.7 on average
    for name, value in expected.items():
        assert np.mean([one.figures[name] for one in found]) == pytest.approx(
            value, rel=0.5 if "sigma" in name else 0.2
        )
    for one in found:
        low, high = one.intervals["pulses_up"]
        assert (high - low) / one.figures["pulses_up"] < 0.4
        assert one.sigma_read == pytest.approx(0.008 * WIDE, rel=0.2)
        assert one.apart


def test_read_noise_neither_widens_windows_nor_bends_steps():
    plan = plan_of(8, 4)
    (reads,) = trains(replace(QUIET, sigma_cycle=0.1), plan, read=0.02)
    low, high = windows(reads, plan)
    assert np.mean(high - low) > 1.04 * WIDE
    found = fit(reads, plan, rounds=(30, 30, 60))
    assert found.g_max - found.g_min == pytest.approx(WIDE, rel=0.01)
    assert found.figures["pulses_up"] == pytest.approx(40, rel=0.05)
    assert found.figures["nonlinearity_down"] == pytest.approx(3, rel=0.1)
    naive = np.polyfit(((reads[:, :54] - low[0]) / (high - low)[0]).ravel(), np.diff(reads[:, :55]).ravel() / WIDE, 1)
    step = -naive[0] / (naive[1] + naive[0] / 2) / 2
    assert abs(found.raw.bend[0] - np.tanh(0.75)) < abs(step - np.tanh(0.75))


def test_at_a_soft_bound_the_curve_has_a_first_step_and_no_end():
    branch = PulseBranch(pulses=60.0, nonlinearity=20.0, volt=1.0, seconds=1.0)
    model = replace(QUIET, up=branch, down=branch, sigma_cycle=0.2)
    plan = plan_of(10, 4, up=40, down=40)
    (reads,) = trains(model, plan, read=0.01)
    found = fit(reads, plan, rounds=(20, 20, 60))
    assert soft_bounds(found) == ["up", "down"]
    assert found.intervals["pulses_up"][1] is None
    first = 1 - np.exp(-20 / 60)
    assert held(found, "first_step_up", first)
    assert found.figures["first_step_up"] == pytest.approx(first, rel=0.1)
    assert any("pulses up: steps fade to nothing" in remark for remark in remarks(found))


def test_spreads_that_cannot_be_told_apart_are_one_and_said_to_be():
    straight = PulseBranch(pulses=50.0, nonlinearity=0.0, volt=1.0, seconds=1.0)
    model = replace(QUIET, up=straight, down=straight, sigma_cycle=0.5)
    plan = plan_of(4, 4)
    (reads,) = trains(model, plan, read=0.001)
    found = fit(reads, plan, rounds=(20, 20, 60))
    assert not found.apart
    assert found.figures["sigma_cycle"] is None
    assert found.figures["sigma_cycle_window"] == pytest.approx(0.5 / 50, rel=0.1)
    assert any("steps are too alike" in remark for remark in remarks(found))
    table = switching_table(found, SIZES, source="test")
    assert "sigma_cycle" not in table


def test_one_device_says_nothing_of_others():
    plan = plan_of(1, 10)
    (reads,) = trains(replace(QUIET, sigma_cycle=0.2), plan, read=0.002)
    found = fit(reads, plan, rounds=(10, 10, 40))
    assert [found.figures[name] for name in SIGMAS[2:]] == [None] * 3
    assert found.intervals["sigma_step"] == (None, None)
    assert held(found, "pulses_up", 40.0)
    made = parse_switching("mine", switching_table(found, SIZES, source="test"), where="here")
    assert (made.sigma_step, made.down.volt, made.up.pulses) == (0.0, 1.2, found.figures["pulses_up"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda reads, plan: (reads, PulsePlan(np.abs(plan.sign), plan.device)), "no pulses down"),
        (lambda reads, plan: (np.full_like(reads, 1e-6), plan), "'d0': its conductance does not move, it is 1e-06 S always"),
        (lambda reads, plan: (reads, PulsePlan(-plan.sign, plan.device)), "pulses up move conductances down on average"),
        (lambda reads, plan: (reads[:, :5], PulsePlan(plan.sign[:, :4] * [1, 1, -1, -1], plan.device)), "steps up from between"),
    ],
)  # fmt: skip
def test_what_is_no_switching_device_is_one_line(change, message):
    plan = plan_of(3, 2)
    (reads,) = trains(replace(QUIET, sigma_cycle=0.1), plan, read=0.002)
    with pytest.raises(ConfigError) as error:
        fit(*change(reads, plan))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_pulses_up_that_only_move_to_and_fro_are_one_line():
    """Between two places: no line goes through them, which no warning says beside the message."""
    up = 1e-6 + 0.5e-6 * (-1.0) ** np.arange(30)
    reads = np.stack([up, 1e-6 + 1e-7 * np.arange(30)])
    plan = PulsePlan(np.repeat([[1], [-1]], 29, axis=1), np.zeros(2, np.int64))
    with pytest.raises(ConfigError, match="pulses up move conductances down on average"):
        fit(reads, plan)
