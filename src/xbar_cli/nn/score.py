"""Right answers of a classifier, and the accuracy that they make: the one counter of the project."""

import math

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from xbar_cli.errors import ModelError


def correct(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"], weight: Float[Array, " n"]
) -> Float[Array, ""]:
    """Number of samples whose highest score is the label's; `weight` is 0 for padding.

    NaN where the scores of a sample that counts are not finite: they name no class, not the first one.
    """
    finite = jnp.isfinite(scores).all(axis=-1) | (weight == 0)
    right = jnp.where(jnp.argmax(scores, axis=-1) == labels, weight, 0.0)
    return jnp.sum(jnp.where(finite, right, jnp.nan))


def share_right(right: float, samples: float | int, *, of: str) -> float:
    """The accuracy that `right` answers of `samples` make.

    Args:
        right: sums of `correct`.
        samples: that were asked.
        of: what answered, for the error.

    Raises:
        ModelError: some scores were not finite.
    """
    if not math.isfinite(right):
        raise ModelError(
            f"{of}: scores are not finite, so that no class is the highest; look for weights that overflow"
        )
    return right / samples
