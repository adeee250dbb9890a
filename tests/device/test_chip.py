"""Composition: physical order, streams that do not disturb each other, the same chip whatever the batch."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.device.chip import Step, check_order, describe, fabricate
from xbar_cli.device.drift import drift
from xbar_cli.device.faults import stuck_at
from xbar_cli.device.programming import write_verify
from xbar_cli.device.variation import chip_to_chip, normal_additive, normal_proportional

PROGRAM = Step(
    name="write",
    stage="programming",
    model=write_verify,
    parameters={"tolerance_siemens": 0.0, "tolerance_relative": 0.01, "sigma_over_tolerance": 1.0},
)
DEVICE = Step(name="additive", stage="device", model=normal_additive, parameters={"sigma_siemens": 1e-6})
CHIP = Step(name="corner", stage="chip", model=chip_to_chip, parameters={"sigma_relative": 0.1})
FAULTS = Step(
    name="stuck",
    stage="faults",
    model=stuck_at,
    parameters={"rate_on": 0.1, "rate_off": 0.1, "rate_open": 0.0, "g_on": 1e-4, "g_off": 1e-6},
)
AGE = Step(
    name="drift",
    stage="drift",
    model=drift,
    parameters={"t_seconds": 3600.0, "t0_seconds": 20.0, "nu_mean": 0.05, "nu_sigma": 0.0},
)
G = jax.random.uniform(jax.random.key(1), (37, 11), minval=1e-5, maxval=3e-5).at[::5].set(0)
KEYS = jax.random.split(jax.random.key(7), 6)


def build(key, g=G, layer="fc1", steps=(DEVICE, CHIP, AGE, FAULTS), negative="clamp"):
    return fabricate(key, g, layer=layer, steps=steps, negative=negative)[0]


def test_same_key_same_chip_whatever_the_batch():
    one, many = jax.jit(build), jax.jit(jax.vmap(build))
    loop = np.stack([one(key) for key in KEYS])
    pairs = np.concatenate([many(KEYS[k : k + 2]) for k in range(0, 6, 2)])
    assert np.allclose(loop, many(KEYS), rtol=1e-6, atol=0)
    assert np.allclose(loop, pairs, rtol=1e-6, atol=0)
    assert np.allclose(loop[3], build(KEYS[3]), rtol=1e-6, atol=0)
    assert not np.allclose(loop[0], loop[1], rtol=1e-3)


def test_a_step_does_not_change_what_others_draw():
    key = KEYS[0]
    clean = build(key, steps=(DEVICE,), negative="allow")
    with_others = build(key, steps=(PROGRAM, DEVICE), negative="allow")
    written = build(key, steps=(PROGRAM,), negative="allow")
    present = np.asarray(G) > 0
    noise = np.asarray(clean - G)[present]
    assert np.allclose(np.asarray(with_others - written)[present], noise, atol=1e-11)
    both = [Step(name=n, stage="device", model=normal_additive, parameters={"sigma_siemens": 1e-6}) for n in "ab"]
    first, second = (np.asarray(build(key, steps=(step,), negative="allow") - G).ravel() for step in both)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.2


def test_layers_share_the_chip_but_not_the_devices():
    key = KEYS[0]
    g = jnp.full((50, 4), 2e-5)
    one, two = (build(key, g, layer, (CHIP,)) for layer in ("fc1", "fc2"))
    assert (one == two).all()
    assert float(jnp.std(one)) < 1e-11
    devices = [np.asarray(build(key, g, layer, (DEVICE,))).ravel() for layer in ("fc1", "fc2")]
    assert abs(np.corrcoef(*devices)[0, 1]) < 0.25


def test_absent_devices_stay_absent_whatever_acts_on_them():
    all_stuck = replace(FAULTS, parameters=dict(FAULTS.parameters) | {"rate_on": 1.0, "rate_off": 0.0})
    for steps in ((PROGRAM, DEVICE, CHIP, AGE, FAULTS), (all_stuck,)):
        chip = np.asarray(build(KEYS[0], steps=steps, negative="allow"))
        assert (chip[np.asarray(G) == 0] == 0).all()
        assert (chip[np.asarray(G) > 0] != 0).all()
    assert np.allclose(np.asarray(build(KEYS[0], steps=(all_stuck,)))[np.asarray(G) > 0], 1e-4)


def test_a_stuck_device_stands_where_the_fault_holds_it():
    faults = (FAULTS,)
    alone = np.asarray(build(KEYS[0], steps=faults))
    stuck = np.isclose(alone, 1e-4, rtol=1e-6) | np.isclose(alone, 1e-6, rtol=1e-6)
    assert 0.05 < stuck.mean() < 0.25
    old = np.asarray(build(KEYS[0], steps=(PROGRAM, DEVICE, CHIP, AGE, FAULTS)))
    np.testing.assert_array_equal(old[stuck], alone[stuck])  # neither aged, spread nor off with the chip
    free = ~stuck & (np.asarray(G) > 0)
    assert (old[free] != alone[free]).all()


def test_the_step_that_breaks_a_chip_is_told():
    wild = replace(AGE, parameters=dict(AGE.parameters) | {"t_seconds": 1e12, "t0_seconds": 1e-9, "nu_mean": -2.0})
    for steps, number in (((DEVICE, CHIP, AGE), 3), ((DEVICE, CHIP, wild, FAULTS), 2), ((wild,), 0)):
        assert int(fabricate(KEYS[0], G, layer="fc1", steps=steps, negative="clamp")[1].broken) == number


def test_composition_is_the_models_in_turn():
    steps = (CHIP, AGE)
    expected = chip_to_chip(_stream(KEYS[0], "corner"), G, sigma_relative=0.1) * (3600 / 20) ** -0.05
    assert np.allclose(build(KEYS[0], steps=steps), expected, rtol=1e-5)
    _, found = fabricate(KEYS[0], jnp.full((200, 50), 1e-6), layer="fc1", steps=(DEVICE,), negative="reflect")
    assert float(found.negative) == pytest.approx(0.1587, abs=0.015)
    assert float(found.mean_shift) > 0


def _stream(key, name):
    from xbar_cli.numerics import stream

    return stream(key, name)


def test_order_is_checked_and_told():
    check_order((PROGRAM, DEVICE, CHIP, AGE, FAULTS))
    with pytest.raises(ValueError, match="'write' \\(programming\\) must come before drift"):
        check_order((AGE, PROGRAM))
    with pytest.raises(ValueError, match="name of its own, got additive twice"):
        check_order((DEVICE, DEVICE))
    wrong = Step(name="x", stage="annealing", model=normal_proportional, parameters={})
    with pytest.raises(ValueError, match="stage of step 'x' must be one of programming"):
        check_order((wrong,))
    early = Step(
        name="drift",
        stage="drift",
        model=drift,
        parameters=dict(AGE.parameters) | {"t_seconds": 1.0},
    )
    with pytest.raises(ValueError, match="t_seconds must be at least t0_seconds"):
        jax.jit(lambda key: build(key, steps=(early,)))(KEYS[0])
    text = describe((DEVICE, AGE), negative="clamp").splitlines()
    assert text[0] == "1. device: additive (normal_additive: sigma_siemens = 1e-06)"
    assert text[1].startswith("2. drift: drift (drift: t_seconds = 3600, t0_seconds = 20")
    assert text[2] == "3. below 0 S: clamp"
