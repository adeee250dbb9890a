"""Exact linear arrays with wire resistance: the effective conductances, and all node voltages for one input.

The circuit: word line i is driven at its left end through `source + word`; every further device is one `word` on.
Bit line j runs down with `bit` per segment and ends after its last device in `bit + neuron` to ground; the output
is the current into ground. A device of conductance 0 is absent.

A *known* resistance of 0 (a Python number, or an array outside `jit` and `grad`) selects the case without those wires;
a traced resistance is taken as positive, and as wire resistance it must be: at 0 the result and the residual are NaN.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from xbar_cli.array.checks import require_memory, require_tile
from xbar_cli.array.dissection import RIGHT, TOP, dissect, leaves, most_elements, padded
from xbar_cli.array.kirchhoff import kirchhoff_residual
from xbar_cli.array.lines import CHUNK, fold_lines, line_voltages
from xbar_cli.array.lumped import lumped
from xbar_cli.array.wires import Folded, Wires, is_zero
from xbar_cli.numerics import in_float64
from xbar_cli.types import Array, Conductances


class NodeVoltages(NamedTuple):
    """What stands at the two ends of every device [V], and the current at the end of every bit line [A]."""

    word: Float[Array, "rows cols"]
    bit: Float[Array, "rows cols"]
    current: Float[Array, " cols"]


def nodal(g: Conductances, wires: Wires) -> Folded:
    """Fold an array with wires into its effective conductances: `I = V @ g_eff`, exactly.

    Solved in float64 whatever the precision of the process, and returned in the dtype of `g`. Differentiable in reverse
    mode in `g` (where it is 0 too) and in every resistance that is not a known 0. For many tiles use `jax.lax.map`
    (`jax.vmap` works, with all of them in memory at once).

    Args:
        g: device conductances [S]; 0 is an absent device. Below 0 (as variation can make them) is solved like any other
            value; no pivot is exchanged, so where negative ones dominate the residual says whether it went well.
        wires: resistances.

    Returns:
        g_eff [S], and a residual: the larger of the componentwise backward error of Kirchhoff's current law at all nodes
        and the relative difference between the currents of those nodes and `v @ g_eff`, for a test input of all rows.
        Rounding alone leaves less than 1e-12; NaN or a larger value means that the result is not to be used.

    Raises:
        ValueError: `g` is not a matrix, or a known resistance is negative or not finite.
        ModelError: `g` is too large for the memory.

    Accuracy:
        Element by element within 1e-13 of a sparse LU in node voltages and wire currents up to 64×64 (conductance ratios
        to 1e6, wires of 1e-9…10 ohm); within 2e-12 of one in node voltages alone at 256×256, where that one rounds more.
    """
    _check(g, wires)
    return in_float64(partial(_fold, zero=_known_zeros(wires)), g, wires)


def solve(g: Conductances, v: Float[Array, " _"], wires: Wires) -> NodeVoltages:
    """All node voltages of an array for one input, for figures and power; `jax.vmap` over `v` factorises once.

    Args:
        g: device conductances [S].
        v: source voltages [V].
        wires: resistances.

    Raises:
        ValueError: as `nodal`, or `v` has another length than `g` has rows.
    """
    _check(g, wires)
    if v.shape != g.shape[:1]:
        raise ValueError(f"v must have one voltage per row of g, got shape {tuple(v.shape)} for {tuple(g.shape)}")
    return in_float64(partial(_respond, zero=_known_zeros(wires)), g, v, wires)


def _check(g: Array, wires: Wires) -> None:
    require_tile("g", g)
    wires.require()
    rows, cols = g.shape
    dissected = 100 * most_elements(padded(rows), padded(cols))
    along = 16 * CHUNK * max(rows, cols) ** 2
    ideal = [is_zero(wires.word), is_zero(wires.bit)]
    require_memory("g", g.shape, 0 if all(ideal) else along if any(ideal) else dissected)


def _known_zeros(wires: Wires) -> tuple[bool, ...]:
    """Which zeros select the case; behind a wire with resistance, that of source or neuron makes no difference."""
    no_word, no_bit = is_zero(wires.word), is_zero(wires.bit)
    return no_word, no_bit, no_word and is_zero(wires.source), no_bit and is_zero(wires.neuron)


def _fold(g: Array, wires: Wires, *, zero: tuple[bool, ...]) -> Folded:
    rows, cols = g.shape
    probe = jnp.linspace(0.5, 1.0, rows, dtype=g.dtype)
    g_eff, residual = _folded(*_with_absent(g, probe, zero), wires, zero=zero)
    return Folded(g_eff[-rows:, :cols], residual)


def _respond(g: Array, v: Array, wires: Wires, *, zero: tuple[bool, ...]) -> NodeVoltages:
    rows, cols = g.shape
    word, bit, current = _responded(*_with_absent(g, v, zero), wires, zero=zero)
    return NodeVoltages(word[-rows:, :cols], bit[-rows:, :cols], current[:cols])


def _with_absent(g: Array, v: Array, zero: tuple[bool, ...]) -> tuple[Array, Array]:
    """Absent devices, above and to the right where they change nothing: few sizes, of each of which one is compiled."""
    if zero[:2] == (True, True):
        return g, v
    above, right = padded(g.shape[0]) - g.shape[0], padded(g.shape[1]) - g.shape[1]
    return jnp.pad(g, ((above, 0), (0, right))), jnp.pad(v, (above, 0))


@partial(jax.jit, static_argnames="zero")
def _folded(g: Array, v: Array, wires: Wires, *, zero: tuple[bool, ...]) -> tuple[Array, Array]:
    values = _values(wires, zero, g.dtype)
    g_eff, word, bit = _solved(g, v, values)
    fixed = jax.tree.map(lambda r: r if is_zero(r) else jax.lax.stop_gradient(r), values)
    return g_eff, _residual(*jax.lax.stop_gradient((g, v, g_eff, word, bit)), fixed)


@partial(jax.jit, static_argnames="zero")
def _responded(g: Array, v: Array, wires: Wires, *, zero: tuple[bool, ...]) -> tuple[Array, Array, Array]:
    g_eff, word, bit = _solved(g, v, _values(wires, zero, g.dtype))
    return word, bit, v @ g_eff


def _values(wires: Wires, zero: tuple[bool, ...], dtype: DTypeLike) -> Wires:
    """The resistances as arrays, but for those known to be 0."""
    values = zip(jax.tree.leaves(wires), zero, strict=True)
    return Wires(*(0.0 if known else jnp.asarray(r, dtype) for r, known in values))


def _solved(g: Array, v: Array, wires: Wires) -> tuple[Array, Array, Array]:
    """G_eff, and the voltages of the word-line and bit-line nodes for the source voltages `v`."""
    match is_zero(wires.word), is_zero(wires.bit):
        case True, True:
            return _without_wires(g, v, wires)
        case True, False:
            return _without_word_wires(g, v, wires)
        case False, True:
            return _without_bit_wires(g, v, wires)
        case _:
            return _with_wires(g, v, wires)


def _with_wires(g: Array, v: Array, wires: Wires) -> tuple[Array, Array, Array]:
    rows, cols = g.shape
    r_word, r_bit, r_source, r_neuron = wires.arrays(g.dtype)
    word = jnp.full(cols, 1 / r_word).at[0].set(1 / (r_word + r_source))
    bit = jnp.full(rows, 1 / r_bit).at[-1].set(1 / (r_bit + r_neuron))
    g_eff, expand = dissect(leaves(g, word, bit))
    volts = expand(v)
    return g_eff, volts[..., RIGHT], volts[..., TOP]


def _without_word_wires(g: Array, v: Array, wires: Wires) -> tuple[Array, Array, Array]:
    _, r_bit, r_source, r_neuron = wires.arrays(g.dtype)
    segment, end = 1 / r_bit, 1 / (r_bit + r_neuron)
    g_eff, spread = fold_lines(g, segment=segment, end=end, r_source=r_source)
    word = jnp.broadcast_to((spread @ v)[:, None], g.shape)
    return g_eff, word, line_voltages(g, word, jnp.zeros_like(g[0]), segment=segment, end=end)


def _without_bit_wires(g: Array, v: Array, wires: Wires) -> tuple[Array, Array, Array]:
    """The same array with inputs and outputs exchanged: transposed, both orders reversed."""
    r_word, _, r_source, r_neuron = wires.arrays(g.dtype)
    segment, end = 1 / r_word, 1 / (r_word + r_source)
    turned, _ = fold_lines(g[::-1, ::-1].T, segment=segment, end=end, r_source=r_neuron)
    g_eff = turned[::-1, ::-1].T
    bit = jnp.broadcast_to((r_neuron * (v @ g_eff))[None], g.shape)
    word = line_voltages(g[:, ::-1].T, bit[:, ::-1].T, v, segment=segment, end=end).T[:, ::-1]
    return g_eff, word, bit


def _without_wires(g: Array, v: Array, wires: Wires) -> tuple[Array, Array, Array]:
    _, _, r_source, r_neuron = wires.arrays(g.dtype)
    g_eff = lumped(g, wires).g_eff
    bit = r_neuron * (v @ g_eff)
    word = (v + r_source * (g @ bit)) / (1 + r_source * jnp.sum(g, 1))
    return g_eff, jnp.broadcast_to(word[:, None], g.shape), jnp.broadcast_to(bit[None], g.shape)


def _residual(g: Array, v: Array, g_eff: Array, word: Array, bit: Array, wires: Wires) -> Array:
    nodes = kirchhoff_residual(g, v, word, bit, wires)
    through = jnp.sum(g * (word - bit), 0)
    scale = jnp.sum(jnp.abs(g) * (jnp.abs(word) + jnp.abs(bit)), 0)
    return jnp.maximum(nodes, jnp.max(jnp.abs(through - v @ g_eff) / jnp.where(scale == 0, 1, scale)))
