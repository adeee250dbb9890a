"""The statistical model of a phase-change array: programming noise, drift and read noise against the target conductance.

With γ = G_target/G_max and times since programming (IBM's aihwkit counts t from t0 = 20 s on: its t_inference is t − 20 s):

    G_prog  = max(G_target + N(0, σ_p²), 0),   σ_p = max(0.26348 + 1.9650 γ − 1.1731 γ², 0) µS · G_max/25 µS
    G_drift = G_prog (t/t0)^−ν,                ν = |N(μ_ν, σ_ν²)|,
        μ_ν = clip(−0.0155 ln γ + 0.0244, 0.049, 0.1),  σ_ν = clip(−0.0125 ln γ − 0.0059, 0.008, 0.045)
    G(t)    = G_drift + N(0, σ_r²),            σ_r = G_drift Q √ln((t + t_read)/(2 t_read)),  Q = min(0.0088/γ^0.65, 0.2)

References:
    Nandakumar et al., ICECS 2019, 727; Joshi et al., Nature Communications 11, 2473 (2020): fits to a million devices. The
    form and the constants are those of aihwkit's `PCMLikeNoiseModel` (documentation: "Inference and PCM statistical model"),
    whose code folds ν by |·|. Two differences: Q follows γ as in the published formula (aihwkit's code has G_prog there), and
    reads are drawn anew at every product as Joshi et al. have them (aihwkit draws one fluctuation a time of inference).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws
from xbar_cli.device.drift import drift


class LogarithmicFit(NamedTuple):
    """Drift exponent against γ: clip(slope·ln γ + intercept, low, high)."""

    slope: float
    intercept: float
    low: float
    high: float


NU_MEAN = LogarithmicFit(-0.0155, 0.0244, 0.049, 0.1)
NU_SIGMA = LogarithmicFit(-0.0125, -0.0059, 0.008, 0.045)
PROGRAMMING = (0.26348e-6, 1.9650e-6, -1.1731e-6)
"""Coefficients of 1, γ and γ² of the programming noise [S] at the G_max of the fit."""
PROGRAMMING_G_MAX = 25e-6
"""G_max of the fit [S]; the noise of other devices is in proportion to theirs."""


def _gamma(target: Float[Array, "*shape"], g_max: ArrayLike) -> Float[Array, "*shape"]:
    """Target over the largest conductance, above 0."""
    return jnp.maximum(jnp.abs(target) / jnp.asarray(g_max, target.dtype), 1e-7)


def nu(target: Float[Array, "*shape"], *, fit: LogarithmicFit, g_max: ArrayLike) -> Float[Array, "*shape"]:
    """Mean or spread of the drift exponent of devices aimed at `target` [S]; `g_max` [S] is the fully set state."""
    return jnp.clip(fit.slope * jnp.log(_gamma(target, g_max)) + fit.intercept, fit.low, fit.high)


def pcm_programming(
    key: Array, g: Float[Array, "*shape"], *, target: Float[Array, "*shape"], g_max: ArrayLike, scale: ArrayLike
) -> Float[Array, "*shape"]:
    """What iterative programming leaves: `G + scale·σ_p(γ)·N(0, 1)`; what falls below 0 is the chip's to resolve.

    Args:
        key: random key of the chip.
        g: conductances [S].
        target: conductances aimed at [S].
        g_max: conductance of the fully set state [S].
        scale: multiplies the noise; 1 is the model.
    """
    gamma, size = _gamma(target, g_max), jnp.asarray(g_max, g.dtype) / PROGRAMMING_G_MAX
    constant, linear, square = PROGRAMMING
    sigma = jnp.maximum(constant + linear * gamma + square * gamma**2, 0) * size
    return g + jnp.asarray(scale, g.dtype) * sigma * draws.normal(key, g)


def pcm_drift(
    key: Array,
    g: Float[Array, "*shape"],
    *,
    target: Float[Array, "*shape"],
    t_seconds: ArrayLike,
    t0_seconds: ArrayLike,
    g_max: ArrayLike,
) -> Float[Array, "*shape"]:
    """Drift with the mean and spread of ν that a phase-change array shows in each state, folded at 0.

    Args:
        key: random key of the chip.
        g: conductances at t0 [S].
        target: conductances aimed at, which the exponent follows [S].
        t_seconds: time since programming [s].
        t0_seconds: time since programming at which `g` holds [s].
        g_max: conductance of the fully set state, to which the fit is normalised [S].

    Raises:
        ValueError: as `drift`.
    """
    mean, sigma = (nu(target, fit=fit, g_max=g_max) for fit in (NU_MEAN, NU_SIGMA))
    return drift(key, g, t_seconds=t_seconds, t0_seconds=t0_seconds, nu_mean=mean, nu_sigma=sigma)


def pcm_read_sigma(
    g: Float[Array, "*shape"],
    *,
    target: Float[Array, "*shape"],
    g_max: ArrayLike,
    t_seconds: ArrayLike,
    t_read_seconds: ArrayLike,
) -> Float[Array, "*shape"]:
    """Standard deviation of a read [S] by 1/f noise: `|G|·Q(γ)·√ln((t + t_read)/(2 t_read))`.

    Args:
        g: conductances at t [S].
        target: conductances aimed at [S].
        g_max: conductance of the fully set state [S].
        t_seconds: time since programming, at least `t_read_seconds` [s].
        t_read_seconds: width of the read pulse [s].
    """
    t, t_read = (jnp.asarray(value, g.dtype) for value in (t_seconds, t_read_seconds))
    q = jnp.minimum(0.0088 / _gamma(target, g_max) ** 0.65, 0.2)
    return jnp.abs(g) * q * jnp.sqrt(jnp.log((t + t_read) / (2 * t_read)))
