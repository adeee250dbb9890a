"""Where an array dissipates what its sources deliver: cells, wires, sources, neurons.

    Σ_i v_i Σ_j I_ij  =  Σ I_ij (w_ij − b_ij)  +  R_word Σ J²  +  R_bit Σ K²  +  R_source Σ J_i0²  +  R_neuron Σ K_j²

with the currents J along word lines and K along bit lines (Tellegen's theorem: node voltages that do not obey Kirchhoff's
laws break the equality).
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from xbar_cli.array.nodal import NodeVoltages, solve
from xbar_cli.array.wires import Wires, above_zero, shared
from xbar_cli.device.transistor import BitLineSeparable, CellTerms
from xbar_cli.errors import ModelError
from xbar_cli.numerics import quick_compilation
from xbar_cli.types import Array

TOLERANCE, MOST_ROUNDS = 1e-12, 500
"""Of the currents of 1T-1R cells with wires, relative to the largest."""


class Dissipation(NamedTuple):
    """Power of one array for each of several inputs [W].

    Attributes:
        delivered: by the sources.
        cells: in the cells.
        wires: in both kinds of wire.
        sources: in the sources' resistances.
        neurons: in the neurons' resistances.
    """

    delivered: NDArray[np.float64]
    cells: NDArray[np.float64]
    wires: NDArray[np.float64]
    sources: NDArray[np.float64]
    neurons: NDArray[np.float64]

    @property
    def spent(self) -> NDArray[np.float64]:
        """What is dissipated in all."""
        return self.cells + self.wires + self.sources + self.neurons

    @property
    def gap(self) -> float:
        """Largest difference between what is delivered and what is dissipated, over the largest power of the inputs.

        An input without a voltage delivers nothing, and rounding leaves something to dissipate: it has no scale of its own.
        """
        largest = max(np.max(np.abs(self.delivered), initial=0.0), np.max(np.abs(self.spent), initial=0.0))
        return float(np.max(np.abs(self.delivered - self.spent), initial=0.0) / largest) if largest > 0 else 0.0


def of_resistive(
    g: Float[np.ndarray, "rows cols"],
    v: Float[np.ndarray, "inputs rows"],
    wires: Wires,
    *,
    size: tuple[int, int] | None = None,
) -> Dissipation:
    """Dissipation of a linear array of conductances `g` [S] for source voltages `v` of each input [V].

    Args:
        g: device conductances [S].
        v: source voltages [V].
        wires: resistances.
        size: rows and columns of the array, where the others hold no devices: arrays of one size are compiled for once.

    Accuracy:
        conserves power to about 1e-12 (float64).
    """
    rows, cols = g.shape
    above, right = (0, 0) if size is None else (size[0] - rows, size[1] - cols)
    with jax.enable_x64(True):
        filled = jnp.asarray(np.pad(g, ((above, 0), (0, right))), jnp.float64)
        volts = jnp.asarray(np.pad(v, ((0, 0), (above, 0))), jnp.float64)
        nodes = _node_voltages()(filled, volts, above_zero(wires))
        word, bit = (np.asarray(at, np.float64)[:, above:, :cols] for at in (nodes.word, nodes.bit))
    return _balance(np.asarray(v, np.float64), np.asarray(g, np.float64) * (word - bit), word - bit, wires)


@cache
def _node_voltages() -> Callable[..., NodeVoltages]:
    """The jitted `(conductances, inputs, resistances that are not 0) -> all node voltages for each input`."""

    def nodes(g: Array, v: Array, ohm: Mapping[str, Array]) -> NodeVoltages:
        return jax.vmap(lambda one: solve(g, one, Wires(**ohm)))(v)

    return jax.jit(nodes, compiler_options=quick_compilation())


@jax.jit
def _currents(cell: BitLineSeparable, terms: CellTerms, word: Array, bit: Array) -> Array:
    """The current of every cell for each input [A]."""
    return jax.vmap(lambda w, b: cell.current(terms, w, b))(word, bit)


def of_cells(
    cell: BitLineSeparable,
    g: Float[np.ndarray, "rows cols"],
    v: Float[np.ndarray, "inputs rows"],
    wires: Wires,
) -> Dissipation:
    """Dissipation of an array of 1T-1R cells, of their currents from word line to bit line; gates apart.

    Voltages of the nodes and currents of the cells are computed in turn from each other until they agree; ModelError where
    they do not: wires whose resistance is not small against the cells'.

    Args:
        cell: the cell at its gate voltage, with the bit line's voltage as an axis.
        g: memristor conductances [S].
        v: source voltages of each input [V].
        wires: resistances of the array.
    """
    (rows, cols), (r_word, r_bit, r_source, r_neuron) = g.shape, wires.floats()
    word = shared(cols, segment=r_word, end=r_source)
    bit = shared(rows, segment=r_bit, end=r_neuron)[::-1, ::-1]
    with jax.enable_x64(True):
        precise = cell.astype(jnp.float64)
        terms = precise.terms(jnp.asarray(g, jnp.float64))
        i = np.zeros((len(v), rows, cols))
        for _ in range(MOST_ROUNDS):
            w, b = v[:, :, None] - i @ word, bit @ i
            new = np.asarray(_currents(precise, terms, jnp.asarray(w), jnp.asarray(b)), np.float64)
            change, i = np.abs(new - i).max(), new
            if change <= TOLERANCE * max(np.abs(i).max(), np.finfo(np.float64).tiny):
                return _balance(np.asarray(v, np.float64), i, w - b, wires)
    raise ModelError(
        "the currents of a 1T-1R array with wires did not settle: its resistances are too large against the cells'"
    )


def _balance(v: NDArray[np.float64], i: NDArray[np.float64], drop: NDArray[np.float64], wires: Wires) -> Dissipation:
    """From source voltages [inputs rows], currents and voltages of all cells [inputs rows cols]."""
    r_word, r_bit, r_source, r_neuron = wires.floats()
    along_word = np.cumsum(i[:, :, ::-1], axis=2)[:, :, ::-1]
    along_bit = np.cumsum(i, axis=1)
    total = (1, 2)
    return Dissipation(
        delivered=np.sum(v * along_word[:, :, 0], axis=1),
        cells=np.sum(i * drop, axis=total),
        wires=r_word * np.sum(along_word**2, axis=total) + r_bit * np.sum(along_bit**2, axis=total),
        sources=r_source * np.sum(along_word[:, :, 0] ** 2, axis=1),
        neurons=r_neuron * np.sum(along_bit[:, -1] ** 2, axis=1),
    )
