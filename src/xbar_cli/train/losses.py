"""Losses of classifiers."""

import jax
import optax
from jax import Array
from jaxtyping import Float, Int


def cross_entropy(
    scores: Float[Array, "n *places classes"], labels: Int[Array, "n *places"], *, smoothing: float = 0.0
) -> Float[Array, ""]:
    """Mean cross-entropy of the softmax of `scores`; `smoothing` is the share of the target spread over all classes."""
    if not smoothing:
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()
    targets = optax.smooth_labels(jax.nn.one_hot(labels, scores.shape[-1], dtype=scores.dtype), smoothing)
    return optax.softmax_cross_entropy(scores, targets).mean()
