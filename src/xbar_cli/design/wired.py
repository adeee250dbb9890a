"""1T-1R arrays with resistances in a design: the products of a fold, and how they change with its parameters.

A fold takes seconds of a network, and its gradient six times that. So it is made of the chip without variation, now and then,
together with its slopes by every parameter that acts on it. Between, a chip's products are those along these
slopes, and what they say of a cell is scaled by its own mean conductance over that at the fold, as in training through such
arrays (`xbar_cli.train.wired`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from xbar_cli.array.wired.fold import Basis, Products
from xbar_cli.chip.conversion.drawn import Range
from xbar_cli.chip.hardware import Hardware, linear_cells
from xbar_cli.chip.layers import solved_layer
from xbar_cli.nn.wired.folded import FoldedWiredLayer, of_products, wired_products
from xbar_cli.nn.wired.solved import WiredLayer

from .parameters import DesignValues
from .placing import Gated

ACTING = ("vg", "v_read", "r_source", "r_neuron", "weight_limit")
"""Parameters that the fold of a chip depends on; `vg:LAYER` acts on that layer alone."""
STEP = 0.01
"""Of a parameter, of itself, to both sides: its slopes are central differences."""
NodeWeights = Mapping[str, Float[Array, " nodes"]]
"""By layer, how much each gate voltage of the cell's table counts."""
Ratios = dict[str, tuple[Basis, Products]]
"""By layer, the products of its groups over the mean conductance of each cell."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HeldFold:
    """The fold of a layer about a design.

    Attributes:
        fold: functions of the row voltage, and products over the mean conductance of each cell.
        slopes: of all that by each parameter.
        about: the parameters of the design that was folded.
    """

    fold: tuple[Basis, Products]
    slopes: dict[str, tuple[Basis, Products]]
    about: dict[str, Array]

    def at(self, values: DesignValues, mean: Float[Array, "rows cols"]) -> tuple[Basis, Products]:
        """The fold of cells with the mean conductances `mean` [S] at other parameters."""
        found = self.fold
        for name, slope in self.slopes.items():
            move = values[name] - self.about[name]
            found = jax.tree.map(lambda value, by, move=move: value + move * by, found, slope)
        return found[0], scaled(found[1], mean)


class Taken(NamedTuple):
    """What chips take from the nominal one of some steps before.

    Attributes:
        ranges: by layer, what its converters take.
        folds: by layer, its arrays of cells with resistances.
    """

    ranges: Mapping[str, Range] = {}
    folds: Mapping[str, HeldFold] = {}


def held_folds(ratios: Callable[[DesignValues], Ratios], values: DesignValues) -> dict[str, HeldFold]:
    """The folds of a design with their slopes; `ratios` makes those of any design, all in one compilation."""
    acting = [name for name in values if name.partition(":")[0] in ACTING]
    kinds = list(dict.fromkeys(name.partition(":")[0] for name in acting))
    factors = np.ones((1 + 2 * len(kinds), len(values)))
    for at, name in enumerate(values):
        for n, kind in enumerate(kinds):
            if name.partition(":")[0] == kind:
                factors[2 * n + 1 : 2 * n + 3, at] = 1 + STEP, 1 - STEP
    about = {name: jnp.asarray(value, float) for name, value in values.items()}
    near = {name: value * jnp.asarray(factors[:, at], value.dtype) for at, (name, value) in enumerate(about.items())}
    held: dict[str, HeldFold] = {}
    for layer, found in jax.lax.map(ratios, near).items():
        first = jax.tree.map(lambda leaf: leaf[0], found)
        aligned = jax.vmap(lambda basis, products, to=first[0]: turned(basis, products, to))(*found)
        slopes: dict[str, tuple[Basis, Products]] = {}
        for n, kind in enumerate(kinds):
            name = kind if kind in values else f"{kind}:{layer}"
            width = 2 * STEP * about[name]
            slopes[name] = jax.tree.map(lambda v, n=n, width=width: (v[2 * n + 1] - v[2 * n + 2]) / width, aligned)
        held[layer] = HeldFold(first, slopes, {name: about[name] for name in slopes})
    return held


def turned(basis: Basis, products: Products, toward: Basis) -> tuple[Basis, Products]:
    """The same fold by functions as near to those of another as rotations bring them: each fold chooses its own."""
    currents, slopes = basis.turned(toward)
    return (
        basis._replace(currents=basis.currents @ currents, slopes=basis.slopes @ slopes),
        products._replace(
            currents=jnp.einsum("kj,gkrc->gjrc", currents, products.currents),
            slopes=jnp.einsum("kj,gkrc->gjrc", slopes, products.slopes),
        ),
    )


def ratios_of(gated: Gated, counted: NodeWeights, hardware: Hardware) -> Ratios:
    """The fold of the chip without variation."""
    devices = {name: jnp.asarray(layer.conductance) for name, layer in hardware.network.layers.items()}
    folds = wired_products(solved_layers(gated, counted, hardware, devices))
    mean = means(gated, counted, hardware, devices)
    return {name: (basis, scaled(products, 1 / mean[name])) for name, (basis, products) in folds.items()}


def wired_layers(
    gated: Gated, counted: NodeWeights, hardware: Hardware, devices: Mapping[str, Array], held: Mapping[str, HeldFold],
    values: DesignValues,
) -> dict[str, FoldedWiredLayer]:  # fmt: skip
    """The layers of a chip of `devices` [S] as products."""
    layers, mean = solved_layers(gated, counted, hardware, devices), means(gated, counted, hardware, devices)
    return {name: of_products(layer, *held[name].at(values, mean[name])) for name, layer in layers.items()}


def means(
    gated: Gated, counted: NodeWeights, hardware: Hardware, devices: Mapping[str, Array]
) -> dict[str, Float[Array, "rows cols"]]:
    """The mean conductance that the cells of every layer show [S]."""
    cells = {name: gated.surrogate("current", counted[name], g.shape) for name, g in devices.items()}
    return {name: cell(devices[name]) for name, cell in linear_cells(hardware, cells).items()}


def solved_layers(
    gated: Gated, counted: NodeWeights, hardware: Hardware, devices: Mapping[str, Array]
) -> dict[str, WiredLayer]:
    """The layers on cells at their gate voltages."""
    own = hardware.network.layers
    return {
        name: solved_layer(hardware, own[name], own[name].scale, g, gated.lines(counted[name]))
        for name, g in devices.items()
    }


def scaled(products: Products, by: Float[Array, "rows cols"]) -> Products:
    """Currents and slopes of every cell times a factor of its own."""
    groups = products.currents.shape[0]
    factor = jnp.moveaxis(by.reshape(by.shape[0], groups, -1), 1, 0)[:, None]
    return products._replace(currents=products.currents * factor, slopes=products.slopes * factor)
