"""Every model against the moments of its formula (3 standard errors, n = 2e5), and chips as functions of their key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from xbar_cli.device import draws
from xbar_cli.device.drift import drift
from xbar_cli.device.faults import stuck_at
from xbar_cli.device.programming import write_verify
from xbar_cli.device.statistics import statistics
from xbar_cli.device.variation import (
    chip_corner,
    chip_to_chip,
    lognormal,
    normal_additive,
    normal_proportional,
    per_state,
    read_sigma,
    resolve_negative,
    smooth,
)

N = 200_000
KEY = jax.random.key(2024)
G = jnp.full(N, 2e-5)
TABLE = statistics([1e-6, 1e-5, 2e-5], [1.5e-6, 1e-5, 1.9e-5], [1e-7, 5e-7, 1e-6])


def check_moments(sample, mean, sigma):
    """Mean and standard deviation of `sample` within 3 standard errors; the error of σ from the sample's kurtosis."""
    x = np.asarray(sample, np.float64).ravel()
    deviation = x - x.mean()
    assert abs(x.mean() - mean) < 3 * sigma / np.sqrt(x.size)
    error_of_variance = np.sqrt((np.mean(deviation**4) - np.mean(deviation**2) ** 2) / x.size)
    assert abs(x.var() - sigma**2) < 3 * error_of_variance


@pytest.mark.parametrize(
    ("model", "parameters", "mean", "sigma"),
    [
        (normal_additive, {"sigma_siemens": 3e-6}, 2e-5, 3e-6),
        (normal_proportional, {"sigma_relative": 0.15}, 2e-5, 3e-6),
        (
            lognormal,
            {"sigma_log": 0.3},
            2e-5 * np.exp(0.3**2 / 2),
            2e-5 * np.sqrt(np.exp(0.3**2) * (np.exp(0.3**2) - 1)),
        ),
        (per_state, {"table": TABLE}, 1.9e-5, 1e-6),
        (
            write_verify,
            {"tolerance_siemens": 1e-7, "tolerance_relative": 0.01, "sigma_over_tolerance": 0.8},
            2e-5,
            3e-7 * stats.truncnorm(-1 / 0.8, 1 / 0.8, scale=0.8).std(),
        ),
    ],
)
def test_moments(model, parameters, mean, sigma):
    check_moments(model(KEY, G, **parameters), mean, sigma)


def test_write_verify_limits():
    residual = (
        write_verify(KEY, G, tolerance_siemens=0, tolerance_relative=0.01, sigma_over_tolerance=50.0) - G
    ) / 2e-7
    assert float(jnp.abs(residual).max()) < 1 + 1e-4
    check_moments(residual, 0.0, 1 / np.sqrt(3))  # uniform where the single attempt is wild


def test_state_and_curve_follow_the_conductance():
    g = jnp.repeat(jnp.asarray([1e-6, 1e-5, 2e-5, 6e-6]), N // 2)
    by_state = per_state(KEY, g, table=TABLE).reshape(4, -1)
    for row, (mean, sigma) in enumerate([(1.5e-6, 1e-7), (1e-5, 5e-7), (1.9e-5, 1e-6), (6e-6, 5e-7)]):
        check_moments(by_state[row], mean, sigma)
    along = smooth(KEY, g, curve=TABLE).reshape(4, -1)
    share = (6e-6 - 1e-6) / 9e-6
    expected = 6e-6 + (1 - share) * 0.5e-6, (1 - share) * 1e-7 + share * 5e-7
    for row, (mean, sigma) in enumerate([(1.5e-6, 1e-7), (1e-5, 5e-7), (1.9e-5, 1e-6), expected]):
        check_moments(along[row], mean, sigma)


def test_chip_to_chip():
    assert np.allclose(chip_corner(KEY, G[:3], k=-2.0, sigma_relative=0.1), 1.6e-5)
    keys = jax.random.split(KEY, N // 2)
    one = jax.vmap(lambda k: chip_to_chip(k, jnp.asarray([1e-5, 2e-5]), sigma_relative=0.1))(keys)
    assert np.allclose(one[:, 1], 2 * one[:, 0], rtol=1e-6)
    check_moments(one[:, 0], 1e-5, 1e-6)


def test_stuck_at_rates_and_refusals():
    def faulty(**rates):
        return np.asarray(
            stuck_at(KEY, G, g_on=1e-4, g_off=1e-6, **{"rate_on": 0.0, "rate_off": 0.0, "rate_open": 0.0} | rates)
        )

    x = faulty(rate_on=0.02, rate_off=0.05, rate_open=0.01)
    for value, rate in [(1e-4, 0.02), (1e-6, 0.05), (0.0, 0.01), (2e-5, 0.92)]:
        share = np.mean(np.isclose(x, value, rtol=1e-6, atol=0))
        assert abs(share - rate) < 3 * np.sqrt(rate * (1 - rate) / N)
    more = faulty(rate_on=0.04, rate_off=0.05, rate_open=0.01)
    assert (more[np.isclose(x, 1e-4)] > 9e-5).all()
    assert (faulty() == np.asarray(G)).all()
    with pytest.raises(ValueError, match="add up to at most 1"):
        faulty(rate_on=0.7, rate_off=0.4)
    with pytest.raises(ValueError, match="must be >= 0"):
        faulty(rate_on=-0.1)


def test_drift_moments_limits_and_refusal():
    t = 3600.0
    nu = -np.log(
        np.asarray(drift(KEY, G, t_seconds=t, t0_seconds=20.0, nu_mean=0.05, nu_sigma=0.02), np.float64) / 2e-5
    )
    folded = stats.foldnorm(0.05 / 0.02, scale=0.02)
    check_moments(nu / np.log(t / 20), folded.mean(), folded.std())
    assert np.allclose(drift(KEY, G, t_seconds=20.0, t0_seconds=20.0, nu_mean=0.05, nu_sigma=0.02), G)
    for t in (10.0, 0.0):
        with pytest.raises(ValueError, match="t_seconds must be at least t0_seconds"):
            drift(KEY, G, t_seconds=t, t0_seconds=20.0, nu_mean=0.05, nu_sigma=0.02)


def test_drift_goes_one_way():
    """A spread as large as the mean: the folded normal has no device of the other sign, and a known mean."""
    folded = stats.foldnorm(1.0, scale=0.05)
    for sign in (1, -1):
        aged = drift(KEY, G, t_seconds=1e4, t0_seconds=20.0, nu_mean=sign * 0.05, nu_sigma=0.05)
        nu = -np.log(np.asarray(aged, np.float64) / 2e-5) / np.log(500) * sign
        assert nu.min() > -1e-6
        check_moments(nu, folded.mean(), folded.std())


def test_nothing_fluctuates_where_nothing_conducts():
    sigma = read_sigma(jnp.asarray([0.0, 1e-5]), sigma_siemens=1e-6, sigma_relative=0.1)
    assert np.allclose(sigma, [0.0, np.sqrt(2) * 1e-6], rtol=1e-6)
    more = read_sigma(G[:3] * 2, sigma_siemens=1e-7, sigma_relative=0.03)
    assert np.allclose(more, np.sqrt(1e-14 + (0.03 * 4e-5) ** 2), rtol=1e-6)


def test_negative_conductances():
    g_off, span = 3.33e-6, 3e-5
    g = normal_additive(KEY, jnp.full(N, g_off), sigma_siemens=0.15 * span)
    z = g_off / (0.15 * span)
    below = stats.norm.cdf(-z)  # 23 % of the devices at G_off
    loss = 0.15 * span * (stats.norm.pdf(z) - z * below)  # mean of max(−G, 0)
    for policy, shift, lowest in [("clamp", loss, 0.0), ("reflect", 2 * loss, 0.0), ("allow", 0.0, -np.inf)]:
        resolved, share, mean_shift = resolve_negative(g, policy=policy)
        assert abs(float(share) - below) < 3 * np.sqrt(below * (1 - below) / N)
        assert float(mean_shift) == pytest.approx(shift, rel=0.02)
        assert float(resolved.min()) >= lowest
    assert below == pytest.approx(0.23, abs=0.003)
    with pytest.raises(ValueError, match="policy must be"):
        resolve_negative(g, policy="drop")


def test_flat_draws_are_those_of_the_shape():
    g = jnp.zeros((5, 3))
    assert (normal_additive(KEY, g, sigma_siemens=1.0) == jax.random.normal(KEY, g.shape)).all()
    assert (draws.uniform(KEY, g) == jax.random.uniform(KEY, g.shape)).all()
