"""Cells whose access transistors differ: a threshold voltage off by δ, as the cell at another gate voltage.

A transistor conducts by V_g − V_th, so that a threshold shifted by δ acts as the gate voltage `V_g − κ δ`. κ would be 1 if
nothing but that difference counted; mobility follows V_g + V_th too in BSIM4, and κ is fitted to simulated transistors
(1.07 at 0.70 V, 1.13 at 0.80 V, 1.36 at 1.00 V for the `lp` card, 90 nm wide). Between the gate voltages of the cell's table
the current is interpolated by cubics, device by device:

    I(G, V; V_g − κ δ) = Σ_m L_m(V_g − κ δ) I(G, V; V_m) = Σ_m Σ_k [L_m a_mk(G)] b_mk(V)

which is separable as each of the cells is: the array is the K products of all of them, the weights L_m go to the devices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jax import Array
from jaxtyping import Float
from numpy.typing import NDArray

from xbar_cli.device import draws
from xbar_cli.device.transistor import Separable
from xbar_cli.numerics import namespace
from xbar_cli.types import AnyArray

NODES = 5
"""Gate voltages that a current is interpolated over."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MismatchedCell:
    """Devices of one array, each with a gate voltage of its own; it takes the place of their `Separable`.

    Attributes:
        cells: surrogates at gate voltages of the table.
        weights: how much of each counts for each device [*shape nodes]; they add up to 1.

    Accuracy:
        Currents against ngspice with shifted thresholds, at 51 voltages from 0.01 to 0.5 V and 12 conductances from 3.3 to
        33 µS, weighed by N(0, (30 mV)²): `lp` card, 90 nm × 45 nm, table from 0.65 to 1.0 V in steps of 0.05 V. Root mean
        square in % of the device's current at 0.5 V, and what mismatch makes of it:

            V_g [V]    0.70   0.75   0.80   0.90   1.00
            error      0.96   0.31   0.21   0.11   0.07
            mismatch  15.5    8.5    4.2    1.15   0.56

        Of single devices within 2σ at most 6.2, 1.6, 1.5, 2.0 and 0.5 %; further out, where the table ends, up to tens.
    """

    cells: tuple[Separable, ...]
    weights: Float[Array, "*shape nodes"]

    @property
    def rank(self) -> int:
        """Number of products, those of all gate voltages."""
        return sum(cell.rank for cell in self.cells)

    @property
    def v_max(self) -> Float[Array, ""]:
        """Largest input voltage [V]."""
        return self.cells[0].v_max

    def in_g(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape rank"]:
        """The conductance factors of every device."""
        parts = [self.weights[..., m : m + 1] * cell.in_g(g) for m, cell in enumerate(self.cells)]
        return jnp.concatenate(parts, axis=-1)

    def at_zero(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The value at v = 0: the leakage."""
        return jnp.sum(self.weights * jnp.stack([cell.at_zero(g) for cell in self.cells], axis=-1), axis=-1)

    def in_v(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape rank"]:
        """The voltage factors, the same for all devices."""
        return jnp.concatenate([cell.in_v(v) for cell in self.cells], axis=-1)

    def per_volt(self, v: Float[Array, "*shape"]) -> list[Float[Array, "*shape"]]:
        """The voltage factors over v, one array a factor."""
        return [factor for cell in self.cells for factor in cell.per_volt(v)]

    def __call__(self, g: Float[Array, "*shape"], v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The value of each device at its own voltage."""
        return self.at_zero(g) + jnp.sum(self.in_g(g) * self.in_v(v), axis=-1)


AnyCell = Separable | MismatchedCell
"""A cell at one gate voltage, or devices at one each."""


@dataclass(frozen=True)
class GateShift:
    """The spread of the thresholds of the cells at one gate voltage, as a spread of gate voltages.

    Attributes:
        vg: the gate voltage [V].
        sigma: standard deviation of κ δ [V].
        nodes: gate voltages of the cell's table that are interpolated over [V].
        index: their places in the table.
    """

    vg: float
    sigma: float
    nodes: tuple[float, ...]
    index: tuple[int, ...]


def nearest_nodes(usable: NDArray[np.integer], index: int) -> tuple[int, ...]:
    """The five of the `usable` places of a table about place `index`, or all where there are fewer."""
    count = min(NODES, usable.size)
    first = min(max(int(np.searchsorted(usable, index)) - count // 2, 0), usable.size - count)
    return tuple(usable[first : first + count].tolist())


def lagrange(x: AnyArray, nodes: Sequence[float]) -> list[AnyArray]:
    """Lagrange's polynomials of some nodes at `x`: they give any polynomial of that degree back."""
    found = []
    for m, node in enumerate(nodes):
        product = x * 0 + 1
        for k, other in enumerate(nodes):
            if k != m:
                product = product * ((x - other) / (node - other))
        found.append(product)
    return found


def node_weights(x: AnyArray, nodes: Sequence[float]) -> AnyArray:
    """How much the current at each node counts at the gate voltages `x` [V]: [*shape nodes], adding up to 1.

    Cubics through the four nodes about `x`; one parabola where there are three. A gate voltage more than half a step below
    the nodes, or a step above them, counts as there: polynomials of a current say nothing further out.
    """
    xp = namespace(x)
    x = xp.clip(x, nodes[0] - (nodes[1] - nodes[0]) / 2, 2 * nodes[-1] - nodes[-2])
    none = x * 0
    if len(nodes) <= 4:
        return xp.stack(lagrange(x, nodes), axis=-1)
    low, high = [*lagrange(x, nodes[:4]), none], [none, *lagrange(x, nodes[1:])]
    return xp.stack([xp.where(x < nodes[2], a, b) for a, b in zip(low, high, strict=True)], axis=-1)


def gate_per_threshold(
    vg: float,
    nodes: Sequence[float],
    effective: Float[np.ndarray, "nodes g"],
    *,
    shift: Float[np.ndarray, " samples"],
    sampled: Float[np.ndarray, "samples g"],
) -> float:
    """κ: the volts of gate voltage that act as one volt of threshold voltage.

    Args:
        vg: gate voltage of the samples [V].
        nodes: gate voltages of the table [V].
        effective: mean effective conductance at them [S].
        shift: of the threshold of every sampled transistor [V].
        sampled: their mean effective conductances at `vg` [S].

    Returns:
        The κ of the least mean square relative error.
    """

    def error(kappa: float) -> float:
        weights = np.asarray(node_weights(vg - kappa * shift, nodes))
        return float(np.mean((weights @ effective / sampled - 1) ** 2))

    found: Any = scipy.optimize.minimize_scalar(error, bounds=(0.3, 2.0), method="bounded")
    return float(found.x)


def mismatched(
    key: Array, cells: Sequence[Separable], spread: GateShift, shape: tuple[int, ...], dtype: jnp.dtype
) -> MismatchedCell:
    """The cells of one array of a chip, every transistor's threshold drawn on its own.

    `cells` are the surrogates at the nodes of `spread`; `shape` and `dtype` those of the array's conductances.
    """
    off = -jnp.asarray(spread.sigma, dtype) * draws.normal(key, jnp.zeros(shape, dtype))
    # distances from the nominal gate voltage: small numbers keep the differences exact
    weights = node_weights(off, [node - spread.vg for node in spread.nodes])
    return MismatchedCell(tuple(cells), jnp.asarray(weights))
