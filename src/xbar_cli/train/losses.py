"""What training minimises, by the task."""

from typing import assert_never

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int, Shaped

from xbar_cli.tasks import Task


def loss_of(
    task: Task, scores: Float[Array, "n *outputs"], labels: Shaped[Array, "n *rest"], *, smoothing: float = 0.0
) -> Float[Array, ""]:
    """Mean cross-entropy of classes, of one answer a place too; mean squared error of numbers, which nothing smooths."""
    match task:
        case "classification" | "labelling" | "next_token":
            return cross_entropy(scores, labels, smoothing=smoothing)
        case "regression":
            return jnp.square(scores - labels).mean()
        case _:
            assert_never(task)


def cross_entropy(
    scores: Float[Array, "n *places classes"], labels: Int[Array, "n *places"], *, smoothing: float = 0.0
) -> Float[Array, ""]:
    """Mean cross-entropy of the softmax of `scores`; `smoothing` is the share of the target spread over all classes."""
    if not smoothing:
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()
    targets = optax.smooth_labels(jax.nn.one_hot(labels, scores.shape[-1], dtype=scores.dtype), smoothing)
    return optax.softmax_cross_entropy(scores, targets).mean()
