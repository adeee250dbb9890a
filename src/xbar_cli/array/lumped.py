"""Arrays with source and neuron resistance and ideal wires: the exact fold.

One array has one set of sources and one set of neurons; the *dual* arrays hold the positive and the negative weights,
are driven with +V and −V through sources of their own and share the neuron. Every function returns one matrix with
`I = V @ g_eff`, signed for the dual arrays.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Float

from xbar_cli.array.checks import require_same_shape, require_tile
from xbar_cli.array.inverse import inverse
from xbar_cli.array.wires import Folded, Resistance, Wires, exactly, is_zero
from xbar_cli.numerics import in_float64
from xbar_cli.types import Array, Conductances


def lumped(g: Conductances, wires: Wires) -> Folded:
    """The exact array: `G_eff = D G (1 + R_n K)⁻¹`, `D = diag(1 + R_s G 1)⁻¹`, `K = diag(Gᵀ 1) − R_s Gᵀ D G`.

    Computed in float64 and returned in the dtype of `g`; differentiable in `g` and in both resistances, at 0 too.

    Args:
        g: device conductances [S]; 0 is an absent device, below 0 is accepted.
        wires: resistances, those of the wires 0.

    Raises:
        ValueError: `g` is not a matrix, or a known resistance is negative or not finite.

    References:
        Kirchhoff's law at both ends of every device; I. Chakraborty, D. Roy, K. Roy, "Technology Aware Training in
        Memristive Neuromorphic Systems for Nonideal Synaptic Crossbars", eqs. (1)-(4), approximate it (`published`).
    """
    require_tile("g", g)
    return _in_float64((g,), wires)


def lumped_dual(g_pos: Conductances, g_neg: Float[Array, "_ _"], wires: Wires) -> Folded:
    """The exact dual arrays that share the neuron: `G_eff = (D⁺G⁺ − D⁻G⁻)(1 + R_n (K⁺ + K⁻))⁻¹`, signed.

    Args:
        g_pos: conductances of the array driven with +V [S].
        g_neg: conductances of the array driven with −V [S].
        wires: resistances, those of the wires 0; the neurons are those of pairs of bit lines.

    Raises:
        ValueError: as `lumped`, or the two shapes disagree.
    """
    require_tile("g_pos", g_pos)
    require_same_shape("g_pos", g_pos, "g_neg", g_neg)
    return _in_float64((g_pos, g_neg), wires)


def _in_float64(arrays: tuple[Array, ...], wires: Wires) -> Folded:
    fold = partial(_fold, ideal_neuron=is_zero(wires.require_ends().neuron))
    return exactly(in_float64(fold, arrays, wires.source, wires.neuron))


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
