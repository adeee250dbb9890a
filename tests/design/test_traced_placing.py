"""Weights on devices as functions of the design: at what can be built they are what mapping makes of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic, mapped
from xbar_cli.design.placing import Gated, lay, resistive
from xbar_cli.mapping.placing import DeviceRange, place, programmed, span_of

W = np.random.default_rng(3).normal(0, 0.3, (20, 6)).astype(np.float32)


@pytest.mark.parametrize("scheme", ["de", "bc", "acm"])
@pytest.mark.parametrize("bits", [None, 3])
def test_resistive_devices_are_those_of_a_mapping(scheme, bits):
    levels = None if bits is None else np.linspace(mapped.G_OFF, mapped.G_ON, 2**bits)
    devices = DeviceRange(mapped.G_OFF, mapped.G_ON, levels=levels)
    wanted = place(scheme, W, span_of(devices, scheme, vg=None, w_max=0.5))
    layer = mapped.layer(20, 6, scheme=scheme)
    found, laid = lay(layer, jnp.asarray(W), resistive(30e3, 300e3, scheme), 0.5, bits=bits)
    np.testing.assert_allclose(found, wanted.wanted, rtol=2e-6)
    np.testing.assert_allclose(laid.slope, np.broadcast_to(wanted.slope, 6), rtol=2e-6)


@pytest.mark.parametrize("scheme", ["de", "acm"])
@pytest.mark.parametrize("vg", [0.9, 1.2])
def test_cells_at_gates_of_the_table_are_those_of_a_mapping(scheme, vg):
    cell = analytic.cell()
    devices = DeviceRange(cell.g_off, cell.g_on, cell=cell, top="range")
    gated = Gated.of(devices, scheme, tuple(cell.vg))
    weights = gated.weights(jnp.asarray(vg))
    np.testing.assert_allclose(weights, np.asarray(cell.vg) == vg, atol=1e-6)
    wanted = place(scheme, W, span_of(devices, scheme, vg=vg, w_max=0.5))
    found, laid = lay(mapped.layer(20, 6, scheme=scheme), jnp.asarray(W), gated.ends(weights), 0.5, bits=None)
    np.testing.assert_allclose(found, wanted.wanted, rtol=1e-5)
    np.testing.assert_allclose(laid.slope, np.broadcast_to(wanted.slope, 6), rtol=1e-5)
    memristors = programmed(devices, wanted.wanted, vg=vg).g
    np.testing.assert_allclose(gated.memristors(found, weights), memristors, rtol=1e-4)
    surrogate = gated.surrogate("current", weights, memristors.shape)
    with jax.enable_x64(True):
        own = cell.current[cell.index(vg)].astype(jnp.float32)
    g, v = jnp.asarray(memristors, jnp.float32), jnp.full(memristors.shape, 0.3)
    np.testing.assert_allclose(surrogate(g, v), own(g, v), rtol=1e-5)


def test_a_gate_between_those_of_the_table_is_near_the_cell_there():
    """The closed form itself is the reference: the cubics through four gates miss it by less than 1 %."""
    cell = analytic.cell()
    gated = Gated.of(DeviceRange(cell.g_off, cell.g_on, cell=cell, top="range"), "de", tuple(cell.vg))
    g, v = jnp.linspace(cell.g_off, cell.g_on, 7), jnp.full(7, 0.3)
    surrogate = gated.surrogate("current", gated.weights(jnp.asarray(1.1)), (7,))
    wanted = [analytic.current(float(x), 0.3, 1.1) for x in g]
    np.testing.assert_allclose(surrogate(g.astype(jnp.float32), v), wanted, rtol=1e-2)


def test_gradients_pass_levels_straight_through():
    layer = mapped.layer(20, 6)

    def total(r_on, bits):
        return lay(layer, jnp.asarray(W), resistive(r_on, 300e3, "de"), 0.5, bits=bits)[0].sum() * 1e6

    smooth, levelled = (float(jax.grad(total)(30e3, bits)) for bits in (None, 3))
    assert smooth < 0
    assert levelled == pytest.approx(smooth, rel=0.05)
