"""What belongs together in a row: the devices of one weight, what an error of them costs, and how one makes up for another."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from xbar_cli.mapping.readout import Readout


@dataclass(frozen=True)
class Units:
    """The devices of a row that belong together, as one weight or alone.

    Attributes:
        signs: what each device of a unit adds to its weight: (1, −1) of a pair, radices of slices, (1,) of a device alone.
        movable: whether units may change places: columns of `acm` and `bc` hang together.
        compensates: whether the healthy device of a pair makes up for a stuck one.
        low: the least conductance that a device is programmed to [S].
        high: the largest [S].
    """

    signs: tuple[float, ...]
    movable: bool
    compensates: bool
    low: float | Array
    high: float

    @property
    def size(self) -> int:
        """Devices of a unit."""
        return len(self.signs)

    def split(self, values: Array) -> Array:
        """What belongs to devices [… columns] as [… units devices]."""
        return values.reshape(*values.shape[:-1], -1, self.size)

    def achieved(self, target: Array, stuck: Array, held: Array) -> Array:
        """Conductances [… units devices] [S] of devices aimed at `target`, some of which are stuck at `held`."""
        aimed = compensated(target, stuck, held, low=self.low, high=self.high) if self.compensates else target
        return jnp.where(stuck, held, aimed)

    def error(self, target: Array, stuck: Array, held: Array) -> Array:
        """Square of what faults leave of each unit's weight to be wanted [… units] [S²]; absent devices have none."""
        stuck = stuck & (target != 0)
        away = self.achieved(target, stuck, held) - target
        return jnp.square(away @ jnp.asarray(self.signs, away.dtype))


def compensated(target: Array, stuck: Array, held: Array, *, low: ArrayLike, high: ArrayLike) -> Array:
    """Targets of pairs [… 2] [S] whose healthy device keeps the difference where the other one is stuck, as far as it goes.

    Of `g_0 − g_1 = d` with device 1 stuck at h, device 0 becomes `h + d`, cut to its range; and likewise for device 1. An
    absent device (target 0) can make up for nothing.
    """
    other_stuck, other_held = stuck[..., ::-1], held[..., ::-1]
    difference = target - target[..., ::-1]
    makes_up = other_stuck & ~stuck & (target != 0)
    return jnp.where(makes_up, jnp.clip(other_held + difference, low, high), target)


def units_of(readout: Readout, *, low: float, high: float, tile_columns: int, compensates: bool) -> Units:
    """The units of a layer behind `readout`; units that tiles cut through cannot change places."""
    if readout.fmt is not None:
        signs = tuple(float(radix) for radix in np.asarray(readout.fmt.radices))
    else:
        signs = (1.0, -1.0) if readout.scheme == "de" else (1.0,)
    movable = readout.scheme in ("de", "bitslice") and tile_columns % len(signs) == 0
    return Units(signs if movable else (1.0,), movable, compensates, low, high)
