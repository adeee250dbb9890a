"""1T-1R arrays with wires as products, against Newton's method on the same arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.wired.fold import bands_of, fold_wired
from xbar_cli.array.wired.newton import gated_wired
from xbar_cli.array.wires import Wires

VG, V_MAX, ROWS, COLS = 0.9, float(analytic.V_IN[-1]), 7, 6
TILE = (4, 4)  # remainders in both directions


@pytest.fixture(scope="module")
def cell():
    return analytic.on_a_bit_line(VG)


def conductances(rows=ROWS, cols=COLS):
    return np.random.default_rng(1).uniform(analytic.G_OFF, analytic.G_ON, (rows, cols))


def voltages(rows=ROWS, reads=6):
    rng = np.random.default_rng(2)
    return rng.uniform(0, V_MAX, (reads, rows)) * (rng.uniform(size=(reads, rows)) < 0.7)


def newton(cell, g, v, wires, tile=TILE):
    """Column currents of a layer, tile by tile."""
    total = np.zeros((len(v), g.shape[1]))
    for top in range(0, g.shape[0], tile[0]):
        for left in range(0, g.shape[1], tile[1]):
            part, cols = slice(top, top + tile[0]), slice(left, left + tile[1])
            found = gated_wired(cell, jnp.asarray(g[part, cols]), jnp.asarray(v[:, part]), wires)
            assert float(found.residual.max()) < 1e-9
            total[:, cols] += np.asarray(found.current)
    return total


def folded(cell, g, v, wires, tile=TILE):
    """The same by products."""
    basis, products = fold_wired({"fc": cell}, {"fc": g[None]}, wires, jnp.asarray(V_MAX), tile=tile)["fc"]
    height = min(tile[0], g.shape[0])
    bands = bands_of(jax.tree.map(lambda leaf: leaf[0], products), height=height)
    phi, psi = basis.at(v)
    parts = [slice(n * height, (n + 1) * height) for n in range(len(bands))]
    return sum(band(phi[:, part], psi[:, part]) for band, part in zip(bands, parts, strict=True))


@pytest.mark.parametrize(
    ("wires", "limit"),
    [
        (Wires(word=40.0, bit=40.0, source=150.0, neuron=80.0), 3e-4),
        (Wires(word=60.0, source=300.0), 1e-5),  # rows do not know of each other: nothing is left out
        (Wires(neuron=300.0), 1e-4),  # one mode is all that there is
    ],
)
def test_products_are_newtons_currents(cell, wires, limit):
    with jax.enable_x64(True):
        g, v = conductances(), voltages()
        wanted, free = newton(cell, g, v, wires), newton(cell, g, v, Wires())
        found = np.asarray(folded(cell, jnp.asarray(g), jnp.asarray(v), wires))
    scale = np.abs(free).max()
    assert np.abs(wanted - free).max() > 0.01 * scale, "the resistances matter"
    assert np.abs(found - wanted).max() < limit * scale


def test_without_resistances_they_are_the_cells_own_currents(cell):
    with jax.enable_x64(True):
        g, v = conductances(), voltages()
        found = np.asarray(folded(cell, jnp.asarray(g), jnp.asarray(v), Wires()))
        at = np.zeros((len(v), *g.shape))
        wanted = np.asarray(cell(jnp.asarray(g + at), jnp.asarray(v[:, :, None] + at), jnp.asarray(at)).sum(axis=1))
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.slow
def test_their_gradient_is_that_of_differences(cell):
    wires, rng = Wires(word=40.0, bit=40.0, source=150.0, neuron=80.0), np.random.default_rng(3)
    with jax.enable_x64(True):
        g, v, along = (jnp.asarray(a) for a in (conductances(4, 4), voltages(4), rng.normal(size=(4, 4)) * 1e-8))

        def loss(g):
            return jnp.sum(jnp.sin(1e5 * folded(cell, g, v, wires)))

        slope = float(jnp.vdot(jax.grad(loss)(g), along))
        difference = float(loss(g + along) - loss(g - along)) / 2
    assert slope == pytest.approx(difference, rel=2e-3)


def test_an_array_filled_up_with_nothing_is_the_array(cell):
    wires = Wires(word=40.0, bit=40.0, source=150.0, neuron=80.0)
    with jax.enable_x64(True):
        g, v = jnp.asarray(conductances(3, 2)), jnp.asarray(voltages(3))
        fill = lambda a: jnp.pad(a, ((1, 0), (0, 2)))  # noqa: E731
        own = gated_wired(cell, g, v, wires).current
        whole = gated_wired(cell, fill(g), jnp.pad(v, ((0, 0), (1, 0))), wires, there=fill(jnp.ones_like(g))).current
    np.testing.assert_allclose(np.asarray(whole)[:, :2], np.asarray(own), rtol=1e-9)
    assert not np.asarray(whole)[:, 2:].any()
