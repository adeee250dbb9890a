"""Chips: what fabrication, faults and age make of the programmed conductances of a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.device import chip
from xbar_cli.device.chip import Step
from xbar_cli.errors import ModelError


@dataclass(frozen=True)
class Chip:
    """One sample of the devices.

    Attributes:
        conductances: of every layer [S]; of a repaired chip, of every copy the layers' `Built` arrays.
        negative: share of the devices that variation pushed below 0.
        mean_shift: what resolving them added to the mean conductance [S].
        off_table: share of the devices above the conductances that the cell's table covers.
        broken: by layer, number of the first effect after which a conductance is not finite; that of all where none is.
        repaired: what repair did, to count.
    """

    conductances: Any
    negative: Array
    mean_shift: Array
    off_table: Array
    broken: dict[str, Array]
    repaired: dict[str, Array] = field(default_factory=dict)


jax.tree_util.register_dataclass(
    Chip, ["conductances", "negative", "mean_shift", "off_table", "broken", "repaired"], []
)


@dataclass(frozen=True)
class Fabricator:
    """Makes chips: a function of their key.

    Attributes:
        nominal: conductances aimed at, by layer [S].
        steps: the effects.
        negative: what becomes of conductances below 0.
        top: the largest conductance of the cell's table [S].
    """

    nominal: Mapping[str, Array]
    steps: Sequence[Step]
    negative: str
    top: float

    def __call__(self, key: Array) -> Chip:
        """The devices of the chip of `key`."""
        varied: dict[str, Array] = {}
        broken: dict[str, Array] = {}
        devices = sum(g.size for g in self.nominal.values())
        negative = mean_shift = off_table = jnp.zeros((), jnp.float32)
        for name, g in self.nominal.items():
            varied[name], found = chip.fabricate(key, g, layer=name, steps=self.steps, negative=self.negative)
            negative = negative + found.negative * (g.size / devices)
            mean_shift = mean_shift + found.mean_shift * (g.size / devices)
            off_table = off_table + jnp.sum((varied[name] > self.top).astype(jnp.float32)) / devices
            broken[name] = found.broken
        return Chip(varied, negative, mean_shift, off_table, broken)

    def require_finite(self, broken: Mapping[str, Any], *, chip: int) -> None:
        """Raise ModelError where an effect left a conductance of the chip that is no finite number."""
        for name, number in broken.items():
            if int(number) < len(self.steps):
                raise ModelError(
                    f"chip {chip}: {self.steps[int(number)].name} leaves conductances of layer {name} that are not finite: "
                    "use less of it"
                )


def make_fabricator(network: MappedNetwork, steps: Sequence[Step], *, negative: str) -> Fabricator:
    """The function from a chip's key to its devices."""
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    top = float(network.cell.g[-1]) if network.cell is not None else np.inf
    return Fabricator(nominal, steps, negative, top)
