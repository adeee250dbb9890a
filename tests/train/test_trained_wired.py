"""Training through arrays of 1T-1R cells with wires: what a step sees, its gradients, noise on the cells."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests import analytic
from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.effect_list import InjectSection
from xbar_cli.errors import ConfigError
from xbar_cli.nn.layers import Dense, digital
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.train.injection import on_cells
from xbar_cli.train.wired import clear, make_renewal, make_room, make_settle, wired_cells

VG, ROWS, OUT, W_MAX = 0.9, 6, 2, 1.0
SHAPE = LayerShape("fc", (ROWS, OUT), positions=1, dense=True)
WIRES = {"r_wire_ohm": 30.0, "r_source_ohm": 200.0, "r_neuron_ohm": 50.0}


class Net(nnx.Module):
    def __init__(self):
        self.fc = Dense("fc", ROWS, OUT, rngs=nnx.Rngs(0))
        self.fc.kernel[...] = jnp.asarray(np.random.default_rng(1).uniform(-0.9, 0.9, (ROWS, OUT)), jnp.float32)

    def __call__(self, x, product, *, training=False):
        return self.fc(x, product)


@pytest.fixture(scope="module")
def cell():
    return replace(analytic.cell((VG,)), bit_line=(analytic.on_a_bit_line(VG),))


def images(count=8):
    return jnp.asarray(np.random.default_rng(2).uniform(0, 1, (count, ROWS)), jnp.float32)


def arrays_of(cell, net, *, wires=None, **others):
    asked = {
        "vg": {"fc": VG},
        "w_max": {"fc": W_MAX},
        "tile": (4, 4),
        "images": images(),
        "noise": None,
        "refold": None,
    }
    array = ArraySection(model="gated", **(WIRES if wires is None else wires))
    return wired_cells(net, cell, [SHAPE], arrays=array, **asked | others)


@pytest.fixture(scope="module")
def ready(cell):
    """A network that has been folded, its arrays, and the same arrays folded at every step."""
    net = Net()
    arrays = arrays_of(cell, net)
    make_room(net, arrays)
    make_renewal(arrays, every=None).renew(net)
    return net, arrays, replace(arrays, kept=False)


def scores(net, arrays, key=None):
    return jax.jit(lambda x: net(x, arrays.forward(net, key, jnp.asarray(0))))(images())


def test_a_step_after_a_renewal_sees_the_fold_and_wires_lower_what_it_sees(ready):
    net, arrays, always = ready
    kept, exact, plain = (np.asarray(y) for y in (scores(net, arrays), scores(net, always), net(images(), digital)))
    np.testing.assert_allclose(kept, exact, atol=3e-6 * np.abs(exact).max())
    assert 0.005 < np.abs(exact - plain).max() / np.abs(plain).max() < 0.3


@pytest.mark.slow
def test_between_renewals_the_fold_is_scaled(ready):
    net, arrays, always = ready
    state, kernel = nnx.state(net), net.fc.kernel[...]
    graph = nnx.split(net)[0]
    moved = nnx.merge(graph, state, copy=True)
    moved.fc.kernel[...] = kernel + 0.05 * jnp.sign(jnp.sin(100 * kernel))
    kept, exact, before = (np.asarray(y) for y in (scores(moved, arrays), scores(moved, always), scores(net, arrays)))
    assert np.abs(kept - exact).max() < 0.05 * np.abs(exact - before).max()


@pytest.mark.parametrize("way", ["kept", pytest.param("folded", marks=pytest.mark.slow)])
def test_gradients_are_those_of_differences(ready, way):
    net, arrays, always = ready
    graph, state = nnx.split(net)
    chosen = always if way == "folded" else arrays

    @jax.jit
    def loss(kernel):
        own = nnx.merge(graph, state, copy=True)
        own.fc.kernel[...] = kernel
        return jnp.sum(jnp.sin(own(images(), chosen.forward(own, None, jnp.asarray(0) if way == "folded" else None))))

    kernel, along = net.fc.kernel[...], jnp.asarray(np.random.default_rng(3).normal(size=(ROWS, OUT)), jnp.float32)
    slope = float(jnp.vdot(jax.grad(loss)(kernel), along))
    step = 3e-3
    difference = float(loss(kernel + step * along) - loss(kernel - step * along)) / (2 * step)
    assert slope == pytest.approx(difference, rel=5e-3)


def test_noise_is_on_the_cells_of_a_step_and_on_none_that_is_measured(ready, cell):
    net, arrays, _ = ready
    noise = on_cells(InjectSection(model="proportional", sigma=0.1), g_off=cell.g_off, g_on=cell.g_on)
    noisy = replace(arrays, noise=noise)
    g = arrays.layers["fc"].curve.memristors(net.fc.kernel[...])
    one, other = (np.asarray(noisy.chip_layer("fc", net, jax.random.key(n), jnp.asarray(0)).g) for n in (0, 1))
    assert np.abs(one - other).max() > 0.05 * float(g.max())
    assert 0.05 < np.std(one / np.asarray(g)) < 0.15
    np.testing.assert_array_equal(noisy.chip_layer("fc", net, None, None).g, g)
    effect = on_cells(InjectSection(effects=({"model": "stuck", "on": 1.0},)), g_off=cell.g_off, g_on=cell.g_on)
    stuck = replace(arrays, noise=effect).chip_layer("fc", net, jax.random.key(0), jnp.asarray(0)).g
    np.testing.assert_allclose(stuck, cell.g_on, rtol=1e-5)


def test_a_state_is_settled_once_and_a_network_is_saved_without_folds(ready):
    net, arrays, _ = ready
    graph, state = nnx.split(net)
    calls = []
    renewal = make_renewal(arrays, every=None)
    counting = replace(renewal, renew=lambda net: (calls.append(0), renewal.renew(net)))
    settle = make_settle(graph, counting)
    first = settle(state)
    assert settle(state) is first
    assert len(calls) == 1
    own = nnx.merge(graph, state, copy=True)
    clear(own, ["fc"])
    assert not hasattr(own.fc, "fold")


@pytest.mark.parametrize(
    ("cell_of", "wires", "message"),
    [
        (lambda cell: replace(cell, bit_line=None), None, "characterized up to a bit-line voltage"),
        (lambda cell: cell, {}, "trains through resistances"),
    ],
    ids=["no bit line", "no wires"],
)
def test_what_cannot_be_trained_through_is_one_line(cell, cell_of, wires, message):
    with pytest.raises(ConfigError, match=message):
        arrays_of(cell_of(cell), Net(), wires=wires)
