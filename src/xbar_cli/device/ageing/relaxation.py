"""Conductances that relax toward a state: with time (retention), or with every read (read disturb)."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws

BOLTZMANN_EV = 8.617333262e-5
"""Boltzmann's constant [eV/K]."""
ROOM_KELVIN = 300.0
"""Temperature at which time constants and conductances are given [K]."""


def arrhenius(tau_seconds: float, *, activation_ev: float, kelvin: float) -> float:
    """Time constant [s] at a temperature [K] of a process that takes `tau_seconds` at 300 K: `τ exp(E_a/k (1/T − 1/300 K))`.

    Raises:
        ValueError: a temperature of 0 or below.
    """
    if not kelvin > 0:
        raise ValueError(f"kelvin must be above 0, got {kelvin}")
    exponent = activation_ev / BOLTZMANN_EV * (1 / kelvin - 1 / ROOM_KELVIN)
    return tau_seconds * math.exp(min(exponent, 700.0))


def relaxed(
    key: Array, g: Float[Array, "*shape"], *, amount: ArrayLike, spread: ArrayLike, toward: ArrayLike
) -> Float[Array, "*shape"]:
    """`G_∞ + (G − G_∞) exp(−a)`, `a = amount · exp(spread · N(0, 1))` of each device, the same at any time.

    Args:
        key: random key of the chip: the same key at two times is one chip growing older.
        g: conductances as they were written [S].
        amount: time over the median time constant, or reads times the share that one read takes.
        spread: standard deviation between devices of the natural logarithm of their time constant.
        toward: the state that they relax to, G_∞ [S].
    """
    end = jnp.asarray(toward, g.dtype)
    own = jnp.asarray(amount, g.dtype) * jnp.exp(jnp.asarray(spread, g.dtype) * draws.normal(key, g))
    return end + (g - end) * jnp.exp(-own)
