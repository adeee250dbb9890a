"""Layers on arrays that one pass reads several times: every use is a read of its own."""

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.array.converters import Adc, Dac
from xbar_cli.array.ideal import LinearLayer
from xbar_cli.array.tiling import row_groups
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.contracts import dense
from xbar_cli.nn.noise import linear_noise
from xbar_cli.nn.program import Scale
from xbar_cli.nn.reading import Circuit, on_arrays
from xbar_cli.nn.tiled import TiledLayer
from xbar_cli.numerics import stream

SCALE = Scale(Readout("de"), (4, 3), jnp.asarray(1e-5))
G = jnp.full((4, 6), 1e-5)
KEY, FIRST = jax.random.key(11), jnp.asarray(0)
X = jax.random.uniform(jax.random.key(3), (5000, 4))
NOISE = linear_noise(0.1 * G, scale=SCALE)


def folded() -> Circuit:
    layer = LinearLayer(SCALE.weights(G).reshape(4, 3))
    return Circuit({"a": layer, "b": layer}, noises={"a": NOISE, "b": NOISE})


def used(circuit, names, x=X, **more):
    product = on_arrays(circuit, key=KEY, first=FIRST, **more)
    return [np.asarray(product(name, x, jnp.zeros((4, 3)), dense)) for name in names]


def test_two_uses_of_a_layer_are_two_reads():
    once, again, third = used(folded(), "aaa")
    assert abs(np.corrcoef(once.ravel(), again.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(again.ravel(), third.ravel())[0, 1]) < 0.03
    assert again.std() > 0.1 * once.std()


def test_the_first_use_draws_what_a_single_use_does_whatever_else_is_read():
    (alone,) = used(folded(), "a")
    first, _, _ = used(folded(), "aba")
    np.testing.assert_array_equal(alone, first)
    clean = folded().layers["a"](X, dense)
    np.testing.assert_array_equal(alone, clean + NOISE(stream(KEY, "a"), X, dense, first=FIRST))
    np.testing.assert_array_equal(used(folded(), "aa")[1], used(folded(), "baa")[2])


def test_conversions_of_all_uses_count():
    dac = Dac(full_scale=jnp.asarray(0.5), signed=False, bits=4, limited=True)
    rows = row_groups(4, height=4)
    layer = TiledLayer(rows.split(G[None]), jnp.zeros((1, 6)), SCALE, dac, rows)
    adc = Adc(jnp.asarray(4e-6), jnp.ones((1, 6)), jnp.zeros((1, 6)), jnp.asarray(0.0), bits=4)
    circuit = Circuit({"a": layer}, adcs={"a": adc})
    one, two = {}, {}
    used(circuit, "a", counts=one)
    used(circuit, "aa", counts=two)
    for name in ("adc a", "dac a"):
        assert float(one[name].beyond.sum()) > 0
        assert two[name].total == 2 * one[name].total
        np.testing.assert_allclose(two[name].beyond, 2 * one[name].beyond)
