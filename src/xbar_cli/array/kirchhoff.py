"""How well node voltages of a crossbar obey Kirchhoff's current law: a check that knows nothing of how they were found."""

import jax.numpy as jnp
from jaxtyping import Float

from xbar_cli.array.wires import Resistance, Wires, is_zero
from xbar_cli.types import Array


def kirchhoff_residual(
    g: Float[Array, "rows cols"],
    v: Float[Array, " rows"],
    word: Float[Array, "rows cols"],
    bit: Float[Array, "rows cols"],
    wires: Wires,
) -> Float[Array, ""]:
    """The largest current that is left over at any node, over the sum of `|conductance|·|voltage|` at that node.

    This is the componentwise backward error: rounding alone leaves some 1e-16 times the number of terms, whatever
    the ratio of wires to devices.

    Args:
        g: device conductances [S].
        v: source voltages [V].
        word: word-line node voltages [V].
        bit: bit-line node voltages [V].
        wires: resistances.

    References:
        W. Oettli, W. Prager, Numerische Mathematik 6 (1964).
    """
    out = g * (word - bit)
    scale = jnp.abs(g) * (jnp.abs(word) + jnp.abs(bit))
    ground = jnp.zeros_like(bit[0])
    words = _left_over(word, v, out, scale, wires.word, wires.source)
    bits = _left_over(bit[::-1].T, ground, -out[::-1].T, scale[::-1].T, wires.bit, wires.neuron)
    return jnp.maximum(words, bits)


def _left_over(line: Array, v_end: Array, out: Array, scale: Array, r_wire: Resistance, r_end: Resistance) -> Array:
    """Of lines [lines positions] whose position 0 is tied to `v_end`; `out` leaves the line through the devices."""
    if is_zero(r_wire):
        line, out, scale = line[:, :1], jnp.sum(out, 1, keepdims=True), jnp.sum(scale, 1, keepdims=True)
        if is_zero(r_end):
            return jnp.max(jnp.abs(line[:, 0] - v_end))
    first = jnp.broadcast_to(1 / (jnp.asarray(r_wire, line.dtype) + jnp.asarray(r_end, line.dtype)), (1, 1))
    later = jnp.broadcast_to(1 / jnp.asarray(r_wire, line.dtype), (1, line.shape[1] - 1))
    link = jnp.concatenate([first, later], 1)
    before = jnp.concatenate([v_end[:, None], line[:, :-1]], 1)
    into = link * (before - line)
    size = link * (jnp.abs(before) + jnp.abs(line))
    onwards = jnp.pad(into[:, 1:], ((0, 0), (0, 1)))
    scale = scale + size + jnp.pad(size[:, 1:], ((0, 0), (0, 1)))
    return jnp.max(jnp.abs(into - onwards - out) / jnp.where(scale == 0, 1, scale))
