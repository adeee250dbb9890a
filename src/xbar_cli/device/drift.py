"""Conductance drift: `G(t) = G0·(t/t0)^−ν`, with a spread of ν from device to device that never turns its sign.

Drift is structural relaxation, which goes one way: a normal ν is folded at 0, as in the model of phase-change devices that
`pcm` follows, so that no device of a technology that decays grows.
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws


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
    """`G·(t/t0)^−ν` with one `ν = ±|N(nu_mean, nu_sigma²)|` per device, of the sign of nu_mean, the same in every state.

    Args:
        key: random key of the chip: the same key at two times is one chip growing older.
        g: conductances at t0 [S].
        t_seconds: time since programming [s].
        t0_seconds: time since programming at which `g` holds [s].
        nu_mean: mean drift exponent before it is folded; 0 counts as above 0, devices that grow have one below 0.
        nu_sigma: its standard deviation.

    Raises:
        ValueError: t < t0, or t0 <= 0, where both are plain numbers.

    References:
        Le Gallo et al., Advanced Electronic Materials 4, 1700627 (2018); Joshi et al., Nature Communications 11, 2473
        (2020).
    """
    log_ratio = _log_time_ratio(t_seconds, t0_seconds, g.dtype)
    mean = jnp.asarray(nu_mean, g.dtype)
    nu = jnp.abs(mean + jnp.asarray(nu_sigma, g.dtype) * draws.normal(key, g))
    return g * jnp.exp(jnp.where(mean < 0, nu, -nu) * log_ratio)
