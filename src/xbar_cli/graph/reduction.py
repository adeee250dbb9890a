"""Sums, means, norms and extremes over axes, their places, and sums up to each element."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .node import GraphNode
from .shape import given_axes
from .values import axes_of, axis_of, integers, space, traced, usable


def chosen_axes(node: GraphNode, x: Any, axes: Any) -> tuple[int, ...]:
    """The axes that are reduced: those given; all of them, or none with `noop_with_empty_axes`, where none are."""
    given = given_axes(node, axes)
    none = node.get("noop_with_empty_axes", 0)
    if given is None or not given:
        return () if none else tuple(range(x.ndim))
    return tuple(axes_of(node, given, x.ndim))


def reduce_by(function: str, node: GraphNode, x: Any, axes: Any = None) -> Any:
    """The reduction of this name in NumPy or JAX, in the type of `x`."""
    places, keep = chosen_axes(node, x, axes), bool(node.get("keepdims", 1))
    xp = space(x)
    if function in ("max", "min") and any(x.shape[axis] == 0 for axis in places):
        return getattr(xp, function)(x, axis=places, keepdims=keep, initial=extreme(x.dtype, largest=function == "min"))
    out = getattr(xp, function)(x, axis=places, keepdims=keep)
    return out.astype(x.dtype) if out.dtype != x.dtype else out


def extreme(dtype: Any, *, largest: bool) -> Any:
    """The largest or smallest value of a type."""
    if np.dtype(dtype).kind == "b":
        return largest
    if jnp.issubdtype(dtype, jnp.floating):
        return np.asarray(np.inf if largest else -np.inf, dtype)
    return np.asarray(np.iinfo(dtype).max if largest else np.iinfo(dtype).min, dtype)


def sum_of_squares(node: GraphNode, x: Any, axes: Any = None) -> Any:
    """Σ x²."""
    return reduce_by("sum", node, x * x, axes)


def norm_1(node: GraphNode, x: Any, axes: Any = None) -> Any:
    """Σ |x|."""
    return reduce_by("sum", node, abs(x), axes)


def norm_2(node: GraphNode, x: Any, axes: Any = None) -> Any:
    """The square root of Σ x²."""
    total = sum_of_squares(node, x, axes)
    return space(total).sqrt(total).astype(x.dtype)


def log_sum(node: GraphNode, x: Any, axes: Any = None) -> Any:
    """`log Σ x`."""
    return jnp.log(traced(reduce_by("sum", node, x, axes)))


def log_sum_exp(node: GraphNode, x: Any, axes: Any = None) -> Any:
    """`log Σ exp(x)`."""
    x = traced(x)
    return jax.nn.logsumexp(x, axis=chosen_axes(node, x, axes), keepdims=bool(node.get("keepdims", 1)))


def place_of(function: str, node: GraphNode, x: Any) -> Any:
    """The number of the largest or smallest element of an axis: the first of equal ones, or the last."""
    axis = axis_of(node, node.get("axis", 0), x.ndim)
    last, keep = node.get("select_last_index", 0), bool(node.get("keepdims", 1))
    xp = space(x)
    x = xp.flip(x, axis) if last else x
    found = getattr(xp, function)(x, axis=axis, keepdims=keep)
    found = x.shape[axis] - 1 - found if last else found
    return found.astype(np.int64 if xp is np else usable(np.int64))


def running(function: str, node: GraphNode, x: Any, axis: Any) -> Any:
    """Sums or products of all elements up to each one, or before it, from the front or the end."""
    place = axis_of(node, integers(node, axis, "axis")[0], x.ndim)
    exclusive, reverse = node.get("exclusive", 0), node.get("reverse", 0)
    xp = space(x)
    x = xp.flip(x, place) if reverse else x
    if exclusive:
        first = xp.full_like(x.take(np.asarray([0]), axis=place), 0 if function == "cumsum" else 1)
        x = xp.concatenate([first, x[(slice(None),) * place + (slice(0, -1),)]], axis=place)
    out = getattr(xp, function)(x, axis=place).astype(x.dtype)
    return xp.flip(out, place) if reverse else out


reduce_sum, reduce_mean, reduce_product, reduce_max, reduce_min = (
    functools.partial(reduce_by, name) for name in ("sum", "mean", "prod", "max", "min")
)
