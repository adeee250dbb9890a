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


def lumped(g: Conductances, wires: Wires, *, float64: bool = True) -> Folded:
    """The exact array: `G_eff = D G (1 + R_n K)⁻¹`, `D = diag(1 + R_s G 1)⁻¹`, `K = diag(Gᵀ 1) − R_s Gᵀ D G`.

    Computed in float64 and returned in the dtype of `g`; differentiable in `g` and in both resistances, at 0 too.

    Args:
        g: device conductances [S]; 0 is an absent device, below 0 is accepted.
        wires: resistances, those of the wires 0.
        float64: False computes in the dtype of `g`, for a step of training: float32 is off by some 1e-7 of full scale.

    Raises:
        ValueError: `g` is not a matrix, or a known resistance is negative or not finite.

    References:
        Kirchhoff's law at both ends of every device; I. Chakraborty, D. Roy, K. Roy, "Technology Aware Training in
        Memristive Neuromorphic Systems for Nonideal Synaptic Crossbars", eqs. (1)-(4), approximate it (`published`).
    """
    require_tile("g", g)
    return _solved((g,), wires, float64=float64)


def lumped_dual(g_pos: Conductances, g_neg: Float[Array, "_ _"], wires: Wires, *, float64: bool = True) -> Folded:
    """The exact dual arrays that share the neuron: `G_eff = (D⁺G⁺ − D⁻G⁻)(1 + R_n (K⁺ + K⁻))⁻¹`, signed.

    Args:
        g_pos: conductances of the array driven with +V [S].
        g_neg: conductances of the array driven with −V [S].
        wires: resistances, those of the wires 0; the neurons are those of pairs of bit lines.
        float64: as `lumped`.

    Raises:
        ValueError: as `lumped`, or the two shapes disagree.
    """
    require_tile("g_pos", g_pos)
    require_same_shape("g_pos", g_pos, "g_neg", g_neg)
    return _solved((g_pos, g_neg), wires, float64=float64)


def _solved(arrays: tuple[Array, ...], wires: Wires, *, float64: bool) -> Folded:
    fold = partial(_fold, ideal_neuron=is_zero(wires.require_ends().neuron))
    args = arrays, wires.source, wires.neuron
    return exactly(in_float64(fold, *args) if float64 else fold(*args))


@partial(jax.jit, static_argnames="ideal_neuron")
def _fold(arrays: tuple[Array, ...], r_source: Resistance, r_neuron: Resistance, *, ideal_neuron: bool) -> Array:
    """Arrays that share their neurons, the first driven with +V, another with −V."""
    dtype = arrays[0].dtype
    source, neuron = jnp.asarray(r_source, dtype), jnp.asarray(r_neuron, dtype)
    kept = [1 / (1 + source * jnp.sum(g, 1, keepdims=True)) for g in arrays]
    driven = [g * d for g, d in zip(arrays, kept, strict=True)]
    current = driven[0] if len(arrays) == 1 else driven[0] - driven[1]
    if ideal_neuron:
        return current
    drawn = jnp.eye(current.shape[1], dtype=dtype)
    for g, d in zip(arrays, kept, strict=True):
        drawn = drawn + neuron * (jnp.diag(jnp.sum(g, 0)) - source * _through(g, d))
    return _divided(current, drawn)


@jax.custom_jvp
def _through(g: Float[Array, "rows cols"], d: Float[Array, "rows 1"]) -> Float[Array, "cols cols"]:
    """`Gᵀ D G`: one product, and one more for the gradients in both."""
    return g.T @ (g * d)


@_through.defjvp
def _through_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (g, d), (g_dot, d_dot) = primals, tangents
    half = g.T @ (g_dot * d + g * (d_dot / 2))
    return _through(g, d), half + half.T


@jax.custom_jvp
def _divided(current: Float[Array, "rows cols"], drawn: Float[Array, "cols cols"]) -> Float[Array, "rows cols"]:
    """`current · drawn⁻¹`, `drawn` symmetric and positive definite: two products for its gradients."""
    return current @ inverse(drawn)


@_divided.defjvp
def _divided_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """`d(C A⁻¹) = (dC − C A⁻¹ dA) A⁻¹`."""
    (current, drawn), (current_dot, drawn_dot) = primals, tangents
    inverted = inverse(drawn)
    result = current @ inverted
    return result, (current_dot - result @ drawn_dot) @ inverted
