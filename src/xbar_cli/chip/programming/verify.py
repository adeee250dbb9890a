"""Programming cell by cell: read, compare, pulse, until the cell is within the tolerance or has had all its pulses."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.chip.programming.rule import ProgrammedDevices, ProgrammingRule
from xbar_cli.device.switching.model import SwitchingDevices, pulsed, train_joules
from xbar_cli.device.switching.plan import planned

ReadCells = Callable[[Array, Array], Array]
"""`(key, conductances [S]) -> what reads of the cells one by one say [S]`."""


class _Loop(NamedTuple):
    """Where the loop stands: its round, conductances, which devices are done, and what was spent on each."""

    round: Array
    g: Array
    done: Array
    up: Array
    down: Array
    reads: Array
    joules: Array


def verify(
    key: Array,
    target: Float[Array, "rows cols"],
    *,
    rule: ProgrammingRule,
    devices: SwitchingDevices,
    read: ReadCells,
) -> ProgrammedDevices:
    """Program a layer's devices cell by cell, from the lower ends of their windows.

    Between two reads a device gets as many pulses as the nominal curve takes from what was read to the target, one at least. A
    target of 0 is no device.

    Args:
        key: random key of the chip and layer.
        target: conductances aimed at [S].
        rule: how.
        devices: what differs between the devices.
        read: what reads say; the target is compared with that.
    """
    present = target != 0
    nominal = {"model": rule.model, "g_min": rule.g_min, "g_max": rule.g_max}

    def step(now: _Loop) -> _Loop:
        of_read, of_pulses = jax.random.split(jax.random.fold_in(key, now.round))
        seen = read(of_read, now.g)
        reads = now.reads + jnp.where(now.done, 0, 1)
        joules = now.joules + jnp.where(now.done, 0, now.g * rule.model.read_joules_per_siemens)
        done = now.done | (jnp.abs(target - seen) <= rule.accepted)
        left = rule.most - now.up - now.down
        wanted = jnp.round(planned(seen, target, **nominal))
        size = jnp.where(done, 0, jnp.clip(jnp.abs(wanted), 1, left))
        n = jnp.sign(target - seen) * jnp.minimum(size, left)
        g = pulsed(of_pulses, now.g, n, model=rule.model, devices=devices)
        joules = joules + train_joules(now.g, g, n, model=rule.model)
        up, down = now.up + jnp.maximum(n, 0), now.down + jnp.maximum(-n, 0)
        return _Loop(now.round + 1, g, done, up, down, reads, joules)

    def going_on(now: _Loop) -> Array:
        return (now.round < rule.rounds) & (~now.done & (now.up + now.down < rule.most)).any()

    none = jnp.zeros_like(target)
    began = _Loop(jnp.asarray(0), jnp.where(present, devices.low, 0), ~present, none, none, none, none)
    ended = jax.lax.while_loop(going_on, step, began)
    last = read(jax.random.fold_in(key, ended.round), ended.g)
    missed = (jnp.abs(target - last) > rule.accepted) & ~ended.done
    reads = ended.reads + jnp.where(ended.done, 0, 1)
    joules = ended.joules + jnp.where(ended.done, 0, ended.g * rule.model.read_joules_per_siemens)
    return ProgrammedDevices(ended.g, ended.up, ended.down, reads, joules, missed.astype(target.dtype))
