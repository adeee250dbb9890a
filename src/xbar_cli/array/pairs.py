"""Signed weights on two columns or two arrays, and the models of one array or of two on them."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jaxtyping import Float

from xbar_cli.array.lumped import lumped_dual
from xbar_cli.array.published import published_dual
from xbar_cli.array.wires import Fold, Folded, Wires
from xbar_cli.types import Array, Conductances


def halves(g: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Positive and negative parts of signed conductances or weights.

    At 0 the gradient is shared by the two (that of `maximum` is 1/2 to each side), so that their difference has slope 1
    everywhere: an absent device can come back.
    """
    return jnp.maximum(g, 0), jnp.maximum(-g, 0)


def lumped_pairs(g: Float[Array, "rows pairs"], wires: Wires) -> Folded:
    """`lumped_dual` on interleaved columns, as `of_pairs` has them."""
    return of_pairs(partial(lumped_dual, wires=wires), g)


def published_pairs(g: Float[Array, "rows pairs"], wires: Wires) -> Folded:
    """`published_dual` on interleaved columns, as `of_pairs` has them."""
    return of_pairs(partial(published_dual, wires=wires), g)


def of_pairs(dual: Callable[[Conductances, Array], Folded], g: Float[Array, "rows pairs"]) -> Folded:
    """A dual model on interleaved columns, positive arrays' even and negative arrays' odd: the signed matrix in the even ones.

    The difference of each pair is then what the shared neuron gives, as for columns with neurons of their own.
    """
    signed, residual = dual(g[:, 0::2], g[:, 1::2])
    return Folded(jnp.stack([signed, jnp.zeros_like(signed)], axis=-1).reshape(g.shape), residual)


def interleaved(fold: Fold, g_pos: Conductances, g_neg: Float[Array, "_ _"]) -> Folded:
    """A model of one array on the two halves as neighbouring columns with neurons of their own: the signed matrix."""
    folded, residual = fold(jnp.stack([g_pos, g_neg], axis=-1).reshape(g_pos.shape[0], -1))
    return Folded(folded[:, 0::2] - folded[:, 1::2], residual)
