"""Conductance drift of phase-change devices: `G(t) = G0·(t/t0)^−ν`, with a spread of ν from device to device."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws


class PcmDriftFit(NamedTuple):
    """Drift exponent against the normalised conductance γ = G/G_max: clip(slope·ln γ + intercept, low, high)."""

    slope: float
    intercept: float
    low: float
    high: float


PCM_NU_MEAN = PcmDriftFit(-0.0155, 0.0244, 0.049, 0.1)
PCM_NU_SIGMA = PcmDriftFit(-0.0125, -0.0059, 0.008, 0.045)
"""Fits to a million devices: Nandakumar et al., ICECS 2019; Joshi et al., Nature Communications 11, 2473 (2020)."""


def _log_time_ratio(t_seconds: ArrayLike, t0_seconds: ArrayLike, dtype: jnp.dtype) -> Array:
    """`ln(t/t0)`, with t < t0 refused wherever the two are plain numbers."""
    if isinstance(t_seconds, (int, float)) and isinstance(t0_seconds, (int, float)):
        if not 0 < t0_seconds <= t_seconds < math.inf:
            raise ValueError(
                f"t_seconds must be at least t0_seconds, both positive, got t = {t_seconds} s and t0 = {t0_seconds} s"
            )
        return jnp.asarray(math.log(t_seconds / t0_seconds), dtype)
    return jnp.log(jnp.asarray(t_seconds, dtype) / jnp.asarray(t0_seconds, dtype))


def drift(
    key: Array,
    g: Float[Array, "*shape"],
    *,
    t_seconds: ArrayLike,
    t0_seconds: ArrayLike,
    nu_mean: ArrayLike,
    nu_sigma: ArrayLike,
) -> Float[Array, "*shape"]:
    """`G·(t/t0)^−ν` with one ν ~ N(nu_mean, nu_sigma²) per device, the same in every state.

    Args:
        key: random key of the chip: the same key at two times is one chip growing older.
        g: conductances at t0 [S].
        t_seconds: time since programming [s].
        t0_seconds: time since programming at which `g` holds [s].
        nu_mean: mean drift exponent.
        nu_sigma: its standard deviation.

    Raises:
        ValueError: t < t0, or t0 <= 0, where both are plain numbers.

    References:
        Le Gallo et al., Advanced Electronic Materials 4, 1700627 (2018); Joshi et al., Nature Communications 11, 2473
        (2020).
    """
    log_ratio = _log_time_ratio(t_seconds, t0_seconds, g.dtype)
    nu = jnp.asarray(nu_mean, g.dtype) + jnp.asarray(nu_sigma, g.dtype) * draws.normal(key, g)
    return g * jnp.exp(-nu * log_ratio)


def pcm_nu(g: Float[Array, "*shape"], *, fit: PcmDriftFit, g_max: ArrayLike) -> Float[Array, "*shape"]:
    """Mean or spread of the drift exponent at conductance `g` [S]; `g_max` [S] is the largest programmed state."""
    gamma = jnp.maximum(g / jnp.asarray(g_max, g.dtype), jnp.finfo(g.dtype).tiny)
    return jnp.clip(fit.slope * jnp.log(gamma) + fit.intercept, fit.low, fit.high)


def pcm_drift(
    key: Array, g: Float[Array, "*shape"], *, t_seconds: ArrayLike, t0_seconds: ArrayLike, g_max: ArrayLike
) -> Float[Array, "*shape"]:
    """Drift with the mean and spread of ν that a phase-change array shows in each state.

    Args:
        key: random key of the chip.
        g: conductances at t0 [S].
        t_seconds: time since programming [s].
        t0_seconds: time since programming at which `g` holds [s].
        g_max: conductance of the fully set state, to which the fit is normalised [S].

    Raises:
        ValueError: as `drift`.

    References:
        Nandakumar et al., ICECS 2019; Joshi et al., Nature Communications 11, 2473 (2020).
    """
    mean, sigma = (pcm_nu(g, fit=fit, g_max=g_max) for fit in (PCM_NU_MEAN, PCM_NU_SIGMA))
    return drift(key, g, t_seconds=t_seconds, t0_seconds=t0_seconds, nu_mean=mean, nu_sigma=sigma)
