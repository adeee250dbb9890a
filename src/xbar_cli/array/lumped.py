"""Arrays with source and neuron resistance and ideal wires: the exact fold, and the closed form that was published.

One array has one set of sources and one set of neurons; the *dual* arrays hold the positive and the negative weights,
are driven with +V and −V through sources of their own and share the neuron. Every function returns one matrix with
`I = V @ g_eff`, signed for the dual arrays.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Float

from xbar_cli.array.checks import require_resistances, require_same_shape, require_tile
from xbar_cli.array.inverse import inverse
from xbar_cli.array.wires import Resistance, is_zero
from xbar_cli.numerics import in_float64
from xbar_cli.types import Array, Conductances


def lumped(g: Conductances, *, r_source: Resistance, r_neuron: Resistance) -> Conductances:
    """The exact array: `G_eff = D G (1 + R_n K)⁻¹`, `D = diag(1 + R_s G 1)⁻¹`, `K = diag(Gᵀ 1) − R_s Gᵀ D G`.

    Computed in float64 and returned in the dtype of `g`; differentiable in `g` and in both resistances, at 0 too.

    Args:
        g: device conductances [S]; 0 is an absent device, below 0 is accepted.
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each bit line and ground [ohm].

    Raises:
        ValueError: `g` is not a matrix, or a known resistance is negative or not finite.

    References:
        Kirchhoff's law at both ends of every device; I. Chakraborty, D. Roy, K. Roy, "Technology Aware Training in
        Memristive Neuromorphic Systems for Nonideal Synaptic Crossbars", eqs. (1)-(4), approximate it (`published`).
    """
    require_tile("g", g)
    require_resistances(r_source=r_source, r_neuron=r_neuron)

    return in_float64(partial(_fold, ideal_neuron=is_zero(r_neuron)), (g,), r_source, r_neuron)


def lumped_dual(
    g_pos: Conductances, g_neg: Float[Array, "_ _"], *, r_source: Resistance, r_neuron: Resistance
) -> Conductances:
    """The exact dual arrays that share the neuron: `G_eff = (D⁺G⁺ − D⁻G⁻)(1 + R_n (K⁺ + K⁻))⁻¹`, signed.

    Args:
        g_pos: conductances of the array driven with +V [S].
        g_neg: conductances of the array driven with −V [S].
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each pair of bit lines and ground [ohm].

    Raises:
        ValueError: as `lumped`, or the two shapes disagree.
    """
    _require_dual(g_pos, g_neg, r_source, r_neuron)

    return in_float64(partial(_fold, ideal_neuron=is_zero(r_neuron)), (g_pos, g_neg), r_source, r_neuron)


def published(g: Conductances, *, r_source: Resistance, r_neuron: Resistance) -> Conductances:
    """The published closed form for one array; exact when either resistance is 0.

    `G_eff,ij = G_ij / ((1 + R_s Σ_j G_ij/(1 + R_n G_ij)) (1 + R_n Σ_i G_ij))`: the source sees each device in series
    with its neuron alone.

    Args:
        g: device conductances [S].
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each bit line and ground [ohm].

    Raises:
        ValueError: as `lumped`.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4), for an array on its own.
    """
    return published_dual(g, jnp.zeros_like(g), r_source=r_source, r_neuron=r_neuron)


def published_dual(
    g_pos: Conductances, g_neg: Float[Array, "_ _"], *, r_source: Resistance, r_neuron: Resistance
) -> Conductances:
    """The published closed form for the dual arrays: eq. (4), signed; differentiable, in the dtype of its arguments.

    Args:
        g_pos: conductances of the array driven with +V [S].
        g_neg: conductances of the array driven with −V [S].
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each pair of bit lines and ground [ohm].

    Raises:
        ValueError: as `lumped_dual`.

    Accuracy:
        Within an NRMSD of 0.005 of `lumped_dual` over the paper's ratios of resistances.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4).
    """
    _require_dual(g_pos, g_neg, r_source, r_neuron)
    source, neuron = jnp.asarray(r_source, g_pos.dtype), jnp.asarray(r_neuron, g_pos.dtype)

    def divided(g: Array) -> Array:
        return g / (1 + source * jnp.sum(g / (1 + neuron * g), 1, keepdims=True))

    return (divided(g_pos) - divided(g_neg)) / (1 + neuron * jnp.sum(g_pos + g_neg, 0, keepdims=True))


def halves(g: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Positive and negative parts of signed conductances or weights.

    At 0 the gradient is shared by the two (that of `maximum` is 1/2 to each side), so that their difference has slope 1
    everywhere: an absent device can come back.
    """
    return jnp.maximum(g, 0), jnp.maximum(-g, 0)


def published_signed(
    g: Conductances, *, r_source: Resistance, r_neuron: Resistance, tile: tuple[int, int] | None = None
) -> Conductances:
    """`published_dual(*halves(g))` of every tile in half the time, with the same values and gradients: for steps of a training.

    Args:
        g: signed conductances [S], positive ones in the array driven with +V, the others in the one driven with −V.
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each pair of bit lines and ground [ohm].
        tile: rows and outputs of one pair of arrays, whose currents are added; None for arrays as large as `g`.

    Raises:
        ValueError: as `lumped`.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4).
    """
    require_tile("g", g)
    require_resistances(r_source=r_source, r_neuron=r_neuron)
    ends = jnp.asarray(r_source, g.dtype), jnp.asarray(r_neuron, g.dtype)
    return _by_tiles(lambda blocks: _published_signed(blocks, *ends), g, tile)


def published_columns(
    g: Conductances,
    *,
    r_source: Resistance,
    r_neuron: Resistance,
    r_wire: Resistance = 0.0,
    tile: tuple[int, int] | None = None,
) -> Conductances:
    """The published closed form for weights on neighbouring columns: one source drives both, each has its own neuron.

    Resistive wires count as a third of a line's resistance at its end: the mean drop along an evenly loaded line is that
    of a third of it under the whole current. An estimate for `nodal`, meant for its gradient.

    Args:
        g: signed conductances [S], positive ones in the first of two columns, the others in the second.
        r_source: resistance of each source [ohm].
        r_neuron: resistance between each bit line and ground [ohm].
        r_wire: resistance of a wire between two cells [ohm].
        tile: rows and outputs of one array, as for `published_signed`.

    Raises:
        ValueError: as `lumped`.

    References:
        Chakraborty, Roy, Roy, eqs. (1)-(4).
    """
    require_tile("g", g)
    require_resistances(r_source=r_source, r_neuron=r_neuron, r_wire=r_wire)
    rows, outputs = (min(a, b) for a, b in zip(tile or g.shape, g.shape, strict=True))
    source, neuron, wire = (jnp.asarray(r, g.dtype) for r in (r_source, r_neuron, r_wire))
    source, neuron = source + wire * (2 * outputs / 3), neuron + wire * (rows / 3)

    def seen(g: Array) -> Array:
        size = g * jnp.sign(g)  # unlike that of abs, its gradient at 0 is 0
        row = 1 + source * _along(size / (1 + neuron * size))
        both, difference = _down(size), _down(g)
        first, second = (1 / (1 + neuron * (both + way * difference) / 2) for way in (1, -1))
        return g / row * jnp.where(g > 0, first, jnp.where(g < 0, second, (first + second) / 2))

    return _by_tiles(seen, g, tile)


def _by_tiles(model: Callable[[Array], Array], g: Array, tile: tuple[int, int] | None) -> Array:
    """A model of `[rows columns]` or `[tiles down, rows, tiles across, columns]` on the tiles of a layer."""
    rows, cols = g.shape
    height, width = (min(a, b) for a, b in zip(tile or g.shape, g.shape, strict=True))
    if (height, width) == g.shape:
        return model(g)
    blocks = jnp.pad(g, ((0, -rows % height), (0, -cols % width)))
    down, across = blocks.shape
    return model(blocks.reshape(down // height, height, across // width, width)).reshape(down, across)[:rows, :cols]


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


def of_pairs(
    dual: Callable[[Conductances, Array], Conductances], g: Float[Array, "rows pairs"]
) -> Float[Array, "rows pairs"]:
    """A dual model on interleaved columns, positive arrays' even and negative arrays' odd: the signed matrix in the even ones.

    The difference of each pair is then what the shared neuron gives, as for columns with neurons of their own.
    """
    signed = dual(g[:, 0::2], g[:, 1::2])
    return jnp.stack([signed, jnp.zeros_like(signed)], axis=-1).reshape(g.shape)


def interleaved(
    fold: Callable[[Conductances], tuple[Array, Array]], g_pos: Conductances, g_neg: Float[Array, "_ _"]
) -> Conductances:
    """A model of one array on the two halves as neighbouring columns with neurons of their own: the signed matrix."""
    folded, _ = fold(jnp.stack([g_pos, g_neg], axis=-1).reshape(g_pos.shape[0], -1))
    return folded[:, 0::2] - folded[:, 1::2]


def _require_dual(g_pos: Array, g_neg: Array, r_source: Resistance, r_neuron: Resistance) -> None:
    require_tile("g_pos", g_pos)
    require_same_shape("g_pos", g_pos, "g_neg", g_neg)
    require_resistances(r_source=r_source, r_neuron=r_neuron)


@partial(jax.jit, static_argnames="ideal_neuron")
def _fold(arrays: tuple[Array, ...], r_source: Resistance, r_neuron: Resistance, *, ideal_neuron: bool) -> Array:
    """Arrays that share their neurons, the first driven with +V, another with −V."""
    dtype = arrays[0].dtype
    source, neuron = jnp.asarray(r_source, dtype), jnp.asarray(r_neuron, dtype)
    driven = [g / (1 + source * jnp.sum(g, 1, keepdims=True)) for g in arrays]
    current = driven[0] if len(arrays) == 1 else driven[0] - driven[1]
    if ideal_neuron:
        return current
    drawn = jnp.eye(current.shape[1], dtype=dtype)
    for g, d in zip(arrays, driven, strict=True):
        drawn = drawn + neuron * (jnp.diag(jnp.sum(g, 0)) - source * (g.T @ d))
    return current @ inverse(drawn)
