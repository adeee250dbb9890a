"""Rows of 1T-1R arrays whose bit lines are held: what their cells pass at a few source voltages, word lines and all."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from xbar_cli.array.wired.cells import Cells, cells_of
from xbar_cli.array.wires import Wires, shared
from xbar_cli.device.transistor import BitLineSeparable, series
from xbar_cli.types import Array

NODES = 10
"""Source voltages at which rows are solved: Chebyshev nodes of the drive."""
SWEEPS = 8
"""Fixed-point steps of a row; each leaves the share of the voltage that the line takes, a few percent."""
REACH = 0.5
"""Slopes are taken between bit lines at 0 V and at this share of what half the drive on all rows would raise them to."""
STEPS = 40
"""Of the power iteration for the leading mode; the next eigenvalue is a ninth of it at most."""


class HeldRows(NamedTuple):
    """Cells whose bit lines are held: `rest + (w − b) Σ_n ratio_n T_n(w)`; `ratio` [orders rows cols], `b` [rows 1]."""

    ratio: Array
    rest: Array
    b: Array
    inputs: tuple[Array, Array]


class Response(NamedTuple):
    """Currents at the nodes of the drive with bit lines at 0 V, their slopes to the mode, [nodes rows cols]; mean [S]."""

    current: Array
    slope: Array
    mean: Array


def bit_mode(there: Float[Array, " rows"], wires: Wires) -> tuple[Array, Array]:
    """Shape and strength [ohm] of the leading mode of the resistance that the currents of a bit line share."""
    _, r_bit, _, r_neuron = wires.arrays(there.dtype)
    places = jnp.asarray(shared(there.shape[0], segment=1.0, end=0.0)[::-1, ::-1], there.dtype)
    return leading_mode(r_neuron + r_bit * places, there)


def leading_mode(resistance: Float[Array, "n n"], there: Float[Array, " n"]) -> tuple[Array, Array]:
    """Shape and strength [ohm] of the leading mode of a line's shared resistance; 1 in `there` where a device is, else 0."""
    resistance = there[:, None] * resistance * there[None]

    def step(_: object, shape: Array) -> Array:
        shape = resistance @ shape
        return shape / jnp.maximum(jnp.linalg.norm(shape), jnp.finfo(there.dtype).tiny)

    shape = jax.lax.stop_gradient(jax.lax.fori_loop(0, STEPS, step, there))
    return shape, shape @ resistance @ shape


def drive_nodes(v_max: Array) -> Array:
    """The source voltages [V]: Chebyshev nodes between 0 and the largest."""
    return v_max * jnp.asarray((1 - np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)) / 2, v_max.dtype)


def respond(surrogate: BitLineSeparable, g: Array, there: Array, wires: Wires, v_max: Array) -> Response:
    """Solve all rows of an array at the nodes of the drive; `there` is 1 where a cell is, 0 where the array ends."""
    cells = cells_of(surrogate, g, there)
    nodes, (shape, strength) = drive_nodes(v_max), bit_mode(there[:, 0], wires)
    r_word, _, r_source, _ = wires.arrays(g.dtype)
    word = shared(g.shape[1], segment=r_word, end=r_source)
    down = _held(cells, jnp.zeros_like(shape))
    ideal = jax.vmap(lambda v: _solved(down, v, word, sweeps=0))(jnp.append(nodes, 0))
    mean = jnp.tensordot(nodes, ideal[:-1] - ideal[-1:], 1) / jnp.sum(jnp.square(nodes))
    reach = REACH * strength * jnp.max(shape @ ideal[NODES // 2])
    reach = jax.lax.stop_gradient(jnp.maximum(reach, 1e-6))
    up = _held(cells, reach * shape)
    current, raised = (jax.vmap(lambda v, row=row: _solved(row, v, word, sweeps=SWEEPS))(nodes) for row in (down, up))
    return Response(current, (raised - current) / reach, mean)


def _held(cells: Cells, b: Float[Array, " rows"]) -> HeldRows:
    """The cells with bit lines at the voltages `b` of their rows [V]."""
    y = 2 * (jnp.clip(b, *cells.lines) - cells.lines[0]) / (cells.lines[1] - cells.lines[0]) - 1
    orders = cells.rest.shape[0]
    at = series(y, jnp.eye(orders, dtype=y.dtype)).T[:, :, None]
    return HeldRows(jnp.sum(cells.ratio * at[None], 1), jnp.sum(cells.rest * at, 0), b[:, None], cells.inputs)


def _solved(row: HeldRows, v: Array, word: Array, *, sweeps: int) -> Float[Array, "rows cols"]:
    """The currents of all cells whose sources are at `v`, by fixed-point steps from ideal word lines [A]."""

    def currents(w: Array) -> Array:
        inside = jnp.clip(w, *row.inputs)
        x = 2 * (inside - row.inputs[0]) / (row.inputs[1] - row.inputs[0]) - 1

        def add(carry: tuple[Array, Array, Array], coefficient: Array) -> tuple[tuple[Array, Array, Array], None]:
            total, now, after = carry
            return (total + coefficient * now, after, 2 * x * after - now), None

        ratio = jax.lax.scan(add, (jnp.zeros_like(x), jnp.ones_like(x), x), row.ratio)[0][0]
        return row.rest + (w - row.b) * ratio

    first = currents(jnp.full_like(row.rest, 1) * v)
    return jax.lax.fori_loop(0, sweeps, lambda _, i: currents(v - i @ word), first)
