"""Hard faults: devices stuck on, stuck off or disconnected."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws


def stuck_at(
    key: Array,
    g: Float[Array, "*shape"],
    *,
    rate_on: ArrayLike,
    rate_off: ArrayLike,
    rate_open: ArrayLike,
    g_on: ArrayLike,
    g_off: ArrayLike,
) -> Float[Array, "*shape"]:
    """Devices stuck at G_on, at G_off or open (G = 0), independently with three rates.

    One uniform number per device decides, so that the three exclude each other; with one key, a chip with a higher
    `rate_on` (or `rate_off`) has every stuck-on (stuck-off) device of the chip with a lower one.

    Args:
        key: random key of the chip.
        g: conductances before the faults [S].
        rate_on: share of devices stuck at `g_on`.
        rate_off: share of devices stuck at `g_off`.
        rate_open: share of devices without connection.
        g_on: conductance of a stuck-on device [S].
        g_off: conductance of a stuck-off device [S].

    Raises:
        ValueError: where the rates are plain numbers, one is negative, or they add up to more than 1.

    References:
        Chen et al., RRAM defect modeling and failure analysis, IEEE Trans. Computers 64, 180 (2015): stuck-at faults of
        a 4-Mb HfO2 chip.
    """
    rates = (rate_on, rate_off, rate_open)
    if all(isinstance(rate, (int, float)) for rate in rates):
        plain = [float(rate) for rate in rates if isinstance(rate, (int, float))]
        if min(plain) < 0 or sum(plain) > 1:
            raise ValueError(f"rate_on, rate_off and rate_open must be >= 0 and add up to at most 1, got {plain}")
    on, off, opened = (jnp.asarray(rate, g.dtype) for rate in rates)
    u = draws.uniform(key, g)
    # On from below, open above it, off from above.
    stuck = jnp.where(u < on, jnp.asarray(g_on, g.dtype), g)
    stuck = jnp.where((u >= on) & (u < on + opened), 0, stuck)
    return jnp.where(u >= 1 - off, jnp.asarray(g_off, g.dtype), stuck)
