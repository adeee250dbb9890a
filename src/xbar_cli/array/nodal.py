"""Exact linear arrays with wire resistance: the effective conductances, and all node voltages for one input.

The circuit: word line i is driven at its left end through `r_source + r_word`; every further device is one `r_word` on.
Bit line j runs down with `r_bit` per segment and ends after its last device in `r_bit + r_neuron` to ground; the output
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

from xbar_cli.array.checks import require_memory, require_resistances, require_tile
from xbar_cli.array.dissection import RIGHT, TOP, dissect, leaves, most_elements, padded
from xbar_cli.array.kirchhoff import kirchhoff_residual
from xbar_cli.array.lines import CHUNK, fold_lines, line_voltages
from xbar_cli.array.lumped import lumped
from xbar_cli.array.wires import Resistance, is_zero
from xbar_cli.numerics import in_float64
from xbar_cli.types import Array, Conductances


class NodeVoltages(NamedTuple):
    """What stands at the two ends of every device [V], and the current at the end of every bit line [A]."""

    word: Float[Array, "rows cols"]
    bit: Float[Array, "rows cols"]
    current: Float[Array, " cols"]


def nodal(
    g: Conductances, *, r_word: Resistance, r_bit: Resistance, r_source: Resistance, r_neuron: Resistance
) -> tuple[Conductances, Float[Array, ""]]:
    """Fold an array with wires into its effective conductances: `I = V @ g_eff`, exactly.

    Solved in float64 whatever the precision of the process, and returned in the dtype of `g`. Differentiable in reverse
    mode in `g` (where it is 0 too) and in every resistance that is not a known 0. For many tiles use `jax.lax.map`
    (`jax.vmap` works, with all of them in memory at once).

    Args:
        g: device conductances [S]; 0 is an absent device. Below 0 (as variation can make them) is solved like any other
            value; no pivot is exchanged, so where negative ones dominate the residual says whether it went well.
        r_word: resistance of a word-line segment [ohm].
        r_bit: resistance of a bit-line segment [ohm].
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each bit line and ground [ohm].

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
    _check(g, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron)

    resistances = (r_word, r_bit, r_source, r_neuron)
    return in_float64(partial(_fold, zero=_known_zeros(*resistances)), g, resistances)


def solve(
    g: Conductances,
    v: Float[Array, " _"],
    *,
    r_word: Resistance,
    r_bit: Resistance,
    r_source: Resistance,
    r_neuron: Resistance,
) -> NodeVoltages:
    """All node voltages of an array for one input, for figures and power; `jax.vmap` over `v` factorises once.

    Args:
        g: device conductances [S].
        v: source voltages [V].
        r_word: resistance of a word-line segment [ohm].
        r_bit: resistance of a bit-line segment [ohm].
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each bit line and ground [ohm].

    Raises:
        ValueError: as `nodal`, or `v` has another length than `g` has rows.
    """
    _check(g, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron)
    if v.shape != g.shape[:1]:
        raise ValueError(f"v must have one voltage per row of g, got shape {tuple(v.shape)} for {tuple(g.shape)}")

    resistances = (r_word, r_bit, r_source, r_neuron)
    return in_float64(partial(_respond, zero=_known_zeros(*resistances)), g, v, resistances)


def _check(g: Array, **resistances: Resistance) -> None:
    require_tile("g", g)
    require_resistances(**resistances)
    rows, cols = g.shape
    dissected = 100 * most_elements(padded(rows), padded(cols))
    along = 16 * CHUNK * max(rows, cols) ** 2
    wires = [is_zero(resistances[name]) for name in ("r_word", "r_bit")]
    require_memory("g", g.shape, 0 if all(wires) else along if any(wires) else dissected)


def _known_zeros(r_word: Resistance, r_bit: Resistance, r_source: Resistance, r_neuron: Resistance) -> tuple[bool, ...]:
    """Which zeros select the case; behind a wire with resistance, that of source or neuron makes no difference."""
    no_word, no_bit = is_zero(r_word), is_zero(r_bit)
    return no_word, no_bit, no_word and is_zero(r_source), no_bit and is_zero(r_neuron)


def _fold(g: Array, resistances: tuple[Resistance, ...], *, zero: tuple[bool, ...]) -> tuple[Array, Array]:
    rows, cols = g.shape
    probe = jnp.linspace(0.5, 1.0, rows, dtype=g.dtype)
    g_eff, residual = _folded(*_with_absent(g, probe, zero), resistances, zero=zero)
    return g_eff[-rows:, :cols], residual


def _respond(g: Array, v: Array, resistances: tuple[Resistance, ...], *, zero: tuple[bool, ...]) -> NodeVoltages:
    rows, cols = g.shape
    word, bit, current = _responded(*_with_absent(g, v, zero), resistances, zero=zero)
    return NodeVoltages(word[-rows:, :cols], bit[-rows:, :cols], current[:cols])


def _with_absent(g: Array, v: Array, zero: tuple[bool, ...]) -> tuple[Array, Array]:
    """Absent devices, above and to the right where they change nothing: few sizes, of each of which one is compiled."""
    if zero[:2] == (True, True):
        return g, v
    above, right = padded(g.shape[0]) - g.shape[0], padded(g.shape[1]) - g.shape[1]
    return jnp.pad(g, ((above, 0), (0, right))), jnp.pad(v, (above, 0))


@partial(jax.jit, static_argnames="zero")
def _folded(g: Array, v: Array, resistances: tuple[Resistance, ...], *, zero: tuple[bool, ...]) -> tuple[Array, Array]:
    values = _values(resistances, zero, g.dtype)
    g_eff, word, bit = _solved(g, v, *values)
    fixed = tuple(r if is_zero(r) else jax.lax.stop_gradient(r) for r in values)
    return g_eff, _residual(*jax.lax.stop_gradient((g, v, g_eff, word, bit)), fixed)


@partial(jax.jit, static_argnames="zero")
def _responded(
    g: Array, v: Array, resistances: tuple[Resistance, ...], *, zero: tuple[bool, ...]
) -> tuple[Array, Array, Array]:
    g_eff, word, bit = _solved(g, v, *_values(resistances, zero, g.dtype))
    return word, bit, v @ g_eff


def _values(resistances: tuple[Resistance, ...], zero: tuple[bool, ...], dtype: DTypeLike) -> tuple[Resistance, ...]:
    """The resistances as arrays, but for those known to be 0."""
    return tuple(0.0 if known else jnp.asarray(r, dtype) for r, known in zip(resistances, zero, strict=True))


def _solved(
    g: Array, v: Array, r_word: Resistance, r_bit: Resistance, r_source: Resistance, r_neuron: Resistance
) -> tuple[Array, Array, Array]:
    """G_eff, and the voltages of the word-line and bit-line nodes for the source voltages `v`."""
    match is_zero(r_word), is_zero(r_bit):
        case True, True:
            return _without_wires(g, v, r_source, r_neuron)
        case True, False:
            return _without_word_wires(g, v, *(jnp.asarray(r, g.dtype) for r in (r_bit, r_source, r_neuron)))
        case False, True:
            return _without_bit_wires(g, v, *(jnp.asarray(r, g.dtype) for r in (r_word, r_source, r_neuron)))
        case _:
            return _with_wires(g, v, *(jnp.asarray(r, g.dtype) for r in (r_word, r_bit, r_source, r_neuron)))


def _with_wires(
    g: Array, v: Array, r_word: Array, r_bit: Array, r_source: Array, r_neuron: Array
) -> tuple[Array, Array, Array]:
    rows, cols = g.shape
    word = jnp.full(cols, 1 / r_word).at[0].set(1 / (r_word + r_source))
    bit = jnp.full(rows, 1 / r_bit).at[-1].set(1 / (r_bit + r_neuron))
    g_eff, expand = dissect(leaves(g, word, bit))
    volts = expand(v)
    return g_eff, volts[..., RIGHT], volts[..., TOP]


def _without_word_wires(
    g: Array, v: Array, r_bit: Array, r_source: Array, r_neuron: Array
) -> tuple[Array, Array, Array]:
    segment, end = 1 / r_bit, 1 / (r_bit + r_neuron)
    g_eff, spread = fold_lines(g, segment=segment, end=end, r_source=r_source)
    word = jnp.broadcast_to((spread @ v)[:, None], g.shape)
    return g_eff, word, line_voltages(g, word, jnp.zeros_like(g[0]), segment=segment, end=end)


def _without_bit_wires(
    g: Array, v: Array, r_word: Array, r_source: Array, r_neuron: Array
) -> tuple[Array, Array, Array]:
    """The same array with inputs and outputs exchanged: transposed, both orders reversed."""
    segment, end = 1 / r_word, 1 / (r_word + r_source)
    turned, _ = fold_lines(g[::-1, ::-1].T, segment=segment, end=end, r_source=r_neuron)
    g_eff = turned[::-1, ::-1].T
    bit = jnp.broadcast_to((r_neuron * (v @ g_eff))[None], g.shape)
    word = line_voltages(g[:, ::-1].T, bit[:, ::-1].T, v, segment=segment, end=end).T[:, ::-1]
    return g_eff, word, bit


def _without_wires(g: Array, v: Array, r_source: Resistance, r_neuron: Resistance) -> tuple[Array, Array, Array]:
    g_eff = lumped(g, r_source=r_source, r_neuron=r_neuron)
    bit = jnp.asarray(r_neuron, g.dtype) * (v @ g_eff)
    r = jnp.asarray(r_source, g.dtype)
    word = (v + r * (g @ bit)) / (1 + r * jnp.sum(g, 1))
    return g_eff, jnp.broadcast_to(word[:, None], g.shape), jnp.broadcast_to(bit[None], g.shape)


def _residual(g: Array, v: Array, g_eff: Array, word: Array, bit: Array, resistances: tuple[Resistance, ...]) -> Array:
    r_word, r_bit, r_source, r_neuron = resistances
    nodes = kirchhoff_residual(g, v, word, bit, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron)
    through = jnp.sum(g * (word - bit), 0)
    scale = jnp.sum(jnp.abs(g) * (jnp.abs(word) + jnp.abs(bit)), 0)
    return jnp.maximum(nodes, jnp.max(jnp.abs(through - v @ g_eff) / jnp.where(scale == 0, 1, scale)))
