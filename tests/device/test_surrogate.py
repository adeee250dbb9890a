import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from numpy.polynomial import chebyshev

from tests import analytic
from xbar_cli.device.surrogate import certify, choose_surrogate, fit_separable
from xbar_cli.device.transistor import polynomials_at


@pytest.mark.parametrize("vg", [0.9, 1.2])
def test_the_smallest_rank_reaches_the_error_asked_for_between_the_tables_points(vg):
    table, fresh = analytic.samples(vg), analytic.samples(vg, shifted=True)
    fit, certificate = choose_surrogate(table, fresh, error=1e-3, max_rank=12)
    rank = fit.polynomials.shape[0]
    assert certificate.max_error <= 1e-3
    assert certificate.rms_error <= certificate.max_error
    if rank > 1:
        lower = certify(fit_separable(table, rank=rank - 1, degree=20), fresh)
        assert lower.max_error > 1e-3


def test_a_truncated_fit_is_the_fit_of_that_rank():
    table, fresh = analytic.samples(0.9), analytic.samples(0.9, shifted=True)
    cut, own = fit_separable(table, rank=6, degree=9).truncated(2), fit_separable(table, rank=2, degree=9)
    assert cut.rank == 2
    np.testing.assert_allclose(cut.on_grid(fresh.g, fresh.v), own.on_grid(fresh.g, fresh.v), rtol=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 3, 14, 28])
def test_polynomials_are_their_chebyshev_series(degree):
    """NumPy's recurrence is the oracle; in float32 coefficients fall off as those of a smooth function do."""
    coefficients = np.random.default_rng(degree).normal(size=(3, degree + 1))
    x = np.linspace(-1, 1, 77).reshape(7, 11)
    with jax.enable_x64(True):
        found = jax.jit(polynomials_at)(jnp.asarray(x), jnp.asarray(coefficients))
    expected = np.stack([chebyshev.chebval(x, row) for row in coefficients])
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=1e-9)
    smooth = coefficients * 0.6 ** np.arange(degree + 1)
    rough = jax.jit(polynomials_at)(jnp.asarray(x, jnp.float32), jnp.asarray(smooth, jnp.float32))
    expected = np.stack([chebyshev.chebval(x, row) for row in smooth])
    np.testing.assert_allclose(np.stack(rough), expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_an_error_out_of_reach_returns_the_best_and_says_so():
    table, fresh = analytic.samples(0.9), analytic.samples(0.9, shifted=True)
    _, certificate = choose_surrogate(table, fresh, error=1e-15, max_rank=3)
    worse = certify(fit_separable(table, rank=1, degree=20), fresh)
    assert 1e-15 < certificate.max_error < worse.max_error


def test_jax_gives_what_was_fitted_in_both_precisions():
    fit = analytic.fitted(0.9)
    g, v = np.linspace(0, 1.75 * analytic.G_ON, 41), np.linspace(0, 0.5, 31)
    with jax.enable_x64(True):
        exact = jax.jit(type(fit.to_jax()).__call__)(
            fit.to_jax(), *(jnp.asarray(a) for a in np.meshgrid(g, v, indexing="ij"))
        )
    np.testing.assert_allclose(exact, fit.on_grid(g, v), rtol=1e-10, atol=1e-20)
    rough = fit.to_jax().astype(jnp.float32)
    g32, v32 = (jnp.asarray(a, jnp.float32) for a in np.meshgrid(g, v, indexing="ij"))
    np.testing.assert_allclose(jax.jit(type(rough).__call__)(rough, g32, v32), fit.on_grid(g, v), rtol=2e-5, atol=1e-12)


def test_nothing_flows_through_an_absent_memristor_but_the_leakage():
    surrogate = analytic.fitted(1.0).to_jax().astype(jnp.float32)
    assert float(jnp.abs(surrogate.in_g(jnp.zeros(3))).max()) == 0
    assert float(jnp.abs(surrogate.in_v(jnp.zeros(3))).max()) == 0


def test_gradients_in_conductance_and_voltage():
    with jax.enable_x64(True):
        surrogate = analytic.fitted(0.9).to_jax()
        scaled = jax.jit(lambda x, v: surrogate(jnp.asarray(x) * 1e-5, jnp.asarray(v)) * 1e5)
        check_grads(scaled, (jnp.asarray([0.4, 1.1, 3.0]), jnp.asarray([0.05, 0.2, 0.45])), order=1, modes=["rev"])


def test_current_grows_with_conductance_and_voltage():
    g, v = np.linspace(analytic.G[0], analytic.G[-1], 200), np.linspace(0.01, 0.5, 60)
    values = analytic.fitted(1.2).on_grid(g, v)
    assert (np.diff(values, axis=0) > 0).all()
    assert (np.diff(values, axis=1) > 0).all()
