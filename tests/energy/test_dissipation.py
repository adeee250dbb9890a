"""Power from the sources = power in cells, wires and resistances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import fsolve
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from tests import analytic
from xbar_cli.array.wired.newton import gated_wired
from xbar_cli.array.wires import Wires
from xbar_cli.device.bit_line import LineSamples, fit_line
from xbar_cli.device.surrogate import Knots
from xbar_cli.energy.dissipation import Dissipation, of_cells, of_resistive
from xbar_cli.energy.plan import plan
from xbar_cli.energy.wires import trusted
from xbar_cli.errors import ModelError


@pytest.mark.parametrize(
    "wires",
    [
        Wires(2.0, 3.0, 500.0, 100.0),
        pytest.param(Wires(0.0, 0.0, 500.0, 100.0), marks=pytest.mark.slow),
        Wires(5.0, 0.0, 0.0, 100.0),
        Wires(0.0, 1.0, 20.0, 0.0),
    ],
)
def test_power_is_conserved_on_nodal_arrays(wires):
    rng = np.random.default_rng(0)
    g, v = rng.uniform(3e-6, 3e-5, (20, 12)), rng.uniform(0, 0.5, (3, 20))
    found = of_resistive(g, v, wires)
    assert found.gap < 1e-6
    ideal = v**2 @ g.sum(1)
    assert np.all(found.delivered < ideal)  # resistances in series only reduce currents
    assert np.all(found.cells < found.delivered)
    np.testing.assert_allclose(of_resistive(g, v, Wires()).cells, ideal, rtol=1e-12)


@pytest.mark.parametrize("wires", [Wires(2.0, 3.0, 500.0, 100.0), Wires(0.0, 1.0, 20.0, 0.0)])
def test_a_part_of_an_array_dissipates_what_an_array_cut_to_it_does(wires):
    rng = np.random.default_rng(2)
    g, v = rng.uniform(3e-6, 3e-5, (11, 5)), rng.uniform(-0.5, 0.5, (3, 11))
    for mine, cut in zip(of_resistive(g, v, wires, size=(24, 16)), of_resistive(g, v, wires), strict=True):
        np.testing.assert_allclose(mine, cut, rtol=1e-10)


def test_each_part_against_a_sparse_solution():
    """Another solver, another book-keeping: power in every resistor of the list."""
    rng = np.random.default_rng(1)
    rows, cols = 5, 4
    g, v = rng.uniform(1e-5, 1e-4, (rows, cols)), rng.uniform(0.1, 0.5, rows)
    r = Wires(10.0, 20.0, 300.0, 200.0)
    word = lambda i, j: i * cols + j  # noqa: E731
    bit = lambda i, j: rows * cols + i * cols + j  # noqa: E731
    source, neuron = (lambda i: 2 * rows * cols + i), (lambda j: 2 * rows * cols + rows + j)
    edges = []
    for i in range(rows):
        for j in range(cols):
            edges.append(("cells", word(i, j), bit(i, j), g[i, j]))
            edges.append(("wires", source(i) if j == 0 else word(i, j - 1), word(i, j), 1 / r.word))
            edges.append(("wires", bit(i, j), neuron(j) if i == rows - 1 else bit(i + 1, j), 1 / r.bit))
    n = 2 * rows * cols + rows + cols
    edges += [("sources", n + i, source(i), 1 / r.source) for i in range(rows)]
    edges += [("neurons", neuron(j), n + rows, 1 / r.neuron) for j in range(cols)]
    fixed = np.append(v, 0.0)
    at, values, right = [], [], np.zeros(n)
    for _, a, b, y in edges:
        for x, other in ((a, b), (b, a)):
            if x < n:
                at.append((x, x))
                values.append(y)
                if other < n:
                    at.append((x, other))
                    values.append(-y)
                else:
                    right[x] += y * fixed[other - n]
    volts = np.append(spsolve(coo_array((values, np.asarray(at).T), shape=(n, n)).tocsr(), right), fixed)
    found = of_resistive(g, v[None], r)
    for name in ("cells", "wires", "sources", "neurons"):
        power = sum(y * (volts[a] - volts[b]) ** 2 for kind, a, b, y in edges if kind == name)
        assert getattr(found, name)[0] == pytest.approx(power, rel=1e-9)


@pytest.fixture(scope="module")
def cell():
    """A 1T-1R cell in closed form, as a surrogate with a bit-line axis."""
    u, g, v = np.linspace(0.0, 0.06, 5), analytic.G, analytic.V_IN
    value = np.stack([analytic.current(g[:, None], v - shift, 1.1 - shift) for shift in u])
    rest = np.full((u.size, g.size), analytic.LEAKAGE)
    return fit_line(
        LineSamples(u=u, g=g, v=v, value=value, at_rest=rest, v_floor=0.01, knots=Knots(g)), rank=4, degree=8
    ).to_jax()


def test_cells_with_wires_dissipate_what_their_nodes_say(cell):
    """Kirchhoff's laws at all nodes by SciPy, the same cell; power of each part from those voltages."""
    rng = np.random.default_rng(0)
    g, v = rng.uniform(analytic.G_OFF, analytic.G_ON, (5, 4)), rng.uniform(0.05, 0.5, 5)
    r = Wires(12.0, 7.0, 150.0, 60.0)
    along, down = np.full(4, r.word), np.full((5, 1), r.bit)
    along[0] += r.source
    down[-1] += r.neuron
    with jax.enable_x64(True):
        exact = cell.astype(jnp.float64)
        current = jax.jit(lambda w, b: exact(jnp.asarray(g), w, b))

        def flows(x):
            w, b = x.reshape(2, 5, 4)
            into = -np.diff(w, axis=1, prepend=v[:, None]) / along
            out = -np.diff(b, axis=0, append=0) / down
            return w, b, np.asarray(current(jnp.asarray(w), jnp.asarray(b))), into, out

        def left_over(x):
            _, _, i, into, out = flows(x)
            at_word = into - np.pad(into[:, 1:], ((0, 0), (0, 1))) - i
            return 1e6 * np.concatenate([at_word.ravel(), (i + np.pad(out[:-1], ((1, 0), (0, 0))) - out).ravel()])

        x = fsolve(left_over, np.concatenate([np.repeat(v, 4), np.zeros(20)]), xtol=1e-13)
        assert np.abs(left_over(x)).max() < 1e-6
        w, b, i, into, out = flows(x)
        newton = gated_wired(cell, jnp.asarray(g), jnp.asarray(v), r)
    found = of_cells(cell, g, v[None], r)
    assert found.gap < 1e-9
    powers = {
        "delivered": v @ into[:, 0],
        "cells": np.sum(i * (w - b)),
        "wires": r.word * np.sum(into**2) + r.bit * np.sum(out**2),
        "sources": r.source * np.sum(into[:, 0] ** 2),
        "neurons": r.neuron * np.sum(np.asarray(newton.current) ** 2),
    }
    for name, power in powers.items():
        assert getattr(found, name)[0] == pytest.approx(power, rel=1e-6), name
    alone = of_cells(cell, g, v[None], Wires())
    assert found.cells[0] < alone.cells[0] == pytest.approx(alone.delivered[0])
    with pytest.raises(ModelError, match="did not settle"):
        of_cells(cell, g, v[None], Wires(0.0, 0.0, 1e5, 0.0))


def test_spare_arrays_shorten_the_slowest_layer():
    latencies, tiles, positions = [100.0, 10.0, 1.0], [1, 4, 2], [100, 10, 1]
    alone = plan(latencies, tiles, positions, available=None, pipelined=True)
    assert (alone.copies, alone.tiles, alone.interval_seconds) == ((1, 1, 1), 7, 100)
    more = plan(latencies, tiles, positions, available=11, pipelined=True)
    assert more.copies == (5, 1, 1)
    assert more.interval_seconds == 20
    serial = plan(latencies, tiles, positions, available=11, pipelined=False)
    assert serial.interval_seconds == serial.latency_seconds == 31
    huge = plan(latencies, tiles, positions, available=10_000, pipelined=True)
    assert huge.copies[0] <= 100
    assert huge.interval_seconds == 1
    with pytest.raises(ValueError, match="available must be at least 7"):
        plan(latencies, tiles, positions, available=6, pipelined=False)


def test_an_input_without_a_voltage_has_no_balance_of_its_own():
    """Rounding leaves some 1e-31 W to dissipate where nothing is delivered."""
    power = np.array([3e-4, 0.0])
    none = np.zeros(2)
    found = Dissipation(power, np.array([3e-4, 2e-31]), none, none, none)
    assert trusted(found, "hidden") < 1e-20
    assert Dissipation(none, none, none, none, none).gap == 0
    with pytest.raises(ModelError, match=r"hidden: the sources deliver 0\.0003 W and 0\.0002 W are dissipated"):
        trusted(found._replace(cells=np.array([2e-4, 0.0])), "hidden")
