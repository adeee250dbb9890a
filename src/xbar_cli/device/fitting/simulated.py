"""Pulse trains of a switching model: as many reads of the same pulses as are asked for, of devices drawn anew each time."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from xbar_cli.device import draws
from xbar_cli.device.fitting.moments import PulsePlan
from xbar_cli.device.switching.model import Switching, draw_devices, pulsed
from xbar_cli.numerics import quick_compilation, stream

AT_ONCE = 2_000_000
"""Reads that are drawn at once, at most, but for those of one set of trains."""


def drawn_trains(
    key: Array,
    plan: PulsePlan,
    start: Float[np.ndarray, " trains"],
    *,
    model: Switching,
    sigma_read: float,
    floor: float,
    sets: int,
) -> Iterator[Float[np.ndarray, "trains reads"]]:
    """Sets of reads, in units of the nominal window from its lower end.

    Args:
        key: random key.
        plan: the pulses, and of which device each train is.
        start: where in its device's window each train begins.
        model: how the devices switch.
        sigma_read: standard deviation of a read, over the window.
        floor: what no window goes below, in the same units.
        sets: how many.
    """
    signs, device = jnp.asarray(plan.sign.T, jnp.float32), jnp.asarray(plan.device)
    begin, zeros = jnp.asarray(start, jnp.float32), jnp.zeros(plan.devices, jnp.float32)

    def one(key: Array) -> Array:
        each = draw_devices(stream(key, "devices"), zeros, model=model, g_min=0.0, g_max=1.0, floor=floor)
        devices = jax.tree.map(lambda x: x[device], each)
        g = devices.low + begin * (devices.high - devices.low)

        def pulse(g: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
            after = pulsed(given[0], g, given[1], model=model, devices=devices)
            return after, after

        keys = jax.random.split(stream(key, "pulses"), signs.shape[0])
        _, after = jax.lax.scan(pulse, g, (keys, signs))
        all_reads = jnp.concatenate([g[None], after]).T
        return all_reads + sigma_read * draws.normal(stream(key, "reads"), all_reads)

    together = max(1, min(sets, AT_ONCE // (plan.sign.size + plan.device.size)))
    many = jax.jit(jax.vmap(one), compiler_options=quick_compilation())
    over = np.concatenate([np.zeros((plan.device.size, 1), bool), plan.sign == 0], axis=1)
    for first in range(0, sets, together):
        numbers = jnp.arange(first, first + together)
        found = many(jax.vmap(lambda n: jax.random.fold_in(key, n))(numbers))
        for reads in np.asarray(found, np.float64)[: sets - first]:
            yield np.where(over, np.nan, reads)
