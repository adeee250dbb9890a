"""In-situ training through wires: what devices are read as, errors on their way back, and what is between two solutions."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.nodal import nodal
from xbar_cli.array.wires import Wires, wired_fold
from xbar_cli.nn.contracts import dense
from xbar_cli.train.insitu.arrays import ReadArrays, make_renewal, make_solve

KEY = jax.random.key(5)
WIRES = Wires(word=20.0, bit=10.0, source=300.0, neuron=100.0)
G_OFF, G_ON, LIMIT = 1 / 300e3, 1 / 30e3, 0.5


def arrays(tile=(16, 8)):
    return ReadArrays(wired_fold(nodal, WIRES), tile, G_OFF, G_ON, LIMIT)


def weights(shape=(30, 11), key=KEY):
    return jax.random.uniform(key, shape, minval=-LIMIT, maxval=LIMIT)


def read(own, kernel):
    return own.by_ratio(kernel, own.ratios({"a": kernel})["a"])


def test_currents_less_those_of_the_reference_are_what_a_kernel_is_read_as():
    """By conductances of every tile and the currents of its columns, added by hand."""
    own, kernel = arrays(), weights()
    g = np.empty((30, 12), np.float32)
    g[:, :-1] = G_OFF + (np.asarray(kernel) / LIMIT + 1) / 2 * (G_ON - G_OFF)
    g[:, -1] = (G_OFF + G_ON) / 2
    x = np.asarray(jax.random.normal(KEY, (5, 30)))
    currents = np.zeros((5, 12))
    for top in (0, 16):  # rows of the second band are at the lower end of its tiles
        for left in (0, 8):
            tile = g[top : top + 16, left : left + 8]
            currents[:, left : left + 8] += x[:, top : top + 16] @ np.asarray(nodal(jnp.asarray(tile), WIRES).g_eff)
    wanted = (currents[:, :-1] - currents[:, -1:]) / (G_ON - G_OFF) * 2 * LIMIT
    found = dense(jnp.asarray(x), read(own, kernel))
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-4 * np.abs(wanted).max())
    assert np.abs(found - x @ kernel).max() > 0.05 * np.abs(x @ kernel).max()


def test_errors_go_back_through_the_same_conductances():
    """Columns driven where their neurons are and rows read where their sources are, as a circuit of its own."""
    g = jax.random.uniform(KEY, (7, 5), minval=G_OFF, maxval=G_ON)
    turned = Wires(word=WIRES.bit, bit=WIRES.word, source=WIRES.neuron, neuron=WIRES.source)
    back = nodal(g[::-1, ::-1].T, turned).g_eff
    np.testing.assert_allclose(back[::-1, ::-1].T, nodal(g, WIRES).g_eff, rtol=1e-5)


def test_between_two_solutions_a_small_change_is_read_nearly_as_the_arrays_would():
    own, kernel = arrays(), weights()
    net = SimpleNamespace(a=SimpleNamespace(kernel=kernel, fold_ratio=np.zeros((30, 12))))
    make_renewal(["a"], make_solve(own), every=None).renew(net)
    moved = kernel + 0.02 * LIMIT * jax.random.normal(jax.random.key(6), kernel.shape)
    exact, kept = read(own, moved), own.by_ratio(moved, jnp.asarray(net.a.fold_ratio))
    change = float(jnp.linalg.norm(exact - read(own, kernel)))
    assert float(jnp.linalg.norm(kept - exact)) < 0.15 * change
    np.testing.assert_allclose(own.by_ratio(kernel, jnp.asarray(net.a.fold_ratio)), read(own, kernel), rtol=1e-6)


def test_a_convolution_and_a_device_beyond_its_window():
    own = arrays()
    kernel = weights((3, 3, 2, 4))
    assert read(own, kernel).shape == kernel.shape
    np.testing.assert_array_equal(read(own, kernel).reshape(18, 4), read(own, kernel.reshape(18, 4)))
    below = own.conductances(jnp.full((2, 2), -LIMIT * 3))
    assert (below[:, :2] == 0).all()
    assert below[0, 2] == pytest.approx((G_OFF + G_ON) / 2)
    assert (own.ratios({"a": jnp.full((2, 2), -LIMIT * 3)})["a"][:, :2] == 1).all()
