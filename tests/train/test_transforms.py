from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.lumped import lumped_dual, of_pairs, published_dual
from xbar_cli.device.levels import discretise_ratio
from xbar_cli.nn.layers import dense
from xbar_cli.train.transforms import Injection, Technology, compose, transformed

G_ON = 1 / 20e3
W = jax.random.normal(jax.random.key(0), (30, 8))


def technology(dual=published_dual, *, r_source=0.0, r_neuron=0.0, **given):
    ends = {"r_source": r_source, "r_neuron": r_neuron}
    fold = lambda g: (of_pairs(partial(dual, **ends), g), jnp.zeros((), g.dtype))  # noqa: E731
    plain = {"bits": 4, "ratio": 15.0, "limit": None, "g_on": G_ON, "tile": None, "corner": 0.0, "layers": None}
    return Technology(**{**plain, "fold": fold, **given})


def test_without_resistance_weights_are_only_discretised():
    wanted = discretise_ratio(W, limit=jnp.abs(W).max(), bits=4, ratio=15.0)
    np.testing.assert_allclose(technology()("a", W, None), wanted, atol=1e-5)
    half = technology(corner=-0.2)("a", W, None)
    np.testing.assert_allclose(half, 0.8 * wanted, atol=1e-5)


@pytest.mark.parametrize("dual", [published_dual, lumped_dual], ids=["published", "lumped"])
def test_resistances_act_on_the_dual_arrays(dual):
    ends = {"r_source": 800.0, "r_neuron": 200.0}
    limit = jnp.abs(W).max()
    g = discretise_ratio(W, limit=limit, bits=4, ratio=15.0) * (G_ON / limit)
    wanted = dual(jnp.maximum(g, 0), jnp.maximum(-g, 0), **ends) * (limit / G_ON)
    found = technology(dual, **ends)("a", W, None)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert float(jnp.abs(found).sum()) < 0.9 * float(jnp.abs(W).sum())


def test_smaller_arrays_suffer_less():
    loss = {
        tile: float(jnp.abs(technology(r_source=800.0, r_neuron=200.0, tile=tile)("a", W, None) - W).mean())
        for tile in [(30, 8), (10, 4), (5, 2)]
    }
    assert loss[(5, 2)] < loss[(10, 4)] < loss[(30, 8)]


def test_an_absent_device_can_come_back():
    small = jnp.zeros((3, 2)).at[0, 0].set(1.0)
    gradient = jax.grad(lambda w: technology()("a", w, None).sum())(small)
    np.testing.assert_allclose(gradient, np.ones((3, 2)), rtol=1e-5)


def test_layers_that_are_not_on_arrays_stay_as_they_are():
    np.testing.assert_array_equal(technology(layers=frozenset({"b"}))("a", W, None), W)
    assert not np.array_equal(technology(layers=frozenset({"a"}))("a", W, None), W)


@pytest.mark.parametrize("model", ["additive", "proportional"])
def test_injected_noise_is_new_at_every_key_and_absent_without(model):
    noise, w = Injection(model=model, sigma=0.1), jnp.linspace(-2.0, 2.0, 40_000).reshape(200, 200)
    np.testing.assert_array_equal(noise("a", w, None), w)
    first, second = (noise("a", w, jax.random.key(n)) - w for n in (0, 1))
    assert not np.array_equal(first, second)
    scale = 0.1 * 2.0 if model == "additive" else 0.1 * np.sqrt(np.mean(np.square(w)))
    assert float(first.std()) == pytest.approx(scale, rel=0.02)


def test_a_product_transforms_each_layer_by_its_own_stream():
    product = transformed(compose([Injection(model="additive", sigma=0.1)]), jax.random.key(0))
    x, w = jnp.eye(4), jnp.ones((4, 4))
    assert not np.array_equal(product("a", x, w, dense), product("b", x, w, dense))
    np.testing.assert_array_equal(product("a", x, w, dense), product("a", x, w, dense))
    assert compose([]) is None
