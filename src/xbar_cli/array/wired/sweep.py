"""The 1T-1R array with wires by sweeps: a fixed-point iteration on the currents of its cells, without a linear solver.

The circuit, its cells and its equation are those of `newton`: `i = f(G, w, b)`, `w = v − i R_word`, `b = R_bit i`. A sweep
evaluates all cells at their nodes and adds what is missing, `f − i`, to the currents. By itself that leaves the share of the
voltage that lines take. Nearly all of it is in the leading mode of each line (the next eigenvalue of R is a ninth of it), in
which the answer of the line is one number in closed form; with slopes that are the same at every read, a sweep leaves one
or two hundredths:

    δ_rc = m_rc − A_rc Σ_k u_k m_rk,     i ← i + δ + C_rc Σ_s t_s δ_sc,     m = f − i

with `A = λ f_w u / (1 + λ Σ u² f_w)` along word lines of mode u, and C alike along bit lines of mode t, with f_b and the
other sign.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from xbar_cli.array.wired.cells import PowerCells, cell_currents, cells_of, power_currents, powers_of
from xbar_cli.array.wired.newton import Wired, beyond_table, require_solved, scale_of
from xbar_cli.array.wired.rows import leading_mode
from xbar_cli.array.wires import Wires, shared
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.numerics import in_float64
from xbar_cli.types import Array, Conductances

TOLERANCE = 1e-6
"""Sweeps end where no cell's current is expected to differ from its equation by more than this share of the largest current
of the read, after one more correction."""
MOST_SWEEPS = 12
"""Sweeps at most; three are usual."""
ACCEPTED = 3e-6
"""The expected residual up to which a result may be used."""


class Answers(NamedTuple):
    """How lines answer to missing currents: modes of word lines and bit lines, and A and C of the module's formula."""

    word_mode: Float[Array, " cols"]
    bit_mode: Float[Array, " rows"]
    along_word: Float[Array, "rows cols"]
    along_bit: Float[Array, "rows cols"]


class Sweepable(NamedTuple):
    """One array, ready to be read.

    Attributes:
        cells: its cells.
        word: resistance that two devices of a word line share [ohm].
        bit: of a bit line.
        answers: of its lines.
    """

    cells: PowerCells
    word: Float[Array, "cols cols"]
    bit: Float[Array, "rows rows"]
    answers: Answers


def sweepable(
    surrogate: BitLineSeparable, g: Conductances, wires: Wires, *, there: Float[Array, "_rows _cols"]
) -> Sweepable:
    """What reads of one array share, computed in float64, in the dtype of `g`; arguments as for `newton.gated_wired`."""
    wires.require()
    return in_float64(_sweepable, g, surrogate, wires, there)


def _sweepable(g: Array, surrogate: BitLineSeparable, wires: Wires, there: Array) -> Sweepable:
    r_word, r_bit, r_source, r_neuron = wires.arrays(g.dtype)
    word = shared(g.shape[1], segment=r_word, end=r_source)
    bit = shared(g.shape[0], segment=r_bit, end=r_neuron)[::-1, ::-1]
    usable = jnp.all(g >= 0)  # not so for NaN
    cells = cells_of(surrogate, jnp.where(usable, g, jnp.nan), there)
    half = jnp.broadcast_to((surrogate.v_max + jnp.maximum(surrogate.v_min, 0)) / 2, g.shape)
    _, to_word, to_bit = cell_currents(cells, half, jnp.zeros_like(half))
    (u, strong), (t, stronger) = leading_mode(word, there.max(axis=0)), leading_mode(bit, there.max(axis=1))
    along_word = strong * to_word * u[None] / (1 + strong * to_word @ jnp.square(u))[:, None]
    along_bit = stronger * to_bit * t[:, None] / (1 - stronger * jnp.square(t) @ to_bit)[None]
    return Sweepable(powers_of(cells), word, bit, Answers(u, t, along_word, along_bit))


class _Sweeps(NamedTuple):
    """Where the sweeps are.

    Attributes:
        i: currents of all cells [A].
        missing: f(G, w, b) − i, what is missing in their equations [A].
        size: the largest that is missing, of each read [A].
        expected: the residual after one more correction, of each read.
        w, b: the nodes that this was taken at [V].
        sweeps: so far.
    """

    i: Array
    missing: Array
    size: Array
    expected: Array
    w: Array
    b: Array
    sweeps: Array


def swept(array: Sweepable, v: Float[Array, "reads rows"]) -> Wired:
    """Column currents of one array for a batch of inputs, in the precision of `array`.

    Not differentiable in reverse mode. The currents are those after one more correction than was measured: `residual` is the
    last that was, times the share that the sweep before it left, which is what the correction leaves but for a factor of two.

    Accuracy:
        Against Newton's method on random devices of the linear range, 64×64, V_g 0.8 to 1.0 V, up to 2.5 ohm a segment: see
        `benchmarks/wired_fold.py`.
    """
    source = v.T[:, None, :]

    def sweep(state: _Sweeps) -> _Sweeps:
        i = state.i + _answer(array.answers, state.missing)
        w = source - jnp.einsum("ck,rkn->rcn", array.word, i)
        b = jnp.einsum("rs,scn->rcn", array.bit, i)
        missing = power_currents(array.cells, w, b) - i
        size, sweeps = _largest(missing), state.sweeps + 1
        left = jnp.where(sweeps < 2, 1, size / scale_of(state.size))  # the first leaves less than the others
        expected = left * size / scale_of(jnp.maximum(_largest(i), size))
        return _Sweeps(i, missing, size, expected, w, b, sweeps)

    def going_on(state: _Sweeps) -> Array:
        return jnp.any(state.expected > TOLERANCE) & (state.sweeps < MOST_SWEEPS)

    none = jnp.zeros((*array.answers.along_word.shape, v.shape[0]), v.dtype)
    currents = power_currents(array.cells, source + none, none)
    size = _largest(currents)
    first = _Sweeps(none, currents, size, size / scale_of(size), source + none, none, jnp.zeros((), v.dtype))
    state = jax.lax.while_loop(going_on, sweep, first)
    beyond = beyond_table(array.cells, state.w, state.b, axis=(0, 1))
    current = jnp.sum(state.i, axis=0) + _answered(array.answers, state.missing)
    return Wired(current.T, state.expected, jnp.broadcast_to(state.sweeps, v.shape[:1]), beyond)


def _largest(values: Float[Array, "rows cols reads"]) -> Float[Array, " reads"]:
    return jnp.max(jnp.abs(values), axis=(0, 1))


def require_swept(found: Wired, *, tile: str, surrogate: BitLineSeparable) -> None:
    """Raise ModelError unless the currents that `swept` returned may be used; arguments as for `newton.require_solved`."""
    require_solved(found, tile=tile, surrogate=surrogate, accepted=ACCEPTED, steps="sweeps")


def _answer(answers: Answers, missing: Float[Array, "rows cols reads"]) -> Float[Array, "rows cols reads"]:
    """What the currents change by, the lines having answered in their leading modes [A]."""
    by_rows = _by_rows(answers, missing)
    return by_rows + answers.along_bit[..., None] * jnp.einsum("s,scn->cn", answers.bit_mode, by_rows)[None]


def _answered(answers: Answers, missing: Float[Array, "rows cols reads"]) -> Float[Array, "cols reads"]:
    """What the currents of columns change by: the sums of `_answer` along them [A]."""
    by_rows = _by_rows(answers, missing)
    along_bit = jnp.sum(answers.along_bit, axis=0)[:, None]
    return jnp.sum(by_rows, axis=0) + along_bit * jnp.einsum("s,scn->cn", answers.bit_mode, by_rows)


def _by_rows(answers: Answers, missing: Float[Array, "rows cols reads"]) -> Float[Array, "rows cols reads"]:
    return missing - answers.along_word[..., None] * jnp.einsum("k,rkn->rn", answers.word_mode, missing)[:, None]
