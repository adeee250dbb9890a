"""Numerical helpers that every room shares: straight-through gradients, the float64 scope, named random streams."""

import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def straight_through(function: Callable[[Array], Array], x: Array) -> Array:
    """`function(x)` in the forward pass, the identity in the backward pass.

    Args:
        function: an elementwise map that keeps shape and dtype, such as a quantiser.
        x: any array.

    References:
        Bengio, Léonard, Courville (2013), arXiv 1308.3432, the straight-through estimator.
    """
    return x + jax.lax.stop_gradient(function(x) - x)


def stream(key: Array, name: str) -> Array:
    """The random key of the stream called `name`: the same for the same key and name, whatever is drawn elsewhere."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def in_float64(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `function` with every floating-point array argument in float64 and JAX's float64 mode on.

    The result keeps its float64 arrays: the caller casts to the dtype it wants.
    """
    with jax.enable_x64(True):

        def widen(leaf: Any) -> Any:
            is_float = isinstance(leaf, Array) and jnp.issubdtype(leaf.dtype, jnp.floating)
            return leaf.astype(jnp.float64) if is_float else leaf

        args, kwargs = jax.tree.map(widen, (args, kwargs))
        return function(*args, **kwargs)


def along_last(vector: Array, like: Array) -> Array:
    """`vector` [n] in the rank of `like` [… n], so that the two combine without implicit rank promotion."""
    return vector.reshape((1,) * (like.ndim - 1) + (-1,))
