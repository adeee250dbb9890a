"""Conductances at another temperature than that at which they were written."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device.ageing.relaxation import ROOM_KELVIN


def heated(
    key: Array,
    g: Float[Array, "*shape"],
    *,
    kelvin: ArrayLike,
    alpha_on: ArrayLike,
    alpha_off: ArrayLike,
    g_on: ArrayLike,
    g_off: ArrayLike,
) -> Float[Array, "*shape"]:
    """`G / (1 + α (T − 300 K))`, α going linearly with G from that of the high to that of the low resistance.

    Args:
        key: not used: all devices of a state have one coefficient.
        g: conductances at 300 K [S].
        kelvin: temperature [K].
        alpha_on: relative change of resistance a kelvin at G_on, above 0 in metals [1/K].
        alpha_off: likewise at G_off, below 0 where carriers are activated [1/K].
        g_on: conductance of the first [S].
        g_off: of the second [S].
    """
    del key
    on, off, low, high = (jnp.asarray(value, g.dtype) for value in (alpha_on, alpha_off, g_off, g_on))
    alpha = off + (on - off) * jnp.clip((g - low) / (high - low), 0, 1)
    return g / (1 + alpha * (jnp.asarray(kelvin, g.dtype) - ROOM_KELVIN))
