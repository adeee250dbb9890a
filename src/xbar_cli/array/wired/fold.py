"""The 1T-1R array with wires as a few matrix products: its word lines exactly, its bit lines by their leading mode.

The circuit is that of `newton`. Three observations make products of it.

* With bit lines held at known voltages the rows do not know of each other: the current of a cell is a function of its row's
  source voltage alone, word line and source resistance included, and few functions of the voltage serve all cells of a layer
  (`I = Σ_k A_k φ_k(V)`, as for cells without wires).
* The resistance that two currents of a bit line share (`r_neuron + r · segments in common`) has one eigenvalue far above the
  others. Along its eigenvector `u` the bit line is one number a column, `b = β u`: the current is linear in β to first order,
  its slope `Σ_k D_k ψ_k(V)`, and `β = λ Σ_i u_i I_i` is solved in closed form.
* What the other modes do is small, and nearly that of linear devices: the exact fold of the cells' mean conductances less the
  same reduction of it is one matrix more, and goes into A.

That makes `2 (K + 1 + slopes)` products of the array's size. How far the result is from Newton's method is measured, on reads
of the layer's own inputs: see `xbar_cli.nn.wired.certificate`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from xbar_cli.array.nodal import nodal
from xbar_cli.array.tiling import cut, join
from xbar_cli.array.wired.rows import NODES, SWEEPS, Response, bit_mode, drive_nodes, respond
from xbar_cli.array.wires import Wires, shared
from xbar_cli.device.transistor import BitLineSeparable, series
from xbar_cli.numerics import in_float64
from xbar_cli.types import Array

CURRENTS, SLOPES = 2, 2
"""Functions of the source voltage for currents, and for their slopes to the bit line."""
NODE_ORDERS = np.polynomial.chebyshev.chebvander(-np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES), NODES - 1)
"""Chebyshev polynomials at the nodes of the drive, `[nodes orders]`."""
EXAMPLES = 8
"""Tiles of a layer that its functions of the voltage are chosen by."""


class Basis(NamedTuple):
    """Functions of the source voltage that the cells of a layer share, orthonormal over the nodes.

    Attributes:
        currents: Chebyshev coefficients of φ_k over [0, v_max], `[orders phi]`.
        slopes: of ψ_k, `[orders psi]`.
        v_max: largest source voltage [V].
    """

    currents: Float[Array, "orders phi"]
    slopes: Float[Array, "orders psi"]
    v_max: Float[Array, ""]

    def at(self, v: Float[Array, "*batch"]) -> tuple[Float[Array, "*batch phi"], Float[Array, "*batch psi"]]:
        """Both kinds of functions at source voltages between 0 and v_max [V]."""
        x = 2 * v / self.v_max - 1
        return series(x, self.currents), series(x, self.slopes)

    def turned(self, toward: "Basis") -> tuple[Array, Array]:
        """The rotations that bring these functions nearest to those of another basis, over the same share of v_max.

        References:
            Schönemann, Psychometrika 31 (1966): the orthogonal Procrustes problem.
        """

        def rotation(own: Array, other: Array) -> Array:
            nodes = jnp.asarray(NODE_ORDERS, own.dtype)
            left, _, right = jnp.linalg.svd((nodes @ own).T @ (nodes @ other))
            return left @ right

        return rotation(self.currents, toward.currents), rotation(self.slopes, toward.slopes)


class Products(NamedTuple):
    """What multiplies the functions of a `Basis`: a layer of 1T-1R arrays with wires.

    Attributes:
        currents: A_k [A], `[phi rows cols]`.
        slopes: D_k: change of the currents for each volt of a bit line's mode [S], `[psi rows cols]`.
        mode: u of the bit lines, of length 1 in each band of tiles, `[rows]`.
        strength: λ of each band [ohm].
    """

    currents: Float[Array, "phi rows cols"]
    slopes: Float[Array, "psi rows cols"]
    mode: Float[Array, " rows"]
    strength: Float[Array, " bands"]


class Band(NamedTuple):
    """One band of tiles: what its rows pass into all columns, as two products.

    Attributes:
        currents: A_k beside `u A_k`, `[rows·phi 2·cols]`.
        slopes: the same of D_k, `[rows·psi 2·cols]`.
        strength: λ [ohm].
    """

    currents: Float[Array, "terms columns"]
    slopes: Float[Array, "_terms columns"]
    strength: Float[Array, ""]

    def __call__(self, phi: Float[Array, "reads rows phi"], psi: Float[Array, "reads rows psi"]) -> Array:
        """The currents of all columns [A]."""
        total, moment = jnp.split(phi.reshape(phi.shape[0], -1) @ self.currents, 2, axis=-1)
        slope, moment_slope = jnp.split(psi.reshape(psi.shape[0], -1) @ self.slopes, 2, axis=-1)
        beta = self.strength * moment / (1 - self.strength * moment_slope)
        return total + beta * slope


def fold_wired(
    surrogates: Mapping[str, BitLineSeparable],
    g: Mapping[str, Float[Array, "_groups _rows _cols"]],
    wires: Wires,
    v_max: Float[Array, ""],
    *,
    tile: tuple[int, int],
) -> dict[str, tuple[Basis, Products]]:
    """Fold layers of 1T-1R cells on tiles with wires into matrix products, all in one shape: compiled once for a network.

    Computed in float64 whatever the precision of the process, and returned in the dtype of `g`. Differentiable in reverse
    mode in `g`, the functions of the voltage and the modes' shapes being held.

    Args:
        surrogates: by layer, the cell at its gate voltage, with the bit line's voltage as an axis; alike in rank and knots.
        g: by layer, the memristor conductances of each group [S].
        wires: resistances of an array.
        v_max: largest source voltage [V].
        tile: rows and columns of one array; a remainder tile is an array of that size.

    Returns:
        By layer, the functions of its voltages, and the products of each group: an axis of groups before their own.

    Raises:
        ValueError: a known resistance is negative or not finite.

    Accuracy:
        Against Newton's method on random devices of the linear range, 64×64, V_g 0.8 to 1.0 V, sources and neurons of 4
        segments: 7e-5 of full scale at 1 ohm a segment, 2e-4 at 2.5 ohm (`benchmarks/wired_fold.py`).
    """
    wires.require()
    shape = min(tile[0], max(v.shape[1] for v in g.values())), min(tile[1], max(v.shape[2] for v in g.values()))
    return in_float64(partial(_folded, shape=shape), dict(g), v_max, dict(surrogates), wires)


def _folded(
    g: dict[str, Array], v_max: Array, surrogates: dict[str, BitLineSeparable], wires: Wires, *, shape: tuple[int, int]
) -> dict[str, tuple[Basis, Products]]:
    cell = _stacked([surrogates[name] for name in g])
    own = [jnp.concatenate([cut(part, shape) for part in groups]) for groups in g.values()]
    tiles = jnp.concatenate(own)
    there = jnp.concatenate([cut(jnp.ones_like(part), shape) for groups in g.values() for part in groups])
    ends = np.cumsum([0, *(len(part) for part in own)])
    layer = np.repeat(np.arange(len(own)), np.diff(ends))

    def mapped(function: Callable[..., Any], chosen: np.ndarray) -> Any:
        again = jax.checkpoint(lambda given: function(*given))  # a gradient keeps no sweeps of any tile
        return jax.lax.map(again, (tiles[chosen], there[chosen], jnp.asarray(layer[chosen])))

    some = [np.unique(np.linspace(a, b - 1, min(EXAMPLES, b - a)).astype(int)) for a, b in pairwise(ends.tolist())]
    examples = mapped(lambda g, there, n: respond(cell(n), g, there, wires, v_max), np.concatenate(some))
    stops = np.cumsum([0, *map(len, some)]).tolist()
    bases = [
        _basis(jax.tree.map(lambda leaf, a=a, b=b: jax.lax.stop_gradient(leaf[a:b]), examples), v_max)
        for a, b in pairwise(stops)
    ]
    basis_of = _stacked(bases)
    found = mapped(lambda g, there, n: _tile(cell(n), g, there, wires, v_max, basis_of(n)), np.arange(len(layer)))
    parts = zip(g.items(), bases, pairwise(ends.tolist()), strict=True)
    return {
        name: (basis, _joined(jax.tree.map(lambda leaf, a=a, b=b: leaf[a:b], found), groups))
        for (name, groups), basis, (a, b) in parts
    }


def _stacked(trees: Sequence[Any]) -> Callable[[Array], Any]:
    """From a number, known only when it runs, to that one of trees that are alike."""
    leaves, structures = zip(*map(jax.tree.flatten, trees), strict=True)
    stacks = [jnp.stack(each) for each in zip(*leaves, strict=True)]
    return lambda n: jax.tree.unflatten(structures[0], [stack[n] for stack in stacks])


def _joined(found: tuple[Array, Array, Array, Array], groups: Array) -> Products:
    """The products of a layer's groups from those of its tiles."""
    apart = jax.tree.map(lambda leaf: leaf.reshape(groups.shape[0], -1, *leaf.shape[1:]), found)

    def joined(currents: Array, slopes: Array, mode: Array, strength: Array) -> Products:
        whole = jax.vmap(lambda part: join(part, groups.shape[1:]), in_axes=1)
        column = jnp.broadcast_to(mode[:, :, None], (*mode.shape, currents.shape[-1]))
        across = -(-groups.shape[2] // currents.shape[-1])
        return Products(whole(currents), whole(slopes), join(column, groups.shape[1:])[:, 0], strength[::across])

    return jax.vmap(joined)(*apart)


def bands_of(products: Products, *, height: int) -> tuple[Band, ...]:
    """The bands of tiles of a layer, `height` rows each but for the last."""

    def joined(factors: Array, mode: Array) -> Array:
        both = jnp.concatenate([factors, factors * mode[None, :, None]], axis=-1)
        return jnp.moveaxis(both, 0, 1).reshape(-1, both.shape[-1])

    parts = [slice(top, top + height) for top in range(0, products.mode.shape[0], height)]
    return tuple(
        Band(joined(products.currents[:, part], products.mode[part]), joined(products.slopes[:, part], products.mode[part]),
             products.strength[n])
        for n, part in enumerate(parts)
    )  # fmt: skip


def _basis(examples: Response, v_max: Array) -> Basis:
    """The functions that most of the currents, and of their slopes, of some arrays are sums of."""

    def leading(values: Array, count: int) -> Array:
        flat = jnp.moveaxis(values, 1, 0).reshape(NODES, -1)
        flat = flat / jnp.maximum(jnp.max(jnp.abs(flat)), jnp.finfo(flat.dtype).tiny)
        functions = jnp.linalg.eigh(flat @ flat.T)[1][:, ::-1][:, :count]
        return jnp.linalg.solve(jnp.asarray(NODE_ORDERS, flat.dtype), functions)

    return Basis(leading(examples.current, CURRENTS), leading(examples.slope, SLOPES), v_max)


def _tile(
    surrogate: BitLineSeparable, g: Array, there: Array, wires: Wires, v_max: Array, basis: Basis
) -> tuple[Array, Array, Array, Array]:
    """Currents and slopes of one array over the functions of the basis, shape and strength of its mode."""
    found, (shape, strength) = respond(surrogate, g, there, wires, v_max), bit_mode(there[:, 0], wires)
    nodes = drive_nodes(v_max)
    phi, psi = basis.at(nodes)
    along = jnp.where(found.mean > 0, found.mean, 0) * there
    r_word, _, r_source, _ = wires.arrays(g.dtype)
    word = shared(g.shape[1], segment=r_word, end=r_source)
    rows = jax.lax.fori_loop(0, SWEEPS, lambda _, i: along * (1 - i @ word), along)  # [A] at 1 V, bit lines at 0 V
    exact, u = nodal(along, wires).g_eff, shape[:, None]
    share = strength * jnp.sum(u * rows, 0) / (1 + strength * jnp.sum(u * u * rows, 0))
    left = exact - rows + u * rows * share[None]
    currents = jnp.tensordot(phi.T, found.current, 1) + (phi.T @ nodes)[:, None, None] * left[None]
    return currents, jnp.tensordot(psi.T, found.slope, 1), shape, strength
