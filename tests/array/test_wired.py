"""1T-1R arrays with wires: Kirchhoff's laws by an independent solver, limits, gradients, what cannot be solved."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.optimize import brentq, fsolve

from tests import analytic
from xbar_cli.array.gated import currents
from xbar_cli.array.wired import newton
from xbar_cli.array.wired.newton import gated_wired, require_solved
from xbar_cli.array.wires import Wires
from xbar_cli.device.bit_line import LineSamples, fit_line
from xbar_cli.device.surrogate import Knots
from xbar_cli.errors import ModelError

VG = 1.1
WIRES = Wires(word=12.0, bit=7.0, source=150.0, neuron=60.0)
NAMES = ("word", "bit", "source", "neuron")


def cell(g, w, b):
    """The closed form of a cell on a bit line at `b`."""
    return analytic.current(g, w - b, VG - b)


@pytest.fixture(scope="module")
def surrogate():
    u, g, v = np.linspace(0.0, 0.06, 5), analytic.G, analytic.V_IN
    value = np.stack([cell(g[:, None], v, shift) for shift in u])
    table = LineSamples(
        u=u, g=g, v=v, value=value, at_rest=np.full((u.size, g.size), analytic.LEAKAGE), v_floor=0.01, knots=Knots(g)
    )
    return fit_line(table, rank=4, degree=8).to_jax()


def array(shape=(5, 4), batch=3):
    """Conductances and inputs; one shape for nearly all tests, because each is compiled for seconds."""
    rng = np.random.default_rng(0)
    return rng.uniform(analytic.G_OFF, analytic.G_ON, shape), rng.uniform(0.05, 0.5, (batch, shape[0]))


def solve64(surrogate, g, v, wires):
    with jax.enable_x64(True):
        found = gated_wired(surrogate, jnp.asarray(g), jnp.asarray(v), wires)
    require_solved(found, tile="test", surrogate=surrogate)
    return np.asarray(found.current)


def kirchhoff(cell, g, v, wires):
    """Column currents by SciPy: the currents that are left over at all nodes, their voltages unknown."""
    r_word, r_bit, r_source, r_neuron = wires.floats()
    rows, cols = g.shape

    def left_over(x):
        w, b = x.reshape(2, rows, cols)
        i = cell(g, w, b)
        into = np.diff(w, axis=1, prepend=v[:, None]) / -np.where(np.arange(cols) == 0, r_word + r_source, r_word)
        out = np.diff(b, axis=0, append=0) / -np.where(np.arange(rows) == rows - 1, r_bit + r_neuron, r_bit)[:, None]
        at_word = into - np.pad(into[:, 1:], ((0, 0), (0, 1))) - i
        at_bit = i + np.pad(out[:-1], ((1, 0), (0, 0))) - out
        return 1e6 * np.concatenate([at_word.ravel(), at_bit.ravel()])

    start = np.concatenate([np.repeat(v, cols), np.zeros(g.size)])
    x, _, good, _ = fsolve(left_over, start, xtol=1e-13, full_output=True)
    assert np.abs(left_over(x)).max() < 1e-6, good
    return x.reshape(2, rows, cols)[1, -1] / (r_bit + r_neuron)


def test_kirchhoffs_laws_by_scipy(surrogate):
    g, v = array()
    found = solve64(surrogate, g, v, WIRES)
    with jax.enable_x64(True):
        current = jax.jit(surrogate.__call__)
        same_cell = kirchhoff(lambda *at: np.asarray(current(*map(jnp.asarray, at))), g, v[0], WIRES)
    np.testing.assert_allclose(found[0], same_cell, rtol=1e-8)
    for one, row in zip(found, v, strict=True):
        np.testing.assert_allclose(one, kirchhoff(cell, g, row, WIRES), rtol=1e-3)
    assert (found < 0.985 * solve64(surrogate, g, v, Wires())).all(), "the wires must matter in this test"


def test_without_resistance_it_is_the_gated_product(surrogate):
    g, v = array()
    found = solve64(surrogate, g, v, Wires())
    with jax.enable_x64(True):
        grid = np.broadcast_arrays(g[None], v[:, :, None], 0.0)
        cells = jax.jit(surrogate.__call__)(*map(jnp.asarray, grid)).sum(axis=1)
        product = jax.jit(currents)(analytic.fitted(VG).to_jax(), jnp.asarray(g), jnp.asarray(v))
    np.testing.assert_allclose(found, cells, rtol=1e-13)
    np.testing.assert_allclose(found, product, rtol=2e-3)
    np.testing.assert_allclose(solve64(surrogate, g, v, Wires(1e-7, 1e-7, 1e-7, 1e-7)), found, rtol=1e-10)


def test_every_resistance_may_be_zero_and_the_current_falls_as_it_grows(surrogate):
    g, v = array()
    full = solve64(surrogate, g, v, WIRES)
    for name in NAMES:
        without, nearly = (solve64(surrogate, g, v, replace(WIRES, **{name: r})) for r in (0.0, 1e-6))
        np.testing.assert_allclose(nearly, without, rtol=1e-9)
        more = solve64(surrogate, g, v, replace(WIRES, **{name: 1.3 * getattr(WIRES, name)}))
        assert without.sum() > full.sum() > more.sum()


def scaled(surrogate, g, v, *values):
    return 1e5 * gated_wired(surrogate, 1e-5 * g, v, Wires(*values)).current


def point(wires):
    g, v = array()
    return (1e5 * jnp.asarray(g), jnp.asarray(v), *map(jnp.asarray, wires.floats()))


@pytest.mark.slow
def test_gradients_are_differences(surrogate):
    with jax.enable_x64(True):
        weights = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4)))
        gradient = jax.jit(jax.grad(lambda *at: jnp.sum(weights * scaled(surrogate, *at)), tuple(range(6))))
        for wires in (WIRES, Wires()):
            at = point(wires)
            for place, slope in enumerate(gradient(*at)):
                way = jnp.ones_like(at[place]) * (1e-4 if place < 2 else 1e-3)
                ahead, back = (scaled(surrogate, *at[:place], at[place] + n * way, *at[place + 1 :]) for n in (1, 0))
                two = scaled(surrogate, *at[:place], at[place] + 2 * way, *at[place + 1 :])
                expected = jnp.sum(weights * (2 * ahead - 1.5 * back - 0.5 * two))  # one-sided: no r is below 0
                np.testing.assert_allclose(jnp.sum(slope * way), expected, rtol=1e-5)


@pytest.mark.slow
def test_gradients_in_conductances_inputs_and_every_resistance(surrogate):
    with jax.enable_x64(True):
        compiled = jax.jit(lambda *at: scaled(surrogate, *at))
        for wires in (WIRES, Wires(1e-3, 1e-3, 1e-3, 1e-3)):
            check_grads(compiled, point(wires), order=1, modes=["fwd", "rev"], rtol=1e-5, atol=1e-8, eps=1e-5)


@pytest.mark.slow
def test_float32_callers_and_maps(surrogate):
    """In a float32 process: the value to 1e-6 with a surrogate of either precision, batches are loops."""
    g, v = array()
    expected = solve64(surrogate, g, v, WIRES)
    g32, v32 = jnp.asarray(g, jnp.float32), jnp.asarray(v, jnp.float32)
    for cell in (surrogate, surrogate.astype(jnp.float32)):
        found = gated_wired(cell, g32, v32, WIRES).current
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    one_by_one = [gated_wired(cell, g32, row, WIRES).current for row in v32]
    np.testing.assert_allclose(jnp.stack(one_by_one), found, rtol=1e-6)


@pytest.mark.slow
def test_float32_gradients_do_not_depend_on_the_nesting(surrogate):
    g, v = (jnp.asarray(a, jnp.float32) for a in array())
    np.testing.assert_allclose(
        jax.lax.map(lambda one: gated_wired(surrogate, g, one, WIRES).current, v),
        gated_wired(surrogate, g, v, WIRES).current,
        rtol=1e-6,
    )

    def loss(g):
        return 1e10 * jnp.sum(gated_wired(surrogate.astype(jnp.float32), g, v, WIRES).current ** 2)

    expected = jax.grad(loss)(g)
    assert expected.dtype == jnp.float32
    for gradient in (jax.jit(jax.grad(loss)), jax.grad(jax.jit(loss))):
        np.testing.assert_allclose(gradient(g), expected, rtol=1e-5)


def test_heavy_resistances_converge_and_a_node_beyond_the_table_is_an_error(surrogate):
    g, v = array()
    with jax.enable_x64(True):
        g, v = jnp.asarray(g), jnp.asarray(v)
        heavy = Wires(word=300.0, bit=20.0, source=20e3, neuron=300.0)
        found = gated_wired(surrogate, g, v, heavy)
        require_solved(found, tile="tile 0", surrogate=surrogate)
        beyond = gated_wired(surrogate, g, v, replace(heavy, neuron=10e3))
        high = gated_wired(surrogate, g, v + 0.2, Wires())
    assert np.asarray(beyond.residual).max() < 1e-9
    with pytest.raises(
        ModelError,
        match=r"layer 2, tile 3: a node lies [\d.]+ mV outside .*bit lines 0 to 60 mV.*higher bit-line voltage",
    ):
        require_solved(beyond, tile="layer 2, tile 3", surrogate=surrogate)
    np.testing.assert_allclose(high.beyond, np.maximum(np.asarray(v).max(axis=1) - 0.3, 0), rtol=1e-12)


def test_what_does_not_converge_names_the_tile(surrogate, monkeypatch):
    g, v = array((4, 3), 1)
    monkeypatch.setattr(newton, "MOST_STEPS", 1)
    with jax.enable_x64(True):
        traced = jax.jit(lambda g: gated_wired(surrogate, g, jnp.asarray(v), WIRES))
        short = traced(jnp.asarray(g))
        for value in (np.nan, -1e-5):
            spoilt = g.copy()
            spoilt[1, 2] = value
            assert jnp.isnan(traced(jnp.asarray(spoilt)).residual).all()
    assert 1e-9 < float(short.residual[0]) < 1
    with pytest.raises(ModelError, match=r"layer 2, tile 3: .* did not converge \(residual .* after 1 Newton steps"):
        require_solved(short, tile="layer 2, tile 3", surrogate=surrogate)


def test_steps_that_go_too_far_are_halved(surrogate, monkeypatch):
    """A cell that saturates at 1/30 of its source's voltage: full Newton steps swing from one saturation to the other."""
    limit, knee, ohm = 1e-5, 0.01, 1e5

    def steep(_, w, b):
        x = (w - b) / knee
        slope = limit / knee / jnp.cosh(x) ** 2
        return limit * jnp.tanh(x), slope, -slope

    monkeypatch.setattr(newton, "cell_currents", steep)
    with jax.enable_x64(True):
        found = gated_wired(surrogate, jnp.full((1, 1), 1e-5), jnp.full((1, 1), 0.3), Wires(source=ohm))
    expected = brentq(lambda i: i - limit * np.tanh((0.3 - ohm * i) / knee), 0, limit, xtol=1e-20, rtol=1e-14)
    np.testing.assert_allclose(found.current, expected, rtol=1e-10)
    assert float(found.steps[0]) > 5


def test_bad_input(surrogate):
    g, v = (jnp.asarray(a, jnp.float32) for a in array())
    small = surrogate.astype(jnp.float32)
    with pytest.raises(ValueError, match=r"v must have one voltage per row of g, got shape \(4,\) for \(5, 4\)"):
        gated_wired(small, g, v[0, :4], WIRES)
    with pytest.raises(ValueError, match=r"wires\.bit must be finite and not below 0 ohm, got -7\.0"):
        gated_wired(small, g, v, replace(WIRES, bit=-7.0))
    for value in (-1e-5, np.nan):
        with pytest.raises(ValueError, match=r"g must not be below 0 S .* 1T-1R cells, got .* at row 1, column 2"):
            gated_wired(small, g.at[1, 2].set(value), v, WIRES)
    huge = jax.ShapeDtypeStruct((2**17, 2**17), jnp.float32)
    with pytest.raises(ModelError, match=r"g must fit into memory"):
        jax.eval_shape(lambda g: gated_wired(small, g, jnp.zeros(2**17), WIRES), huge)
