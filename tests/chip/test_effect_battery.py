"""What every device effect owes: none of it is nothing, more is more, a device is its own, a key is a chip.

An effect that is new joins by its line in `CASES`; without one `test_every_effect_is_in_the_battery` fails.
"""

from functools import cache
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests import analytic
from xbar_cli.chip.mismatch import gate_shift
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.effects import EFFECTS, AnyEffect, Effect, read_spread_of
from xbar_cli.config.load import validate
from xbar_cli.device.chip import fabricate
from xbar_cli.device.mismatch import mismatched

G_OFF, G_ON = 1 / 300e3, 1 / 30e3
SHAPE = (13, 7)
KEYS = jax.random.split(jax.random.key(5), 3)
TABLE = {"target": [G_OFF, 1.4e-5, G_ON], "mean": [G_OFF, 1.4e-5, G_ON], "sigma": [2e-7, 5e-7, 9e-7]}
"""Statistics without bias, so that a spread of nothing is nothing."""


class Case(NamedTuple):
    """An effect: without any of it, with some, with more; whether keys differ; ends of what it leaves of a device."""

    nothing: str
    some: str
    more: str
    drawn: bool = True
    low: float = -np.inf
    high: float = np.inf


CASES = {
    "write_verify": Case("tolerance=0", "tolerance=0.05", "tolerance=0.2", low=0.95, high=1.05),
    "pcm_programming": Case("scale=0", "scale=0.1", "scale=0.5"),
    "additive": Case("sigma=0", "sigma=0.02", "sigma=0.1"),
    "proportional": Case("sigma=0", "sigma=0.02", "sigma=0.1"),
    "lognormal": Case("sigma=0", "sigma=0.1", "sigma=0.5", low=0.0),
    "states": Case("file={file},scale=0", "file={file},scale=0.3", "file={file},scale=1"),
    "smooth": Case("file={quiet}", "file={file}", "file={loud}"),
    "chip_corner": Case("k=0,sigma=0.1", "k=-1,sigma=0.1", "k=-2,sigma=0.1", drawn=False, low=0.9, high=0.9),
    "chip_to_chip": Case("sigma=0", "sigma=0.05", "sigma=0.2"),
    "drift": Case(
        "t=20,t0=20,nu=0.05,nu_sigma=0.02", "t=1e3,t0=20,nu=0.05,nu_sigma=0.02", "t=1e6,t0=20,nu=0.05,nu_sigma=0.02",
        low=0.0, high=1.0,
    ),
    "pcm_drift": Case("t=20", "t=1e3", "t=1e6", low=0.0, high=1.0),
    "retention": Case(
        "t=1e-9,tau=1e6", "t=1e5,tau=1e6,tau_sigma=0.3", "t=1e6,tau=1e6,tau_sigma=0.3", low=0.0, high=1.0,
    ),
    "read_disturb": Case(
        "t=1,share=0,rate=1", "t=10,share=1e-3,rate=10,share_sigma=0.3", "t=100,share=1e-3,rate=10,share_sigma=0.3", low=1.0,
    ),
    "temperature": Case(
        "kelvin=300,alpha_on=2e-3", "kelvin=330,alpha_on=2e-3,alpha_off=1e-3", "kelvin=380,alpha_on=2e-3,alpha_off=1e-3",
        drawn=False, low=0.9, high=1.0,
    ),
    "stuck": Case("on=0", "on=0.1,off=0.1,open=0.1", "on=0.1,off=0.3,open=0.3", low=0.0),
    "mismatch": Case("sigma=1e-9", "sigma=0.01", "sigma=0.03"),
    "read_noise": Case("sigma=0,relative=0", "sigma=0.01,relative=0.02", "sigma=0.05,relative=0.1", drawn=False, low=0.0),
    "pcm_read": Case("t=1e-6,t_read=1e-6", "t=1e-5,t_read=1e-6", "t=1e6,t_read=1e-6", drawn=False, low=0.0),
}  # fmt: skip
ALL = pytest.mark.parametrize("model", CASES)
STEPS = [model for model in CASES if EFFECTS[model].stage not in ("transistor", "read")]
ON_MEMRISTORS = pytest.mark.parametrize("model", STEPS)


class Window(NamedTuple):
    g_on: float = G_ON
    g_off: float = G_OFF
    technology: str | None = None


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Text of an effect with its files."""
    folder = tmp_path_factory.mktemp("statistics")
    for name, factor in (("quiet", 0.0), ("file", 1.0), ("loud", 3.0)):
        table = TABLE | {"sigma": [factor * sigma for sigma in TABLE["sigma"]]}
        (folder / f"{name}.toml").write_text("".join(f"{key}_siemens = {v}\n" for key, v in table.items()))
    files = {name: folder / f"{name}.toml" for name in ("quiet", "file", "loud")}

    def text(model, amount):
        return f"{model}:{getattr(CASES[model], amount).format(**files)}"

    return text


def conductances(absent=True):
    g = np.random.default_rng(0).uniform(1.2 * G_OFF, 0.8 * G_ON, SHAPE).astype(np.float32)
    if absent:
        g[::5] = 0
    return jnp.asarray(g)


G = conductances()
PRESENT = np.asarray(G) > 0


def variation_of(text):
    return validate(EvaluateConfig, {"run": "r", "variation": {"effects": [text]}}, {}).variation


@cache
def acted(text):
    """What an effect makes of a chip's conductances, as a function of key and conductances [S].

    Of transistors it is the conductance of the cell at 0.3 V, of reads the conductance and one standard deviation.
    """
    variation = variation_of(text)
    match EFFECTS[text.partition(":")[0]].stage:
        case "transistor":
            cell = analytic.cell((0.7, 0.75, 0.8, 0.85, 0.9))
            shift = gate_shift(cell, 0.8, variation.mismatch().sigma)
            with jax.enable_x64(True):
                cells = tuple(cell.current[place].astype(jnp.float32) for place in shift.index)
            v = 0.3
            return jax.jit(lambda key, g: mismatched(key, cells, shift, g.shape, g.dtype)(g, jnp.full_like(g, v)) / v)
        case "read":
            (noise,) = variation.read_noises()
            spread = read_spread_of(noise, Window())
            return jax.jit(lambda key, g: g + spread(g, g))
        case _:
            steps = steps_of(variation.on_devices(), Window())
            return jax.jit(lambda key, g: fabricate(key, g, layer="a", steps=steps, negative="allow")[0])


@cache
def without(model):
    """The same with none of the effect."""
    return acted("mismatch:sigma=1e-9") if model == "mismatch" else lambda key, g: g


def test_every_effect_is_in_the_battery():
    assert set(get_args(AnyEffect)) == set(Effect.__subclasses__()), "a section that the union lacks is in no use"
    named = {get_args(kind.model_fields["model"].annotation)[0] for kind in get_args(AnyEffect)}
    assert set(CASES) == named == set(EFFECTS)


@ALL
def test_none_of_an_effect_leaves_conductances_as_they_are(model, texts):
    np.testing.assert_allclose(
        acted(texts(model, "nothing"))(KEYS[0], G), without(model)(KEYS[0], G), rtol=2e-6, atol=1e-14
    )


@ALL
def test_more_of_an_effect_moves_every_device_at_least_as_far(model, texts):
    """With one key, and so with the same numbers drawn."""
    base = np.asarray(without(model)(KEYS[0], G))
    near, far = (np.abs(acted(texts(model, amount))(KEYS[0], G) - base) for amount in ("some", "more"))
    if model == "mismatch":  # the current saturates in the gate voltage: what holds of each holds of the spread
        assert far[PRESENT].std() > 2 * near[PRESENT].std()
    else:
        assert (far >= near - 1e-5 * base).all()
    assert far.sum() > 1.5 * near.sum() > 0


@ALL
def test_the_same_key_is_the_same_chip_and_another_key_another_one(model, texts):
    act = acted(texts(model, "some"))
    one, again, other = act(KEYS[0], G), act(KEYS[0], G), act(KEYS[1], G)
    np.testing.assert_array_equal(one, again)
    assert (np.asarray(one) != np.asarray(other)).any() == CASES[model].drawn


@ALL
def test_chips_by_vmap_are_the_chips_one_by_one(model, texts):
    act = acted(texts(model, "some"))
    many = jax.vmap(act, in_axes=(0, None))(KEYS, G)
    np.testing.assert_allclose(many, np.stack([act(key, G) for key in KEYS]), rtol=2e-6)


@ALL
def test_absent_devices_stay_absent_and_others_stay_within_their_ends(model, texts):
    case = CASES[model]
    found = np.asarray(acted(texts(model, "some"))(KEYS[0], G))
    assert np.isfinite(found).all()
    if model == "mismatch":  # a cell whose memristor is absent leaks through its transistor
        assert (np.abs(found[~PRESENT]) < 1e-10).all()
    else:
        assert (found[~PRESENT] == 0).all()
    share = found[PRESENT] / np.asarray(G)[PRESENT]
    assert share.min() >= case.low * (1 - 1e-6)
    assert share.max() <= case.high * (1 + 1e-6)


@ALL
def test_a_device_does_not_depend_on_its_neighbours(model, texts):
    act = acted(texts(model, "some"))
    changed = G.at[3, 2].mul(1.3).at[6].set(0)
    before, after = np.asarray(act(KEYS[0], G)), np.asarray(act(KEYS[0], changed))
    other = np.asarray(changed) == np.asarray(G)
    assert other.sum() == G.size - 1 - SHAPE[1]
    np.testing.assert_allclose(after[other], before[other], rtol=1e-6)
    assert (after[6] != before[6]).any()


@ON_MEMRISTORS
def test_gradients_with_respect_to_conductances_are_differences(model, texts):
    steps = steps_of(variation_of(texts(model, "some")).on_devices(), Window())
    with jax.enable_x64(True):
        g = 1e5 * conductances(absent=False)[:3].astype(jnp.float64)

        def scaled(x):
            return 1e5 * fabricate(KEYS[0], 1e-5 * jnp.asarray(x), layer="a", steps=steps, negative="allow")[0]

        check_grads(scaled, (g,), order=1, modes=["rev"], rtol=1e-5, atol=1e-7)


@ON_MEMRISTORS
def test_layers_draw_for_themselves_but_share_their_chip(model, texts):
    steps = steps_of(variation_of(texts(model, "some")).on_devices(), Window())
    one, two = (np.asarray(fabricate(KEYS[0], G, layer=name, steps=steps, negative="allow")[0]) for name in ("a", "b"))
    assert np.array_equal(one, two) == (EFFECTS[model].stage == "chip" or not CASES[model].drawn)


@ON_MEMRISTORS
def test_single_precision_stays_single(model, texts):
    assert acted(texts(model, "some"))(KEYS[0], G).dtype == jnp.float32
