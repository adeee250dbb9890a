"""Phase-change devices against the formulas of the model they name, worked out here in plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from xbar_cli.device.chip import Step, fabricate
from xbar_cli.device.pcm import pcm_drift, pcm_programming, pcm_read_sigma

N = 400_000
G_MAX = 1 / 60e3
GAMMA = [0.01, 0.1, 0.3, 0.7, 1.0]


def published(gamma):
    """Programming sigma over G_max, mean and sigma of the normal under |ν|, and Q at γ."""
    log = np.log(gamma)
    return (
        max(0.26348 + 1.9650 * gamma - 1.1731 * gamma**2, 0) / 25,
        min(max(-0.0155 * log + 0.0244, 0.049), 0.1),
        min(max(-0.0125 * log - 0.0059, 0.008), 0.045),
        min(0.0088 / gamma**0.65, 0.2),
    )


def steps(t, *, program=True):
    age = {"t_seconds": t, "t0_seconds": 20.0, "g_max": G_MAX}
    drift = Step(name="pcm_drift", stage="drift", model=pcm_drift, parameters=age, takes_target=True)
    write = Step(
        name="pcm_programming", stage="programming", model=pcm_programming, parameters={"g_max": G_MAX, "scale": 1.0},
        takes_target=True,
    )  # fmt: skip
    return (write, drift) if program else (drift,)


def drawn(gamma, t, *, program=True):
    g = jnp.full(N, gamma * G_MAX, jnp.float32)
    chip, _ = fabricate(jax.random.key(3), g, layer="a", steps=steps(t, program=program), negative="clamp")
    return np.asarray(chip, np.float64) / G_MAX


@pytest.mark.parametrize("gamma", GAMMA)
@pytest.mark.parametrize("t", [20.0, 3600.0, 3e7])
def test_moments_of_the_conductances(gamma, t):
    """E[G] and σ[G] of max(γ + σ_p N, 0) (t/t0)^−|ν| within 2 %, by quadrature of the formulas."""
    write, mean, sigma, _ = published(gamma)
    z = gamma / write
    first = gamma * stats.norm.cdf(z) + write * stats.norm.pdf(z)
    second = (gamma**2 + write**2) * stats.norm.cdf(z) + gamma * write * stats.norm.pdf(z)
    nu, weight = np.linspace(0, 0.6, 200_001), stats.foldnorm(mean / sigma, scale=sigma)
    density = weight.pdf(nu) / weight.pdf(nu).sum()
    factor = (t / 20) ** -nu
    expected = first * (density @ factor)
    spread = np.sqrt(second * (density @ factor**2) - expected**2)
    found = drawn(gamma, t)
    assert found.mean() == pytest.approx(expected, rel=0.02)
    assert found.std() == pytest.approx(spread, rel=0.02)


def test_no_device_grows():
    """At the lowest states the normal ν is negative for 1.3 % of the devices; folded, none is."""
    aged = drawn(0.001, 1e6, program=False)
    assert aged.max() <= 0.001 * (1 + 1e-5)
    assert aged.std() > 0


def test_the_exponent_follows_the_target_not_what_programming_left():
    target = jnp.full(N, 0.1 * G_MAX, jnp.float32)
    moved = jnp.full(N, G_MAX, jnp.float32)
    aged = pcm_drift(jax.random.key(0), moved, target=target, t_seconds=1e4, t0_seconds=20.0, g_max=G_MAX)
    nu = -np.log(np.asarray(aged, np.float64) / G_MAX) / np.log(500)
    _, mean, sigma, _ = published(0.1)
    assert nu.mean() == pytest.approx(mean, rel=0.02)
    assert nu.std() == pytest.approx(sigma, rel=0.02)
    with pytest.raises(ValueError, match="t_seconds"):
        pcm_drift(jax.random.key(0), moved, target=target, t_seconds=1.0, t0_seconds=20.0, g_max=G_MAX)


@pytest.mark.parametrize("t", [20.0, 1e6])
def test_read_noise_grows_with_age_and_towards_low_states(t):
    target = jnp.asarray(GAMMA, jnp.float32) * G_MAX
    sigma = pcm_read_sigma(0.5 * target, target=target, g_max=G_MAX, t_seconds=t, t_read_seconds=250e-9)
    q = np.asarray([published(gamma)[3] for gamma in GAMMA])
    expected = 0.5 * np.asarray(GAMMA) * q * np.sqrt(np.log((t + 250e-9) / 500e-9))
    np.testing.assert_allclose(np.asarray(sigma) / G_MAX, expected, rtol=1e-5)
    nothing = pcm_read_sigma(
        jnp.zeros(2), target=jnp.asarray([0.0, 1e-5]), g_max=G_MAX, t_seconds=t, t_read_seconds=250e-9
    )
    assert (np.asarray(nothing) == 0).all()
