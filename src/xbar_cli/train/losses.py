"""Losses and scores of classifiers."""

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int


def cross_entropy(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"], *, smoothing: float = 0.0
) -> Float[Array, ""]:
    """Mean cross-entropy of the softmax of `scores`; `smoothing` is the share of the target spread over all classes."""
    if not smoothing:
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()
    targets = optax.smooth_labels(jax.nn.one_hot(labels, scores.shape[-1], dtype=scores.dtype), smoothing)
    return optax.softmax_cross_entropy(scores, targets).mean()


def correct(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"], weight: Float[Array, " n"]
) -> Float[Array, ""]:
    """Number of samples whose highest score is the label's; `weight` is 0 for padding."""
    return jnp.sum(jnp.where(jnp.argmax(scores, axis=-1) == labels, weight, 0.0))
