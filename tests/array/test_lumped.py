"""Source and neuron resistance without wires: the exact fold, and the published approximation of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests.circuits import conductances
from xbar_cli.array.lumped import lumped, lumped_dual
from xbar_cli.array.nodal import nodal
from xbar_cli.array.pairs import halves, interleaved
from xbar_cli.array.published import published, published_columns, published_dual, published_signed
from xbar_cli.array.tiling import fold_pairs
from xbar_cli.array.wires import Wires

RS, RN = 300.0, 80.0
ENDS = Wires(source=RS, neuron=RN)


def test_dual_solves_kirchhoffs_law():
    g_pos, g_neg = conductances((6, 4)), conductances((6, 4), seed=1)
    v = np.linspace(-0.2, 0.5, 6)
    rows, cols = g_pos.shape
    n = 2 * rows + cols
    y, driven = np.zeros((n, n)), np.zeros(n)
    for array, (g, sign) in enumerate(((g_pos, 1), (g_neg, -1))):
        for i in range(rows):
            a = array * rows + i
            y[a, a] += 1 / RS
            driven[a] = sign * v[i] / RS
            for j in range(cols):
                b = 2 * rows + j
                y[[a, b], [a, b]] += g[i, j]
                y[[a, b], [b, a]] -= g[i, j]
    y[range(2 * rows, n), range(2 * rows, n)] += 1 / RN
    currents = np.linalg.solve(y, driven)[2 * rows :] / RN
    with jax.enable_x64(True):
        g_eff = lumped_dual(jnp.asarray(g_pos), jnp.asarray(g_neg), ENDS).g_eff
        alone = lumped(jnp.asarray(g_pos), ENDS).g_eff
        empty = lumped_dual(jnp.asarray(g_pos), jnp.zeros_like(g_pos), ENDS).g_eff
    np.testing.assert_allclose(v @ np.asarray(g_eff), currents, rtol=1e-11)
    np.testing.assert_allclose(alone, empty, rtol=1e-13)


@pytest.mark.parametrize("wires", [Wires(source=RS), Wires(neuron=RN), Wires()], ids=["source", "neuron", "none"])
def test_published_is_exact_when_either_resistance_is_zero(wires):
    with jax.enable_x64(True):
        pair = jnp.asarray(conductances((40, 30))), jnp.asarray(conductances((40, 30), seed=1))
        exact = lumped_dual(*pair, wires).g_eff
        np.testing.assert_allclose(published_dual(*pair, wires).g_eff, exact, rtol=1e-12)
        exact = lumped(pair[0], wires).g_eff
        np.testing.assert_allclose(published(pair[0], wires).g_eff, exact, rtol=1e-12)
        if not wires.any:
            np.testing.assert_array_equal(exact, pair[0])


def test_published_is_near_over_the_papers_ratios():
    """784×500 dual arrays with 15 levels, Table of tat: R_on, R_s 200…800 ohm, R_neu 0…200 ohm."""
    rng = np.random.default_rng(0)
    w = np.clip(rng.normal(0, 0.25, (784, 500)), -1, 1)
    levels = np.round(15 * np.abs(w)) / 15
    v = np.where(rng.random((100, 784)) < 0.2, rng.random((100, 784)), 0).astype(np.float32)
    worst, least = 0.0, 1.0
    for r_on in (20e3, 100e3):
        pair = [jnp.asarray(np.where(sign * w > 0, levels / r_on, 0), jnp.float32) for sign in (1, -1)]
        for wires in (Wires(source=200.0, neuron=50.0), Wires(source=800.0, neuron=200.0)):
            exact, near = (v @ np.asarray(model(*pair, wires).g_eff) for model in (lumped_dual, published_dual))
            nrmsd = np.sqrt(np.mean((near - exact) ** 2)) / np.ptp(exact)
            worst, least = max(worst, nrmsd), min(least, nrmsd)
    assert worst < 0.005
    assert least > 1e-7


@pytest.mark.parametrize("model", [lumped, published, lumped_dual, published_dual])
def test_gradients(model):
    with jax.enable_x64(True):
        arrays = [jnp.asarray(conductances((5, 4), seed)) for seed in range(2 if "dual" in model.__name__ else 1)]

        def scaled(*point):
            r_source, r_neuron, *arrays = map(jnp.asarray, point)
            return 1e3 * model(*(1e-3 * g for g in arrays), Wires(source=1e2 * r_source, neuron=1e2 * r_neuron)).g_eff

        point = (jnp.asarray(3.0), jnp.asarray(0.8), *(1e3 * g for g in arrays))
        check_grads(scaled, point, order=1, modes=["fwd", "rev"], rtol=1e-6, atol=1e-8)
        at_zero = (jnp.asarray(0.0), jnp.asarray(0.0), *(1e3 * g for g in arrays))
        assert all(jnp.all(jnp.isfinite(x)) for x in jax.grad(lambda *a: scaled(*a).sum(), (0, 1, 2))(*at_zero))


def test_the_signed_form_has_the_values_and_gradients_of_the_dual_one():
    with jax.enable_x64(True):
        g = jnp.asarray(conductances((7, 5)) - conductances((7, 5), seed=1)).at[2].set(0).at[:, 3].set(0)
        weights = jnp.asarray(np.random.default_rng(2).normal(size=g.shape))

        def dual(g, r_source, r_neuron):
            return jnp.sum(weights * published_dual(*halves(g), Wires(source=r_source, neuron=r_neuron)).g_eff)

        def signed(g, r_source, r_neuron):
            return jnp.sum(weights * published_signed(g, Wires(source=r_source, neuron=r_neuron)))

        by_dual, by_sign = (jax.jit(jax.value_and_grad(form, (0, 1, 2))) for form in (dual, signed))
        for ends in ((RS, RN), (0.0, RN), (RS, 0.0), (0.0, 0.0)):
            for at in (g, jnp.abs(g)):
                wanted, found = (form(at, *map(jnp.asarray, ends)) for form in (by_dual, by_sign))
                for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
                    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * float(jnp.abs(theirs).max()))


def test_the_signed_form_of_tiles_is_that_of_each_tile():
    g = jnp.asarray(conductances((11, 7)) - conductances((11, 7), seed=1), jnp.float32)
    each = fold_pairs(g, lambda part: published_dual(*halves(part), ENDS), tile=(4, 3)).g_eff
    np.testing.assert_allclose(published_signed(g, ENDS, tile=(4, 3)), each, rtol=1e-5)


def test_columns_with_neurons_of_their_own_are_the_closed_form_of_one_array():
    with jax.enable_x64(True):
        g = jnp.asarray(conductances((7, 5)) - conductances((7, 5), seed=1))
        weights = jnp.asarray(np.random.default_rng(2).normal(size=g.shape))

        def one_array(g):
            return interleaved(lambda cells: published(cells, ENDS), *halves(g))

        def gradient(form):
            return jax.value_and_grad(lambda x: jnp.sum(weights * form(x)))(g)

        wanted, found = gradient(lambda x: one_array(x).g_eff), gradient(lambda x: published_columns(x, ENDS))
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
        tiled = fold_pairs(g, one_array, tile=(4, 3)).g_eff
        np.testing.assert_allclose(published_columns(g, ENDS, tile=(4, 3)), tiled, rtol=1e-9)


def test_the_closed_form_sees_most_of_what_wires_take():
    rng = np.random.default_rng(3)
    g = jnp.asarray(rng.normal(size=(32, 16)) * 1e-5)
    exact = interleaved(lambda cells: nodal(cells, Wires(5.0, 5.0, 80.0, 20.0)), *halves(g)).g_eff

    def lost(r_wire):
        near = published_columns(g, Wires(r_wire, r_wire, 80.0, 20.0))
        return float(jnp.linalg.norm(near - exact) / jnp.linalg.norm(g - exact))

    assert lost(5.0) < lost(0.0) / 3


def test_float32_jit_and_vmap():
    tiles = jnp.asarray(np.stack([conductances((24, 16), seed) for seed in range(3)]), jnp.float32)

    def fold(g):
        return lumped(g, ENDS).g_eff

    loop = jnp.stack([fold(g) for g in tiles])
    assert loop.dtype == jnp.float32
    with jax.enable_x64(True):
        exact = jnp.stack([fold(g.astype(jnp.float64)) for g in tiles])
    np.testing.assert_allclose(loop, exact, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.vmap(fold))(tiles), loop, rtol=1e-6)
    np.testing.assert_allclose(jax.lax.map(fold, tiles), loop, rtol=1e-6)


def test_a_word_or_bit_line_of_its_own_is_a_series_circuit():
    g = jnp.asarray([[2e-4]], jnp.float32)
    np.testing.assert_allclose(lumped(g, ENDS).g_eff, 1 / (1 / 2e-4 + RS + RN), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: lumped(g, Wires(source=-1.0)), r"wires\.source must be finite and not below 0 ohm, got -1\.0"),
        (lambda g: published(g, Wires(neuron=float("inf"))), r"wires\.neuron must be finite .* got inf"),
        (lambda g: lumped(g, Wires(bit=2.0)), r"wires\.bit must be 0 ohm in a model with ideal wires, got 2\.0"),
        (lambda g: published(g, Wires(word=2.0)), r"wires\.word must be 0 ohm in a model with ideal wires, got 2\.0"),
        (lambda g: lumped_dual(g, g[:2], Wires(source=1.0)), r"g_pos and g_neg .* \(3, 4\) and \(2, 4\)"),
        (lambda g: nodal(g, Wires(word=1, bit=float("nan"))), r"wires\.bit must be finite .* got nan"),
        (lambda g: nodal(g[:, :0], Wires(word=1, bit=1)), r"at least one device, got .*\(3, 0\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.ones((3, 4)))
