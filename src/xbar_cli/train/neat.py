"""NEAT: weights restricted to the linear range of their layer's gate voltage (neat, Section III)."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

ROUNDING = 1e-9
"""Relative error of a W_cut: that of the scale's top, in exact numbers W_max, still covers a weight of W_max."""


def restrict(kernel: Float[Array, "*shape"], *, w_cut: float) -> Float[Array, "*shape"]:
    """`W ← clip(W, −W_cut, +W_cut)`.

    References:
        neat, eq. (3).
    """
    return jnp.clip(kernel, -w_cut, w_cut)


def in_range_fraction(kernel: Float[Array, "*shape"], *, w_cut: float) -> float:
    """Share of the weights with |W| ≤ W_cut (neat, Fig. 9)."""
    return float(jnp.mean((jnp.abs(kernel) <= w_cut).astype(jnp.float32)))


def restrict_network(net: nnx.Module, w_cut: Mapping[str, float]) -> dict[str, float]:
    """Restrict the kernel of every layer in place.

    Args:
        net: a network whose layers are attributes with a `kernel`.
        w_cut: cut-off by layer name.

    Returns:
        The share of weights that were in range before, by layer name.

    References:
        neat, Algorithm 2, step 1.
    """
    before: dict[str, float] = {}
    for name, limit in w_cut.items():
        kernel = getattr(net, name).kernel
        before[name] = in_range_fraction(kernel[...], w_cut=limit)
        kernel[...] = restrict(kernel[...], w_cut=limit)
    return before


def choose_gate(largest: float, *, vg: Sequence[float], w_cut: Sequence[float], rule: str, offset: float) -> float:
    """The gate voltage [V] of a layer: the search ends where W_cut covers its largest weight.

    Args:
        largest: max |W_l|.
        vg: the search list, ascending [V].
        w_cut: W_cut at each.
        rule: `covering`, the first that covers, or `previous`, the one before it; the largest where none covers.
        offset: added to what the rule finds [V]; the list bounds it, and the nearest of the list is taken.

    Raises:
        ValueError: an empty list, an unknown rule, or an offset that leads between two of the list.

    References:
        neat, Algorithm 1; "we set the last V_g as the optimal" has two readings, and "optimal V_g − 0.05" is the offset.
    """
    if not vg:
        raise ValueError("vg must have at least one gate voltage")
    if rule not in ("previous", "covering"):
        raise ValueError(f"rule must be previous or covering, got {rule!r}")
    covering = next((index for index, cut in enumerate(w_cut) if cut >= largest * (1 - ROUNDING)), None)
    index = len(vg) - 1 if covering is None else covering - (rule == "previous")
    return shifted(vg[max(index, 0)], offset, vg=vg)


def shifted(gate: float, offset: float, *, vg: Sequence[float]) -> float:
    """The gate voltage of the list that is `offset` above `gate` [V], or the end of the list that bounds it.

    Raises:
        ValueError: the offset leads between two of the list.
    """
    wanted = min(max(gate + offset, vg[0]), vg[-1])
    nearest = min(vg, key=lambda v: abs(v - wanted))
    if abs(nearest - wanted) > 1e-6:
        listed = ", ".join(f"{v:g}" for v in vg)
        raise ValueError(
            f"offset {offset:g} V leads from {gate:g} V to {wanted:g} V, which is not in the list {listed}"
        )
    return nearest
