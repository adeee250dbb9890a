"""Arrays with wires: conservation, limits, order, gradients, precision. The oracles are in tests/oracle."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests.circuits import WIRES, conductances
from xbar_cli.array.dissection import most_elements, padded, plan
from xbar_cli.array.inverse import inverse
from xbar_cli.array.lumped import lumped
from xbar_cli.array.nodal import nodal, solve
from xbar_cli.array.wires import Wires
from xbar_cli.errors import ModelError

NAMES = ("word", "bit", "source", "neuron")


def fold64(g, wires):
    with jax.enable_x64(True):
        g_eff, residual = nodal(jnp.asarray(g), wires)
    assert float(residual) < 1e-13
    return np.asarray(g_eff)


def test_passive():
    g = conductances()
    g_eff = fold64(g, WIRES)
    assert np.all(g_eff >= 0)
    assert np.all(g_eff.sum(0) < g.sum(0))
    assert np.all(g_eff.sum(1) < g.sum(1))
    assert np.any(g_eff > g)  # sneak current through the absent devices' neighbours
    for name in NAMES:
        assert fold64(g, replace(WIRES, **{name: 1.5 * getattr(WIRES, name)})).sum() < g_eff.sum()


def test_sources_deliver_power():
    g = conductances()
    with jax.enable_x64(True):
        volts = solve(jnp.asarray(g), jnp.asarray([0.4, -0.3, 0.2, -0.5, 0.1]), WIRES)
        v = jnp.asarray([0.4, -0.3, 0.2, -0.5, 0.1])
        delivered = jnp.sum(v * (v - volts.word[:, 0])) / (WIRES.source + WIRES.word)
        in_devices = jnp.sum(jnp.asarray(g) * (volts.word - volts.bit) ** 2)
        assert delivered > in_devices > 0


@pytest.mark.parametrize("known", [{}, {"word": 0.0}, {"bit": 0.0}])
def test_reciprocal(known):
    """Inputs and outputs exchanged: the transposed array in reverse order."""
    g, r = conductances(), replace(WIRES, **known)
    turned = Wires(word=r.bit, bit=r.word, source=r.neuron, neuron=r.source)
    np.testing.assert_allclose(fold64(g[::-1, ::-1].T, turned)[::-1, ::-1].T, fold64(g, r), rtol=1e-12)


@pytest.mark.parametrize("small", [{"word", "bit"}, {"word"}, {"bit"}])
def test_wires_towards_zero(small):
    g = conductances()
    with_limit = replace(WIRES, **dict.fromkeys(small, 1e-10))
    expected = fold64(g, replace(WIRES, **dict.fromkeys(small, 0.0)))
    np.testing.assert_allclose(fold64(g, with_limit), expected, rtol=1e-9, atol=1e-9 * g.max())
    if len(small) == 2:
        with jax.enable_x64(True):
            exact = lumped(jnp.asarray(g), replace(WIRES, word=0.0, bit=0.0)).g_eff
        np.testing.assert_allclose(expected, exact, rtol=1e-13)


def test_all_resistances_towards_zero():
    g = conductances()
    np.testing.assert_allclose(fold64(g, Wires(1e-9, 1e-9, 1e-9, 1e-9)), g, rtol=1e-9, atol=1e-10 * g.max())
    np.testing.assert_array_equal(fold64(g, Wires()), g)


@pytest.mark.parametrize("known", [set(), {"word"}, {"bit"}, {"word", "bit"}])
@pytest.mark.slow
def test_gradients_in_conductances_and_every_resistance(known):
    names = [name for name in NAMES if name not in known]
    v = np.linspace(-0.2, 0.5, 5)

    def scaled(*point):
        g, *values = map(jnp.asarray, point)
        wires = Wires(**dict(zip(names, values, strict=True)))
        volts = solve(1e-3 * g, jnp.asarray(v), wires)
        return 1e3 * nodal(1e-3 * g, wires).g_eff, volts.word, volts.bit

    with jax.enable_x64(True):
        point = (1e3 * jnp.asarray(conductances()), *(jnp.asarray(getattr(WIRES, name)) for name in names))
        check_grads(scaled, point, order=1, modes=["rev"], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_float32_callers():
    """In a float32 process: the value to 1e-6, one gradient whichever way `grad` and `jit` are nested, maps are loops."""
    tiles = jnp.asarray(np.stack([conductances((2, 2), seed) for seed in range(3)]), jnp.float32)
    r = jnp.float32(WIRES.word)

    def loss(g, r):
        return 1e8 * jnp.sum(nodal(g, replace(WIRES, word=r))[0] ** 2)

    def fold(g):
        return nodal(g, WIRES)[0]

    assert fold(tiles[0]).dtype == jnp.float32
    loop = jnp.stack([fold(g) for g in tiles])
    np.testing.assert_allclose(loop, np.stack([fold64(np.asarray(g, np.float64), WIRES) for g in tiles]), rtol=1e-6)
    np.testing.assert_allclose(jax.lax.map(fold, tiles), loop, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(fold)(tiles), loop, rtol=1e-6)
    expected = jax.grad(loss, (0, 1))(tiles[0], r)
    for gradient in (jax.jit(jax.grad(loss, (0, 1))), jax.grad(jax.jit(loss), (0, 1))):
        for one, other in zip(gradient(tiles[0], r), expected, strict=True):
            assert one.dtype == jnp.float32
            np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.slow
def test_descent_through_the_array_lowers_a_loss():
    target = jnp.asarray(conductances(seed=3), jnp.float32)
    g = jnp.full_like(target, 2e-4)

    def loss(g):
        return jnp.mean((1e3 * (nodal(g, WIRES)[0] - target)) ** 2)

    losses, slope = [], jax.jit(jax.value_and_grad(loss))
    for _ in range(20):
        value, gradient = slope(g)
        losses.append(float(value))
        g = jnp.maximum(g - 1e-5 * gradient, 0)
    assert losses[-1] < 0.3 * losses[0]
    assert all(after < before for before, after in itertools.pairwise(losses))


def test_what_cannot_be_solved_shows_in_the_residual():
    g = jnp.asarray(conductances((2, 2)), jnp.float32)
    assert jnp.isnan(nodal(g.at[0, 1].set(jnp.nan), WIRES)[1])
    wireless = jax.jit(lambda r: nodal(g, replace(WIRES, word=r))[1])  # a traced 0 cannot select the case
    assert jnp.isnan(wireless(jnp.float32(0.0)))


def test_bad_input():
    g = jnp.ones((3, 4))
    with pytest.raises(ValueError, match=r"v must have one voltage per row of g, got shape \(4,\) for \(3, 4\)"):
        solve(g, jnp.ones(4), WIRES)
    with pytest.raises(ValueError, match=r"wires\.word must be finite and not below 0 ohm, got -4\.0"):
        nodal(g, replace(WIRES, word=-4.0))
    huge = jax.ShapeDtypeStruct((2**20, 2**20), jnp.float32)
    with pytest.raises(ModelError, match=r"g must fit into memory .* shape \(1048576, 1048576\) takes about .* GiB"):
        jax.eval_shape(lambda g: nodal(g, WIRES), huge)


def test_plan():
    """Sizes grow by at most half, every plan ends in at most 2 × 2 boxes, and the largest stage is counted."""
    for count in range(1, 300):
        assert count <= padded(count) < max(2, 1.5 * count)
    for rows, cols in ((1, 1), (6, 64), (96, 48), (512, 1)):
        counts = [rows, cols]
        for axis, n in plan(rows, cols):
            assert counts[axis] % n == 0
            counts[axis] //= n
        assert max(counts) <= 2
    assert most_elements(64, 64) == 18 * 64**2


@pytest.mark.parametrize("n", [1, 2, 31, 33, 70])
def test_inverse(n):
    rng = np.random.default_rng(n)
    k = -rng.random((3, n, n))
    k = k + k.swapaxes(1, 2)
    k[:, range(n), range(n)] = 0.5 - k.sum(2) + k[:, range(n), range(n)]
    with jax.enable_x64(True):
        np.testing.assert_allclose(inverse(jnp.asarray(k)) @ k, np.broadcast_to(np.eye(n), k.shape), atol=1e-11)
        if n == 2:
            symmetric = jnp.asarray(k)
            check_grads(lambda t: inverse(symmetric * t), (jnp.asarray(1.3),), order=2, rtol=1e-6)
