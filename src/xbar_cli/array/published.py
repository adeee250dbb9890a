"""Arrays with source and neuron resistance and ideal wires: the closed form that was published, and estimates made of it.

The source sees each device in series with its neuron alone; `lumped` is the exact solution of the same circuit.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from xbar_cli.array.checks import require_same_shape, require_tile
from xbar_cli.array.tiling import at_once
from xbar_cli.array.wires import Folded, Wires, exactly
from xbar_cli.types import Array, Conductances


def published(g: Conductances, wires: Wires) -> Folded:
    """The published closed form for one array; exact when either resistance is 0.

    `G_eff,ij = G_ij / ((1 + R_s Σ_j G_ij/(1 + R_n G_ij)) (1 + R_n Σ_i G_ij))`: the source sees each device in series
    with its neuron alone. Conductances `g` in S; the wires' own resistances must be 0. Raises as `lumped`.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4), for an array on its own.
    """
    return published_dual(g, jnp.zeros_like(g), wires)


def published_dual(g_pos: Conductances, g_neg: Float[Array, "_ _"], wires: Wires) -> Folded:
    """The published closed form for the dual arrays: eq. (4), signed; differentiable, in the dtype of its arguments.

    Args:
        g_pos: conductances of the array driven with +V [S].
        g_neg: conductances of the array driven with −V [S].
        wires: resistances, those of the wires 0; the neurons are those of pairs of bit lines.

    Raises:
        ValueError: as `lumped_dual`.

    Accuracy:
        Within an NRMSD of 0.005 of `lumped_dual` over the paper's ratios of resistances.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4).
    """
    require_tile("g_pos", g_pos)
    require_same_shape("g_pos", g_pos, "g_neg", g_neg)
    _, _, source, neuron = wires.require_ends().arrays(g_pos.dtype)

    def divided(g: Array) -> Array:
        return g / (1 + source * jnp.sum(g / (1 + neuron * g), 1, keepdims=True))

    drawn = 1 + neuron * jnp.sum(g_pos + g_neg, 0, keepdims=True)
    return exactly((divided(g_pos) - divided(g_neg)) / drawn)


def published_signed(g: Conductances, wires: Wires, *, tile: tuple[int, int] | None = None) -> Conductances:
    """`published_dual(*halves(g))` of every tile in half the time, with the same values and gradients: for steps of a training.

    Args:
        g: signed conductances [S], positive ones in the array driven with +V, the others in the one driven with −V.
        wires: resistances, those of the wires 0; the neurons are those of pairs of bit lines.
        tile: rows and outputs of one pair of arrays, whose currents are added; None for arrays as large as `g`.

    Raises:
        ValueError: as `lumped`.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4).
    """
    require_tile("g", g)
    _, _, source, neuron = wires.require_ends().arrays(g.dtype)
    return at_once(lambda blocks: _published_signed(blocks, source, neuron), g, tile=tile)


def published_columns(g: Conductances, wires: Wires, *, tile: tuple[int, int] | None = None) -> Conductances:
    """The published closed form for weights on neighbouring columns: one source drives both, each has its own neuron.

    Resistive wires count as a third of a line's resistance at its end: the mean drop along an evenly loaded line is that
    of a third of it under the whole current. An estimate for `nodal`, meant for its gradient.

    Args:
        g: signed conductances [S], positive ones in the first of two columns, the others in the second.
        wires: resistances.
        tile: rows and outputs of one array, as for `published_signed`.

    Raises:
        ValueError: as `lumped`.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4).
    """
    require_tile("g", g)
    rows, outputs = (min(a, b) for a, b in zip(tile or g.shape, g.shape, strict=True))
    word, bit, source, neuron = wires.require().arrays(g.dtype)
    source, neuron = source + word * (2 * outputs / 3), neuron + bit * (rows / 3)

    def seen(g: Array) -> Array:
        size = g * jnp.sign(g)  # unlike that of abs, its gradient at 0 is 0
        row = 1 + source * _along(size / (1 + neuron * size))
        both, difference = _down(size), _down(g)
        first, second = (1 / (1 + neuron * (both + way * difference) / 2) for way in (1, -1))
        return g / row * jnp.where(g > 0, first, jnp.where(g < 0, second, (first + second) / 2))

    return at_once(seen, g, tile=tile)


def _down(x: Array) -> Array:
    """Sums along the bit lines of `[rows columns]` or `[tiles down, rows, tiles across, columns]`."""
    return jnp.sum(x, x.ndim // 2 - 1, keepdims=True)


def _along(x: Array) -> Array:
    """Sums along the word lines."""
    return jnp.sum(x, -1, keepdims=True)


@jax.custom_vjp
def _published_signed(g: Array, source: Array, neuron: Array) -> Array:
    return _published_forward(g, source, neuron)[0]


def _published_forward(g: Array, source: Array, neuron: Array) -> tuple[Array, tuple[Array, ...]]:
    """Eq. (4) with `a`, `b` the dividers of the two sources of a row and `c` that of a column's neuron."""
    seen = g / (1 + neuron * jnp.abs(g))
    plus, minus = _by_sign(seen, jnp.abs(seen))
    drawn = _down(jnp.abs(g))
    a, b, c = 1 / (1 + source * plus), 1 / (1 + source * minus), 1 / (1 + neuron * drawn)
    return g * jnp.where(g > 0, a, b) * c, (g, source, neuron, plus, minus, drawn, a, b, c)


def _published_backward(kept: tuple[Array, ...], cotangent: Array) -> tuple[Array, Array, Array]:
    g, source, neuron, plus, minus, drawn, a, b, c = kept
    t = cotangent * c
    flow = t * g
    by_a, by_b = _by_sign(flow, flow * jnp.sign(g))
    by_a, by_b = by_a * a**2, -by_b * b**2  # how fast the loss falls with the rows' 1/a and 1/b
    by_c = _down(flow * jnp.where(g > 0, a, b)) * c
    bent = 1 / (1 + neuron * jnp.abs(g)) ** 2
    up, down = t * a - bent * (by_a * source) - by_c * neuron, t * b + bent * (by_b * source) + by_c * neuron
    to_g = jnp.where(g > 0, up, jnp.where(g < 0, down, (up + down) / 2))
    to_source = -jnp.sum(by_a * plus + by_b * minus)
    to_neuron = source * jnp.sum(g**2 * bent * jnp.where(g > 0, by_a, by_b)) - jnp.sum(by_c * drawn)
    return to_g, to_source, to_neuron


def _by_sign(signed: Array, unsigned: Array) -> tuple[Array, Array]:
    """Row sums of the positive and of the negative terms, the latter with their sign turned.

    Plain sums are what XLA computes fastest on a CPU.
    """
    both, difference = _along(unsigned), _along(signed)
    return (both + difference) / 2, (both - difference) / 2


_published_signed.defvjp(_published_forward, _published_backward)
