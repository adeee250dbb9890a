"""The 1T-1R array with wires, source and neuron resistance: Newton's method on the currents of its cells.

The circuit is that of `nodal`, with a cell of three terminals in the place of each device: memristor at the word line,
transistor with its source at the bit line, body at ground. Wires are linear, so the currents `i` of the cells give the
node voltages, `w = v − i R_word` and `b = R_bit i`, with no wire's conductance: any resistance may be 0. What is left is
one equation a cell, `i = f(G, w, b)`, with the surrogate's current and slopes.

Each Newton step solves `(1 + f_w R_word − f_b R_bit) δ = f − i`. Wires are small against cells, the matrix is near the
identity, and a Krylov method needs a handful of products with R_word and R_bit; slopes differ (body effect), so the
matrix is not symmetric.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.scipy.sparse.linalg import bicgstab
from jaxtyping import Float

from xbar_cli.array.checks import require_memory, require_tile
from xbar_cli.array.wired.cells import Cells, PowerCells, cell_currents, cells_of
from xbar_cli.array.wires import Wires, shared
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.errors import ModelError
from xbar_cli.numerics import in_float64
from xbar_cli.types import Array, Conductances, Currents

TOLERANCE = 1e-12
"""Newton's method ends where no cell's current differs from its equation by more than this share of the largest current."""
MOST_STEPS = 30
"""Newton steps at most; three or four are usual."""
ACCEPTED = 1e-9
"""The residual up to which a result may be used: rounding can keep it above TOLERANCE."""
INNER, MOST_PRODUCTS = 1e-4, 200
"""How far the linear solver of a Newton step reduces the residual, and the iterations it may take for that."""
SMALLEST_STEP = 2.0**-10
"""A Newton step is halved until it reduces the residual, to this share of it at least."""


class Wired(NamedTuple):
    """What an array of 1T-1R cells with wires delivers, and how far the result can be trusted.

    Attributes:
        current: current at the end of every bit line [A].
        residual: largest |i − f(G, w, b)| of a cell over the largest |i|; above ACCEPTED, or NaN: not to be used.
        steps: Newton steps taken (a floating-point number, as everything here).
        beyond: how far a node lies outside the voltages of the cell's table [V]; there the cell goes on linearly.
    """

    current: Currents
    residual: Float[Array, "*batch"]
    steps: Float[Array, "*batch"]
    beyond: Float[Array, "*batch"]


def gated_wired(
    surrogate: BitLineSeparable,
    g: Conductances,
    v: Float[Array, "*batch _"],
    wires: Wires,
    *,
    there: Float[Array, "_rows _cols"] | None = None,
) -> Wired:
    """Column currents of one array of 1T-1R cells with wires, for a batch of inputs.

    Solved in float64 whatever the precision of the process, and returned in the dtype of `v`. The derivative is that of
    the solution (implicit function theorem), in `g`, `v` and every resistance, in forward and reverse mode; reverse mode
    alone where float32 callers are served. A cell without a memristor (g = 0) passes the transistor's leakage.

    Args:
        surrogate: the cell at its gate voltage, with the bit line's voltage as an axis: `cell.bit_line[index]`.
        g: memristor conductances [S].
        v: source voltages [V].
        wires: resistances.
        there: 1 where a cell is, 0 where the array ends, above or to the right: many sizes are compiled as one. None: all are.

    Returns:
        Currents, and what the caller must judge: see `require_solved`. Currents and residual are NaN where a traced
        conductance is negative or NaN.

    Raises:
        ValueError: `g` is not a matrix, `v` has another length than `g` has rows, a known resistance is negative or not
            finite, or a known conductance is negative or NaN.
        ModelError: `g` is too large for the memory.

    Accuracy:
        That of the surrogate. Each cell draws from its word line what it passes into the bit line: the gate's tunnelling
        current, which enters at the bit line alone, shifts a word line by its product with the line's resistance.
    """
    require_tile("g", g)
    wires.require()
    if v.shape[-1:] != g.shape[:1]:
        raise ValueError(f"v must have one voltage per row of g, got shape {tuple(v.shape)} for {tuple(g.shape)}")
    _require_memristors(g)
    batch = int(np.prod(v.shape[:-1]))
    orders, rank, width = surrogate.polynomials.shape
    require_memory("g", g.shape, 8 * g.size * (40 * batch + rank + 2 * orders * (width + rank)))
    return Wired(*in_float64(_solved, v, g, surrogate, wires, jnp.ones_like(g) if there is None else there))


def _require_memristors(g: Array) -> None:
    """Raise unless every known conductance is that of a memristor; a traced one is not looked at."""
    if isinstance(g, Tracer):
        return
    wrong = np.argwhere(~(np.asarray(g) >= 0))
    if wrong.size:
        row, col = wrong[0].tolist()
        raise ValueError(
            f"g must not be below 0 S (nor NaN) in an array of 1T-1R cells, got {float(g[row, col]):g} at row {row}, column {col}"
        )


def require_solved(
    found: Wired, *, tile: str, surrogate: BitLineSeparable, accepted: float = ACCEPTED, steps: str = "Newton steps"
) -> None:
    """Raise unless currents may be used.

    Args:
        found: what `gated_wired` or `sweep.swept` returned, outside `jit`; NaN for steps that are not known.
        tile: which array it is, for the message.
        surrogate: the cell that was used.
        accepted: the largest residual of a result that may be used.
        steps: what the method takes, for the message.

    Raises:
        ModelError: the method did not converge, or a node left the voltages of the cell's table by more than a
            thousandth of their range.
    """
    residual, taken, beyond = (np.max(np.asarray(part)) for part in (found.residual, found.steps, found.beyond))
    if not residual <= accepted:
        after = "" if np.isnan(taken) else f" after {taken:.0f} {steps}"
        raise ModelError(
            f"{tile}: the 1T-1R array with wires did not converge (residual {residual:.1e}{after}, at most {accepted:.0e} is "
            "allowed): are conductances and inputs finite and conductances not below 0?"
        )
    low, high = float(surrogate.line_min), float(surrogate.line_max)
    if not beyond <= 1e-3 * (high - low):
        raise ModelError(
            f"{tile}: a node lies {1e3 * beyond:.3g} mV outside the voltages of the cell's table (bit lines {1e3 * low:g} to "
            f"{1e3 * high:g} mV, word lines {float(surrogate.v_min):g} to {float(surrogate.v_max):g} V); characterize the cell "
            "up to a higher bit-line voltage or over a wider range of inputs, or use smaller tiles"
        )


@jax.jit
def _solved(v: Array, g: Array, surrogate: BitLineSeparable, wires: Wires, there: Array) -> tuple[Array, ...]:
    r_word, r_bit, r_source, r_neuron = wires.arrays(g.dtype)
    word = shared(g.shape[1], segment=r_word, end=r_source)
    bit = shared(g.shape[0], segment=r_bit, end=r_neuron)[::-1, ::-1]
    usable = jnp.all(g >= 0)  # not so for NaN
    cells = cells_of(surrogate, jnp.where(usable, g, jnp.nan), there)
    batch = v.shape[:-1]
    found = jax.vmap(lambda one: _one_input(one, cells, word, bit))(v.reshape(-1, v.shape[-1]))
    return tuple(part.reshape(*batch, *part.shape[1:]) for part in found)


def _one_input(v: Array, cells: Cells, word: Array, bit: Array) -> tuple[Array, Array, Array, Array]:
    """Column currents, residual, steps and distance from the table for one input."""
    state = _settled(v, cells, word, bit)
    still, *fixed = jax.lax.stop_gradient((state, v, word, bit))
    return jnp.sum(state.i, 0), still.size / _scale(still), state.steps, beyond_table(cells, *_nodes(still.i, *fixed))


def beyond_table(
    cells: Cells | PowerCells, w: Array, b: Array, *, axis: tuple[int, ...] | None = None
) -> Float[Array, "*reads"]:
    """How far a node lies outside the voltages of the table [V], the largest along the axes of the cells."""
    outside = [cells.inputs[0] - w, w - cells.inputs[1], cells.lines[0] - b, b - cells.lines[1]]
    return jnp.maximum(jnp.max(jnp.stack([jnp.max(part, axis=axis) for part in outside]), axis=0), 0)


def _nodes(i: Array, v: Array, word: Array, bit: Array) -> tuple[Array, Array]:
    """The voltages of the word-line and bit-line node of every cell [V]."""
    return v[:, None] - i @ word, bit @ i


class _State(NamedTuple):
    """Where Newton's method is.

    Attributes:
        i: currents of all cells [A].
        missing: f(G, w, b) − i, what is missing in their equations [A].
        to_word: f_w [S].
        to_bit: f_b [S].
        size: the largest |missing| [A].
        share: of the next step that is to be taken.
        steps: taken so far, the shortened ones counted; −1 before the first evaluation.
    """

    i: Array
    missing: Array
    to_word: Array
    to_bit: Array
    size: Array
    share: Array
    steps: Array


def scale_of(largest: Array) -> Array:
    """What residuals are relative to, where the largest current is this [A]."""
    return jnp.where(largest == 0, 1, largest)


def _scale(state: _State) -> Array:
    """The largest current of a read, or what is missing where none flows yet."""
    largest = jnp.max(jnp.abs(state.i))
    return scale_of(jnp.where((largest == 0) & jnp.isfinite(state.size), state.size, largest))


def _linear(state: _State, right: Array, word: Array, bit: Array, *, tolerance: float) -> Array:
    """The solution of `(1 + f_w R_word − f_b R_bit) δ = right`."""

    def product(delta: Array) -> Array:
        return delta + state.to_word * (delta @ word) - state.to_bit * (bit @ delta)

    def krylov(product: Callable[[Array], Array], right: Array) -> Array:
        return bicgstab(product, right, tol=tolerance, maxiter=MOST_PRODUCTS)[0]

    return jax.lax.custom_linear_solve(product, right, krylov, transpose_solve=krylov)


def _newton(v: Array, cells: Cells, word: Array, bit: Array) -> _State:
    """Damped Newton steps from an array without currents: a step that does not reduce what is missing is halved."""

    def going_on(state: _State) -> Array:
        return (state.size > TOLERANCE * _scale(state)) & (state.steps < MOST_STEPS) & (state.share > SMALLEST_STEP)

    def step(state: _State) -> _State:
        i = state.i + state.share * _linear(state, state.missing, word, bit, tolerance=INNER)
        value, to_word, to_bit = cell_currents(cells, *_nodes(i, v, word, bit))
        size = jnp.max(jnp.abs(value - i))
        good = ~(size > (1 - 1e-4 * state.share) * state.size)  # also where it is NaN, which ends the loop
        taken = _State(i, value - i, to_word, to_bit, size, jnp.ones_like(size), state.steps)
        kept = jax.tree.map(partial(jnp.where, good), taken, state._replace(share=state.share / 2))
        return kept._replace(steps=state.steps + 1)

    none = jnp.zeros(cells.rest.shape[1:], v.dtype)
    one = jnp.ones_like(v[0])
    return jax.lax.while_loop(going_on, step, _State(none, none, none, none, one * jnp.inf, one, -one))


_settled = jax.custom_jvp(_newton)


@_settled.defjvp
def _settled_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[_State, _State]:
    """The implicit function theorem: `(1 + f_w R_word − f_b R_bit) di = df`, df at fixed currents."""
    state = _settled(*primals)

    def value(v: Array, cells: Cells, word: Array, bit: Array) -> Array:
        return cell_currents(cells, *_nodes(state.i, v, word, bit))[0]

    change = jax.linearize(value, *primals)[1](*tangents)
    moved = _linear(state, change, *primals[2:], tolerance=TOLERANCE)
    return state, jax.tree.map(jnp.zeros_like, state)._replace(i=moved)
