"""Repaired chips over time: repaired once, with what is known then; their devices age as others do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.chip.repair.test_repair_circuits import fabricator_of, hardware_of, network
from xbar_cli.chip.life.aged import Aged, compensation
from xbar_cli.chip.life.history import Policy, moment
from xbar_cli.config.chips.evaluate import EvaluateConfig

KEY = jax.random.key(11)
T0, HOUR, YEAR = 20.0, 3600.0, 3e7
NU = 0.05
STUCK = "stuck:on=0.1,off=0.1"
TEXTS = ("sign-flip,differential,permute,spares=1,ensemble=2", "differential", "ensemble=3")


def chip_at(t, text, *effects, write=None):
    """The copies of the arrays of one chip at a time [s]."""
    config = EvaluateConfig.model_validate(
        {"run": "r", "variation": {"effects": list(effects)}, "ageing": {"at": f"{t}s"}}
    )
    repair = config.repair.model_copy(update={"remedies": text})
    aged = Aged(moment(t, reprogram=write, correct=None, earliest=T0), None, config.variation)
    made = aged.fabricator(
        config.model_copy(update={"repair": repair}), None, hardware_of(text, network()), age=aged.moment.age
    )
    return [copy["a"] for copy in jax.jit(made.__call__)(KEY).conductances]


def homes(built):
    """The place of every device of a layer, where nothing moved too."""
    return np.arange(built.target.size) if built.places is None else np.asarray(built.places).ravel()


@pytest.mark.parametrize("text", TEXTS)
def test_all_that_is_healthy_drifts_and_all_else_stays(text):
    """By hand: each device from its target, where it stands; what is stuck is found from the chip when it is new."""
    drift = f"drift:t0={T0:g},nu={NU},nu_sigma=0"
    new, old = (chip_at(t, text, drift, STUCK) for t in (T0, YEAR))
    for before, after in zip(new, old, strict=True):
        np.testing.assert_array_equal(before.target, after.target)
        np.testing.assert_array_equal(homes(before), homes(after))
        aimed = np.full(before.g.size, 1e-6)  # spare devices are off
        aimed[homes(before)] = np.asarray(before.target).ravel()
        first = np.asarray(before.g, float).ravel()
        stuck = ~np.isclose(first, aimed, rtol=1e-5)
        assert 0 < stuck.sum() < 0.5 * stuck.size
        # a device that is stuck at what it is aimed at looks healthy when it is new
        second = np.asarray(after.g, float).ravel()
        hidden = ~stuck & np.isclose(second, first, rtol=1e-5)
        assert np.isin(np.round(aimed[hidden] * 1e6, 4), (1.0, 10.0)).all()
        held = stuck | hidden
        np.testing.assert_allclose(second[held], first[held], rtol=1e-6)
        np.testing.assert_allclose(second[~held], aimed[~held] * (YEAR / T0) ** -NU, rtol=1e-5)


def test_every_device_keeps_its_exponent_spare_ones_too():
    effects = ("additive:sigma=0.05", f"drift:t0={T0:g},nu={NU},nu_sigma=0.02", STUCK)
    new, hour, year = (chip_at(t, TEXTS[0], *effects) for t in (T0, HOUR, YEAR))
    for first, second, third in zip(new, hour, year, strict=True):
        g, later, last = (np.asarray(built.g, float).ravel() for built in (first, second, third))
        moves = (g > 0) & (later != g)
        exponents = [-np.log(aged[moves] / g[moves]) / np.log(t / T0) for aged, t in ((later, HOUR), (last, YEAR))]
        np.testing.assert_allclose(exponents[0], exponents[1], atol=1e-4)
        assert exponents[0].std() > 0.01
        np.testing.assert_array_equal(g[~moves], last[~moves])


@pytest.mark.parametrize("text", TEXTS)
def test_a_chip_that_is_new_is_the_repaired_chip(text):
    plain = fabricator_of(text, hardware_of(text, network()), STUCK)
    wanted = [copy["a"] for copy in jax.jit(plain.__call__)(KEY).conductances]
    for built, same in zip(chip_at(T0, text, f"drift:t0={T0:g},nu={NU},nu_sigma=0.02", STUCK), wanted, strict=True):
        np.testing.assert_allclose(built.g, same.g, rtol=1e-6)
        np.testing.assert_array_equal(homes(built), homes(same))


def test_writing_anew_keeps_what_repair_chose():
    effects = ("write_verify:tolerance=0.2", f"drift:t0={T0:g},nu={NU},nu_sigma=0", STUCK)
    period = Policy("reprogram", 1e6)
    first, again = (chip_at(t, TEXTS[0], *effects, write=period) for t in (T0, 1e6))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.target, other.target)
        np.testing.assert_array_equal(one.places, other.places)
        assert np.abs(np.asarray(one.g) - np.asarray(other.g)).max() > 1e-7


def test_the_summed_current_is_that_of_the_devices_that_are_read():
    drift = f"drift:t0={T0:g},nu={NU},nu_sigma=0.02"
    new, old = (chip_at(t, TEXTS[0], drift, STUCK) for t in (T0, YEAR))
    (found,) = compensation([{"a": part} for part in new], [{"a": part} for part in old]).values()
    sums = [sum(np.asarray(built.g, float).ravel()[homes(built)].sum() for built in parts) for parts in (new, old)]
    assert float(found.gain) == pytest.approx(sums[0] / sums[1], rel=1e-5)
    assert 1 < float(found.gain) < (YEAR / T0) ** NU
    assert jnp.ndim(found.offset) == 0
