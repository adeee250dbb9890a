"""1T-1R arrays with wires by sweeps, against Newton's method on the same arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.wired.cells import cell_currents, cells_of, power_currents, powers_of
from xbar_cli.array.wired.newton import gated_wired
from xbar_cli.array.wired.sweep import ACCEPTED, TOLERANCE, require_swept, sweepable, swept
from xbar_cli.array.wires import Wires
from xbar_cli.errors import ModelError

VG, V_MAX, ROWS, COLS, READS = 0.9, float(analytic.V_IN[-1]), 6, 5, 4
SOME = Wires(word=40.0, bit=40.0, source=150.0, neuron=80.0)


@pytest.fixture(scope="module")
def cell():
    return analytic.on_a_bit_line(VG)


def array(dtype=np.float64):
    """Conductances and inputs, one read of which drives nothing."""
    rng = np.random.default_rng(1)
    g = rng.uniform(analytic.G_OFF, analytic.G_ON, (ROWS, COLS))
    v = rng.uniform(0, V_MAX, (READS, ROWS)) * (rng.uniform(size=(READS, ROWS)) < 0.7)
    v[-1] = 0
    return jnp.asarray(g, dtype), jnp.asarray(v, dtype)


def sweeps(cell, g, v, wires, there=None):
    ready = sweepable(cell, g, wires, there=jnp.ones_like(g) if there is None else there)
    return jax.jit(swept)(ready, v)


@pytest.mark.parametrize(
    ("wires", "most"),
    [(SOME, 4), (Wires(word=60.0, source=300.0), 4), (Wires(neuron=300.0), 4), (Wires(), 1)],
    ids=["all", "word lines", "neurons", "none"],
)
def test_sweeps_give_newtons_currents(cell, wires, most):
    with jax.enable_x64(True):
        g, v = array()
        wanted, free = (np.asarray(gated_wired(cell, g, v, which).current) for which in (wires, Wires()))
        found = sweeps(cell, g, v, wires)
    scale = np.abs(free).max()
    if wires.any:
        assert np.abs(wanted - free).max() > 0.01 * scale, "the resistances matter"
    assert np.abs(np.asarray(found.current) - wanted).max() < 1e-6 * scale
    assert np.asarray(found.residual).max() <= TOLERANCE
    assert np.asarray(found.steps).max() <= most
    require_swept(found, tile="test", surrogate=cell)


@pytest.mark.parametrize("share", [1e-1, 1e-3, 1e-5])
def test_reads_of_small_inputs_are_swept_as_well(cell, share):
    """Whatever the currents are in A: below 1 uA nothing once counted as missing."""
    with jax.enable_x64(True):
        g, v = array()
        wanted, free = (np.asarray(gated_wired(cell, g, share * v, which).current) for which in (SOME, Wires()))
        found = sweeps(cell, g, share * v, SOME)
    scale = np.abs(free).max()
    assert np.abs(wanted - free).max() > 0.01 * scale, "the resistances matter"
    assert np.abs(np.asarray(found.current) - wanted).max() < 1e-6 * scale
    assert np.asarray(found.steps).min() >= 1


def test_single_precision_is_enough(cell):
    with jax.enable_x64(True):
        wanted = np.asarray(gated_wired(cell, *array(), SOME).current)
    found = sweeps(cell, *array(np.float32), SOME)
    assert found.current.dtype == np.float32
    assert np.abs(np.asarray(found.current, np.float64) - wanted).max() < 1e-6 * np.abs(wanted).max()
    assert np.asarray(found.residual).max() <= ACCEPTED


def test_an_array_filled_up_with_nothing_is_the_array(cell):
    with jax.enable_x64(True):
        g, v = array()
        fill = lambda a: jnp.pad(a, ((2, 0), (0, 3)))  # noqa: E731
        own = sweeps(cell, g, v, SOME)
        whole = sweeps(cell, fill(g), jnp.pad(v, ((0, 0), (2, 0))), SOME, fill(jnp.ones_like(g)))
    np.testing.assert_allclose(np.asarray(whole.current)[:, :COLS], np.asarray(own.current), rtol=1e-6, atol=1e-15)
    assert not np.asarray(whole.current)[:, COLS:].any()
    np.testing.assert_array_equal(whole.steps, own.steps)


@pytest.mark.parametrize("wrong", ["g", "v"])
def test_what_is_no_array_is_not_trusted(cell, wrong):
    g, v = array(np.float32)
    given = {"g": g.at[1, 2].set(-1e-6), "v": v} if wrong == "g" else {"g": g, "v": v.at[0, 0].set(jnp.nan)}
    found = sweeps(cell, **given, wires=SOME)
    with pytest.raises(ModelError, match=r"tile 3: .* did not converge \(residual nan after .* sweeps"):
        require_swept(found, tile="tile 3", surrogate=cell)
    unknown = found._replace(steps=jnp.full_like(found.steps, jnp.nan))
    with pytest.raises(ModelError, match=r"did not converge \(residual nan, at most"):
        require_swept(unknown, tile="tile 3", surrogate=cell)


def test_lines_that_take_nearly_all_of_the_voltage_are_not_passed_off_as_solved(cell):
    with jax.enable_x64(True):
        g, v = array()
        found = sweeps(cell, g, v, Wires(word=2e6, bit=2e6, source=1e7, neuron=1e7))
    with pytest.raises(ModelError, match="test: "):
        require_swept(found, tile="test", surrogate=cell)


def test_power_series_are_the_cells(cell):
    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        g, _ = array()
        w, b = rng.uniform(0, V_MAX, (ROWS, COLS, 3)), rng.uniform(0, float(cell.line_max), (ROWS, COLS, 3))
        cells = cells_of(cell, g, jnp.ones_like(g))
        found = power_currents(powers_of(cells), jnp.asarray(w), jnp.asarray(b))
        for n in range(3):
            wanted, *_ = cell_currents(cells, jnp.asarray(w[..., n]), jnp.asarray(b[..., n]))
            np.testing.assert_allclose(found[..., n], wanted, rtol=1e-9, atol=1e-20)
