"""Currents and slopes of all cells of an array, against the surrogate one cell at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.wired.cells import cell_currents, cells_of
from xbar_cli.device.bit_line import LineSamples, fit_line
from xbar_cli.device.surrogate import Knots

VG = 1.1


@pytest.fixture(scope="module")
def surrogate():
    u, g, v = np.linspace(0.0, 0.06, 5), analytic.G, analytic.V_IN
    value = np.stack([analytic.current(g[:, None], v - shift, VG - shift) for shift in u])
    rest = np.full((u.size, g.size), analytic.LEAKAGE)
    return fit_line(
        LineSamples(u=u, g=g, v=v, value=value, at_rest=rest, v_floor=0.01, knots=Knots(g)), rank=4, degree=8
    ).to_jax()


@pytest.fixture(scope="module")
def found(surrogate):
    """Conductances, voltages, and what is found of them by one jitted function."""
    rng = np.random.default_rng(0)
    g, w, b = (
        rng.uniform(analytic.G_OFF, analytic.G_ON, (4, 3)),
        rng.uniform(0.1, 0.5, (4, 3)),
        rng.uniform(0.0, 0.06, (4, 3)),
    )
    with jax.enable_x64(True):
        exact = surrogate.astype(jnp.float64)
        at = jax.jit(lambda g, w, b: cell_currents(cells_of(exact, g, jnp.ones_like(g)), w, b))
        call = lambda *arrays: [np.asarray(x) for x in at(*map(jnp.asarray, arrays))]  # noqa: E731
        return exact, (g, w, b), call


def test_currents_are_the_surrogates_at_every_cell(found):
    exact, (g, w, b), call = found
    with jax.enable_x64(True):
        wanted = np.asarray(jax.jit(exact.__call__)(*map(jnp.asarray, (g, w, b))))
        currents, _, _ = call(g, w, b)
    np.testing.assert_allclose(currents, wanted, rtol=1e-10)
    np.testing.assert_allclose(currents, analytic.current(g, w - b, VG - b), rtol=2e-3)


def test_slopes_are_differences_of_currents(found):
    _, (g, w, b), call = found
    h = 1e-5
    with jax.enable_x64(True):
        _, to_word, to_bit = call(g, w, b)
        by_word = (call(g, w + h, b)[0] - call(g, w - h, b)[0]) / (2 * h)
        by_bit = (call(g, w, b + h)[0] - call(g, w, b - h)[0]) / (2 * h)
    inside = (w < 0.5 - h) & (b > h) & (b < 0.06 - h)
    np.testing.assert_allclose(to_word[inside], by_word[inside], rtol=1e-6)
    np.testing.assert_allclose(to_bit[inside], by_bit[inside], rtol=1e-6)


@pytest.mark.parametrize(("w", "b"), [(0.6, 0.03), (0.3, 0.09), (0.7, -0.02)])
def test_beyond_the_table_cells_go_on_linearly(found, w, b):
    exact, (g, *_), call = found
    w, b = np.full(g.shape, w), np.full(g.shape, b)
    ends = np.clip(w, float(exact.v_min), float(exact.v_max)), np.clip(b, float(exact.line_min), float(exact.line_max))
    with jax.enable_x64(True):
        current, to_word, to_bit = call(g, *ends)
        beyond, *slopes = call(g, w, b)
    np.testing.assert_allclose(beyond, current + to_word * (w - ends[0]) + to_bit * (b - ends[1]), rtol=1e-12)
    np.testing.assert_allclose(slopes, [to_word, to_bit], rtol=1e-12)
