"""What a controller knows: how many pulses the nominal curve takes from one conductance to another."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device.switching.model import PulseBranch, Switching
from xbar_cli.device.update import pulse_count

SHORT_OF_END = 1e-3
"""Of the window: curves are inverted no nearer to their ends, where a soft bound is reached after endless pulses."""


def planned(
    start: Float[Array, "*shape"],
    target: Float[Array, "*shape"],
    *,
    model: Switching,
    g_min: ArrayLike,
    g_max: ArrayLike,
) -> Float[Array, "*shape"]:
    """Pulses (up above 0, down below 0) that lead a nominal device from `start` to `target`, a real number of them.

    Args:
        start: conductances, as they were read [S]; beyond the nominal window they count as its end.
        target: conductances aimed at [S], likewise.
        model: how devices switch.
        g_min: lower end of the nominal window [S].
        g_max: upper end of the nominal window [S].
    """
    low, high = jnp.asarray(g_min, start.dtype), jnp.asarray(g_max, start.dtype)
    here, there = (jnp.clip((g - low) / (high - low), 0, 1 - SHORT_OF_END) for g in (start, target))
    above, below = (jnp.clip((high - g) / (high - low), 0, 1 - SHORT_OF_END) for g in (start, target))
    return jnp.where(
        target >= start,
        jnp.maximum(_count(there, model.up) - _count(here, model.up), 0),
        -jnp.maximum(_count(below, model.down) - _count(above, model.down), 0),
    )


def _count(s: Array, branch: PulseBranch) -> Array:
    """Pulses from the end where they begin to the share `s` of the window."""
    return pulse_count(s, pulses=branch.pulses, nu=branch.nonlinearity, g_min=0.0, g_max=1.0)
