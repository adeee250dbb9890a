"""Random numbers per device: the numbers of `jax.random` for the shape, drawn flat.

With JAX's counter-based keys the flat draw gives the same numbers in the same order; for shapes such as [84, 11] XLA
compiles it about ten times faster on a CPU (0.8 s against 10 s under `vmap`).
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float


def normal(key: Array, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Standard normal numbers in the shape and dtype of `g`."""
    return jax.random.normal(key, (g.size,), g.dtype).reshape(g.shape)


def uniform(key: Array, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Uniform numbers in [0, 1) in the shape and dtype of `g`."""
    return jax.random.uniform(key, (g.size,), g.dtype).reshape(g.shape)


def truncated_normal(key: Array, g: Float[Array, "*shape"], *, bound: ArrayLike) -> Float[Array, "*shape"]:
    """Standard normal numbers cut at `±bound`, one positive number, in the shape and dtype of `g`."""
    limit = jnp.asarray(bound, g.dtype)
    return jax.random.truncated_normal(key, -limit, limit, (g.size,), g.dtype).reshape(g.shape)
