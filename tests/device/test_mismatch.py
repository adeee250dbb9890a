"""Cells at gate voltages of their own against a closed form in which the threshold and the gate voltage are one difference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.gated import currents
from xbar_cli.device.mismatch import (
    GateShift,
    MismatchedCell,
    gate_per_threshold,
    mismatched,
    nearest_nodes,
    node_weights,
)

GATES = np.round(np.arange(0.7, 0.91, 0.05), 9)
NODES = tuple(GATES.tolist())
SPREAD = GateShift(vg=0.8, sigma=0.03, nodes=NODES, index=tuple(range(GATES.size)))


@pytest.fixture(scope="module")
def cells():
    return [analytic.fitted(vg, 1e-4).to_jax().astype(jnp.float32) for vg in GATES]


def test_weights_give_back_cubics_and_hold_beyond_the_table():
    x = np.linspace(0.675, 0.95, 111)
    weights = node_weights(x, NODES)
    cubic = lambda v: 1 - 2 * v + 3 * v**2 - v**3  # noqa: E731
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose(weights @ cubic(GATES), cubic(x), atol=1e-12)
    far, ends = (node_weights(np.array(v), NODES) for v in ([0.2, 3.0], [0.675, 0.95]))
    np.testing.assert_allclose(far, ends, atol=1e-12)
    np.testing.assert_allclose(np.asarray(node_weights(jnp.asarray(x, jnp.float32), NODES)), weights, atol=1e-4)
    three = node_weights(x, NODES[:3])
    np.testing.assert_allclose(three[: x.searchsorted(0.85)] @ GATES[:3] ** 2, x[x < 0.85] ** 2, atol=1e-12)


def test_the_nodes_are_those_about_the_gate_voltage():
    places = np.arange(9)
    assert [nearest_nodes(places, n) for n in (0, 4, 8)] == [(0, 1, 2, 3, 4), (2, 3, 4, 5, 6), (4, 5, 6, 7, 8)]
    assert nearest_nodes(places[:3], 1) == (0, 1, 2)
    assert nearest_nodes(np.delete(places, 3), 4) == (1, 2, 4, 5, 6)


@pytest.mark.parametrize("kappa", [1.0, 1.3])
def test_the_gate_voltage_that_stands_for_a_threshold_is_found(kappa):
    g, shift = np.linspace(analytic.G_OFF, analytic.G_ON, 8), np.linspace(-0.06, 0.06, 21)

    def effective(vg):
        return (analytic.current(g[:, None], analytic.V_IN, vg) / analytic.V_IN).mean(axis=-1)

    sampled = np.stack([effective(0.8 - kappa * d) for d in shift])
    found = gate_per_threshold(0.8, NODES, np.stack([effective(vg) for vg in GATES]), shift=shift, sampled=sampled)
    assert found == pytest.approx(kappa, rel=0.01)


def test_every_device_is_the_cell_at_its_own_threshold(cells):
    """Read back what was drawn from the weights, and compare each device with the closed form at that gate voltage."""
    shape = (40, 30)
    g = jax.random.uniform(jax.random.key(1), shape, minval=analytic.G_OFF, maxval=analytic.G_ON)
    cell = mismatched(jax.random.key(2), cells, SPREAD, shape, jnp.dtype("float32"))
    gates = np.asarray(cell.weights, np.float64) @ GATES
    assert gates.mean() == pytest.approx(0.8, abs=4 * 0.03 / np.sqrt(g.size))
    assert gates.std() == pytest.approx(0.03, rel=0.08)
    assert np.unique(gates.round(6)).size > 0.99 * g.size
    for v in (0.05, 0.5):
        found = np.asarray(cell(g, jnp.full(shape, v)), np.float64)
        exact = analytic.current(np.asarray(g, np.float64), v, gates)
        near = np.abs(gates - 0.8) < 0.08
        np.testing.assert_allclose(found[near], exact[near], rtol=2e-3)
        plain = analytic.current(np.asarray(g, np.float64), v, 0.8)
        assert np.abs(plain / exact - 1).max() > 0.02


def test_an_array_of_them_adds_up_its_devices(cells):
    g = jax.random.uniform(jax.random.key(1), (6, 4), minval=analytic.G_OFF, maxval=analytic.G_ON)
    cell = mismatched(jax.random.key(5), cells, SPREAD, (6, 4), jnp.dtype("float32"))
    v = jnp.asarray([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    alone = cell(g, jnp.broadcast_to(v[:, None], (6, 4))).sum(axis=0)
    np.testing.assert_allclose(currents(cell, g, v), alone, rtol=1e-4)
    assert cell.rank == sum(part.rank for part in cells)


def test_devices_that_do_not_differ_are_the_cell(cells):
    g = jnp.linspace(analytic.G_OFF, analytic.G_ON, 12).reshape(3, 4)
    same = mismatched(jax.random.key(0), cells, GateShift(0.8, 0.0, NODES, SPREAD.index), (3, 4), jnp.dtype("float32"))
    assert isinstance(same, MismatchedCell)
    v = jnp.full((3, 4), 0.3)
    np.testing.assert_allclose(same(g, v), cells[2](g, v), rtol=1e-5)
    np.testing.assert_allclose(same.at_zero(g), cells[2].at_zero(g), rtol=1e-4)
