"""The surrogate on a bit line that is not at 0 V, against the closed form of a square-law cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests import analytic
from xbar_cli.device.bit_line import LineSamples, certify_line, choose_line, fit_line
from xbar_cli.device.surrogate import Knots, Samples, certify, choose_surrogate, cross_validate, fit_separable

VG = 1.1
KNOTS = Knots(analytic.G)


def lines(u, g, v):
    """The cell seen from its source: input and gate are `u` lower, and the leakage stays."""
    value = np.stack([analytic.current(g[:, None], v - shift, VG - shift) for shift in u])
    return LineSamples(
        u=u, g=g, v=v, value=value, at_rest=np.full((u.size, g.size), analytic.LEAKAGE), v_floor=0.01, knots=KNOTS
    )


def middle(x):
    return (x[1:] + x[:-1]) / 2


U = np.linspace(0.0, 0.06, 5)
TABLE = lines(U, analytic.G, analytic.V_IN)
FRESH = lines(middle(U), middle(analytic.G), middle(analytic.V_IN))


@pytest.fixture(scope="module")
def fit():
    found, certificate = choose_line(TABLE, FRESH, error=1e-3, max_rank=12)
    assert certificate.max_error <= 1e-3
    assert certificate.rms_error < certificate.max_error
    return found


def test_the_rank_is_the_smallest_and_the_error_is_off_all_three_grids(fit):
    assert certify_line(fit_line(TABLE, rank=fit.rank - 1, degree=20), FRESH).max_error > 1e-3
    shifted = np.stack([analytic.current(FRESH.g[:, None], FRESH.v, VG)] * FRESH.u.size)
    ignoring = np.abs(shifted - FRESH.value).max() / FRESH.value.max()
    assert ignoring > 0.05, "the bit line's voltage must matter in this test"


def test_jax_gives_what_was_fitted_and_the_currents_sign_changes_at_the_bit_lines_voltage(fit):
    u, g, v = np.array([0.0, 0.031, 0.06]), np.array([2e-6, 1.1e-5, 4e-5]), np.array([0.0, 0.031, 0.2, 0.5])
    with jax.enable_x64(True):
        surrogate = fit.to_jax()
        grid = np.broadcast_arrays(g[None, :, None], v[None, None, :], u[:, None, None])
        found = jax.jit(type(surrogate).__call__)(surrogate, *(jnp.asarray(a) for a in grid))
    np.testing.assert_allclose(found, fit.on_grid(u, g, v), rtol=1e-11, atol=1e-20)
    np.testing.assert_allclose(found[1, :, 1], analytic.LEAKAGE, rtol=1e-6)
    assert (np.asarray(found[1:, :, 0]) < 0).all()


def test_slopes_are_the_derivatives(fit):
    with jax.enable_x64(True):
        surrogate = fit.to_jax()
        g, v, u = (jnp.asarray(a) for a in ([4e-6, 1.3e-5, 3e-5], [0.05, 0.2, 0.45], [0.01, 0.03, 0.055]))
        value, push = jax.linearize(lambda v, u: surrogate.current(surrogate.terms(g), v, u), v, u)
        dv, du = push(jnp.ones_like(v), jnp.zeros_like(u)), push(jnp.zeros_like(v), jnp.ones_like(u))
        scaled = jax.jit(lambda x, v, u: surrogate(x * 1e-5, v, u) * 1e5)
        check_grads(scaled, (g * 1e5, v, u), order=1, modes=["fwd", "rev"])
        step = 1e-6
        near = jax.jit(surrogate.__call__)
        np.testing.assert_allclose(dv, (near(g, v + step, u) - near(g, v - step, u)) / (2 * step), rtol=1e-6)
        np.testing.assert_allclose(du, (near(g, v, u + step) - near(g, v, u - step)) / (2 * step), rtol=1e-6)
        np.testing.assert_allclose(value, near(g, v, u), rtol=1e-14)
    assert (np.asarray(dv) > 0).all()
    assert (np.asarray(du) < 0).all()


def bipolar(g, v, knots=None):
    """A cell with current at rest, for inputs of both signs; the input may drive its drain or its source."""
    forward = analytic.current(g[:, None], np.maximum(v, 0), VG)
    back = analytic.current(g[:, None], np.maximum(-v, 0), VG) - 2 * analytic.LEAKAGE
    return Samples(
        g=g, v=v, value=np.where(v >= 0, forward, -back), value_at_zero=np.full(g.size, analytic.LEAKAGE), v_floor=0.01,
        knots=knots,
    )  # fmt: skip


def test_inputs_of_both_signs_with_zero_among_them():
    v = np.linspace(-0.5, 0.5, 101)
    fit, certificate = choose_surrogate(
        bipolar(analytic.G, v), bipolar(middle(analytic.G), middle(v)), error=1e-3, max_rank=12
    )
    assert certificate.max_error <= 1e-3
    assert fit.v_min == -0.5
    with jax.enable_x64(True):
        found = fit.to_jax()(jnp.asarray([1e-5, 1e-5]), jnp.asarray([-0.4, 0.4]))
    np.testing.assert_allclose(found, bipolar(np.array([1e-5]), np.array([-0.4, 0.4])).value[0], rtol=1e-3)


def test_logarithmic_knots_need_no_search_and_hold_below_the_table():
    g = np.geomspace(analytic.G[0], analytic.G[-1], 48)
    between = np.sqrt(g[1:] * g[:-1])
    knots = Knots(g, log_g=True)
    fit, certificate = choose_surrogate(
        bipolar(g, analytic.V_IN, knots), bipolar(between, middle(analytic.V_IN), knots), error=1e-3, max_rank=12
    )
    assert certificate.max_error <= 1e-3
    surrogate = fit.to_jax().astype(jnp.float32)
    asked = np.concatenate([[0.0, g[0] / 7], between])
    found = jax.jit(type(surrogate).__call__)(
        surrogate, jnp.asarray(asked, jnp.float32), jnp.full(asked.shape, 0.3, jnp.float32)
    )
    np.testing.assert_allclose(found, fit.on_grid(asked, np.array([0.3]))[:, 0], rtol=3e-5, atol=1e-14)
    assert found[0] == pytest.approx(analytic.LEAKAGE, rel=1e-3)
    slope = jax.grad(lambda x: surrogate(x, jnp.asarray(0.3, jnp.float32)))(jnp.asarray(0.0, jnp.float32))
    assert np.isfinite(slope)


def test_cross_validation_bounds_the_true_error_of_unevenly_spaced_measurements():
    rng = np.random.default_rng(0)
    g = np.sort(rng.uniform(analytic.G[0], analytic.G[-1], 40))
    knots = Knots(np.linspace(g[0], g[-1], 160))
    table = bipolar(g, analytic.V_IN, knots)
    fresh = bipolar(middle(g), middle(analytic.V_IN), knots)
    stated = cross_validate(table, rank=4, degree=8)
    true = certify(fit_separable(table, rank=4, degree=8), fresh)
    assert true.max_error <= stated.max_error <= 30 * true.max_error
    noisy = Samples(g=g, v=table.v, value=table.value * rng.normal(1, 1e-2, table.value.shape), v_floor=0.01,
                    value_at_zero=table.value_at_zero, knots=knots)  # fmt: skip
    assert cross_validate(noisy, rank=4, degree=8).rms_error > 5e-3, "noise must show in the certificate"
