"""Arrays with source and neuron resistance and ideal wires: the exact fold, and the closed form that was published.

One array has one set of sources and one set of neurons; the *dual* arrays hold the positive and the negative weights,
are driven with +V and −V through sources of their own and share the neuron. Every function returns one matrix with
`I = V @ g_eff`, signed for the dual arrays.
"""

import jax.numpy as jnp

from xbar_cli.array.checks import Resistance, is_zero, require_resistances, require_same_shape, require_tile
from xbar_cli.array.inverse import inverse
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

    def exact(g: Array, r_source: Resistance, r_neuron: Resistance) -> Array:
        driven, leak = _driven(g, r_source)
        return _through_neuron(driven, leak, r_neuron)

    return in_float64(exact, g, r_source, r_neuron)


def lumped_dual(
    g_pos: Conductances, g_neg: Conductances, *, r_source: Resistance, r_neuron: Resistance
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

    def exact(g_pos: Array, g_neg: Array, r_source: Resistance, r_neuron: Resistance) -> Array:
        driven_pos, leak_pos = _driven(g_pos, r_source)
        driven_neg, leak_neg = _driven(g_neg, r_source)
        return _through_neuron(driven_pos - driven_neg, leak_pos + leak_neg, r_neuron)

    return in_float64(exact, g_pos, g_neg, r_source, r_neuron)


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
    g_pos: Conductances, g_neg: Conductances, *, r_source: Resistance, r_neuron: Resistance
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


def _require_dual(g_pos: Array, g_neg: Array, r_source: Resistance, r_neuron: Resistance) -> None:
    require_tile("g_pos", g_pos)
    require_same_shape("g_pos", g_pos, "g_neg", g_neg)
    require_resistances(r_source=r_source, r_neuron=r_neuron)


def _driven(g: Array, r_source: Resistance) -> tuple[Array, Array]:
    """`D G`, the currents into bit lines held at 0 V [S], and K, what those lines' own voltages draw back [S]."""
    r = jnp.asarray(r_source, g.dtype)
    driven = g / (1 + r * jnp.sum(g, 1, keepdims=True))
    return driven, jnp.diag(jnp.sum(g, 0)) - r * (g.T @ driven)


def _through_neuron(driven: Array, leak: Array, r_neuron: Resistance) -> Array:
    if is_zero(r_neuron):
        return driven
    eye = jnp.eye(leak.shape[0], dtype=leak.dtype)
    return driven @ inverse(eye + jnp.asarray(r_neuron, leak.dtype) * leak)
