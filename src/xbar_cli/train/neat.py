"""NEAT: weights restricted to the linear range of their layer's gate voltage (neat, Section III)."""

from collections.abc import Mapping

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float


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
