"""Operators that look elements up, set them, sort them or make lists of values."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from .node import GraphNode
from .shape import piece
from .values import alike, axis_of, integers, is_static, space, static, traced, usable


def from_front(indices: Any, n: int) -> Any:
    """Indices counted from the front."""
    return space(indices).where(indices < 0, indices + np.asarray(n, indices.dtype), indices)


def gather(node: GraphNode, x: Any, indices: Any) -> Any:
    """Elements of an axis by number; a single static number is a slice."""
    axis = axis_of(node, node.get("axis", 0), x.ndim)
    if is_static(indices):
        if indices.size and not (-x.shape[axis] <= indices.min() and indices.max() < x.shape[axis]):
            raise node.refusal(f"indices are not all among the {x.shape[axis]} of axis {axis}")
        indices = from_front(indices, x.shape[axis])
        if indices.ndim == 0:
            return piece(x, axis, int(indices), int(indices) + 1).reshape(x.shape[:axis] + x.shape[axis + 1 :])
        if is_static(x):
            return np.take(x, indices, axis=axis)
    x, indices = traced(x), from_front(traced(indices), x.shape[axis])
    return jnp.take(x, indices, axis=axis, mode="clip")


def gather_elements(node: GraphNode, x: Any, indices: Any) -> Any:
    """One element for each index, along an axis."""
    axis = axis_of(node, node.get("axis", 0), x.ndim)
    x, indices = alike(x, indices)
    xp = space(x)
    if not is_static(indices) or x.shape == indices.shape:
        at = [xp.arange(n).reshape([-1 if a == b else 1 for b in range(x.ndim)]) for a, n in enumerate(indices.shape)]
    else:
        at = [np.arange(n).reshape([-1 if a == b else 1 for b in range(x.ndim)]) for a, n in enumerate(indices.shape)]
    at[axis] = from_front(indices, x.shape[axis])
    return x[tuple(xp.broadcast_to(one, indices.shape) for one in at)]


def gather_nd(node: GraphNode, x: Any, indices: Any) -> Any:
    """Pieces by the first axes' numbers."""
    batch = node.get("batch_dims", 0)
    x, indices = alike(x, indices)
    depth = indices.shape[-1]
    shape = indices.shape[:-1]
    at = [
        space(x).broadcast_to(np.arange(n).reshape([-1 if a == b else 1 for b in range(len(shape))]), shape)
        for a, n in enumerate(x.shape[:batch])
    ]
    at += [from_front(indices[..., n], x.shape[batch + n]) for n in range(depth)]
    return x[tuple(at)]


def combined(node: GraphNode, x: Any, at: tuple[Any, ...], updates: Any) -> Any:
    """The value with elements set, or with `reduction` added, multiplied or bounded."""
    reference = traced(x).at[at]
    how = node.get("reduction", "none")
    updates = traced(updates)
    match how:
        case "none":
            return reference.set(updates)
        case "add":
            return reference.add(updates)
        case "mul":
            return reference.multiply(updates)
        case "max":
            return reference.max(updates)
        case "min":
            return reference.min(updates)
    raise node.refusal(f"reduction = {how} is not supported (none, add, mul, max, min)")


def scatter_elements(node: GraphNode, x: Any, indices: Any, updates: Any) -> Any:
    """Elements set along an axis, one for each index."""
    axis = axis_of(node, node.get("axis", 0), x.ndim)
    at = [np.arange(n).reshape([-1 if a == b else 1 for b in range(x.ndim)]) for a, n in enumerate(indices.shape)]
    where = [traced(np.broadcast_to(one, indices.shape)) for one in at]
    where[axis] = from_front(traced(indices), x.shape[axis])
    return combined(node, x, tuple(where), updates)


def scatter_nd(node: GraphNode, x: Any, indices: Any, updates: Any) -> Any:
    """Pieces set by the first axes' numbers; a static value stays static."""
    at = tuple(from_front(indices[..., n], x.shape[n]) for n in range(indices.shape[-1]))
    if is_static(x, indices, updates) and node.get("reduction", "none") == "none":
        out = x.copy()
        out[at] = updates
        return out
    return combined(node, x, tuple(traced(one) for one in at), updates)


def tensor_scatter(node: GraphNode, past: Any, update: Any, write: Any = None) -> Any:
    """A cache with new rows written at each sample's place."""
    axis, mode = axis_of(node, node.get("axis", -2), past.ndim), node.get("mode", "linear")
    past, update = traced(past), traced(update)
    start = jnp.zeros(past.shape[0], jnp.int32) if write is None else traced(write)
    rows = start[:, None] + jnp.arange(update.shape[axis], dtype=start.dtype)[None, :]
    rows = rows % past.shape[axis] if mode == "circular" else rows
    moved, new = jnp.moveaxis(past, axis, 1), jnp.moveaxis(update, axis, 1)
    return jnp.moveaxis(moved.at[jnp.arange(past.shape[0])[:, None], rows].set(new), 1, axis)


def one_hot(node: GraphNode, indices: Any, depth: Any, values: Any) -> Any:
    """`values[1]` where the new axis' number is the index, else `values[0]`."""
    n = integers(node, depth, "depth")[0]
    axis = axis_of(node, node.get("axis", -1), indices.ndim + 1)
    indices, values = alike(indices, values)
    xp = space(indices)
    found = xp.expand_dims(from_front(indices, n), axis)
    numbers = xp.arange(n).astype(found.dtype).reshape([-1 if a == axis else 1 for a in range(found.ndim)])
    return xp.where(found == numbers, values[1], values[0])


def non_zero(node: GraphNode, x: Any) -> np.ndarray:
    """Where a static value is not 0."""
    return np.asarray(np.nonzero(np.atleast_1d(static(node, x, "value"))), np.int64)


def compress(node: GraphNode, x: Any, condition: Any) -> Any:
    """Elements of an axis for which a static condition holds."""
    axis = node.get("axis")
    places = np.flatnonzero(static(node, condition, "condition"))
    if axis is None:
        return x.reshape(-1)[places]
    return space(x).take(x, places, axis=axis_of(node, axis, x.ndim))


def top_k(node: GraphNode, x: Any, k: Any = None) -> tuple[Any, Any]:
    """The largest or smallest of an axis and their numbers; the first of equal ones comes first."""
    axis, largest = axis_of(node, node.get("axis", -1), x.ndim), node.get("largest", 1)
    node.ignore("sorted")
    n = node.get("k") if k is None else integers(node, k, "k")[0]
    x = traced(x)
    order = jnp.argsort(x, axis=axis, descending=bool(largest), stable=True)
    order = piece(order, axis, 0, n)
    return jnp.take_along_axis(x, order, axis=axis), order.astype(usable(np.int64))


def unique(node: GraphNode, x: Any) -> tuple[Any, ...]:
    """Different elements of a static value, where they were first, which each one is, and how often."""
    axis, ordered = node.get("axis"), node.get("sorted", 1)
    found, first, which, count = np.unique(
        static(node, x, "value"), return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    if not ordered:
        order = np.argsort(first)
        found = np.take(found, order, axis=0 if axis is None else axis)
        first, count, which = first[order], count[order], np.argsort(order)[which]
    return found, first.astype(np.int64), which.reshape(-1).astype(np.int64), count.astype(np.int64)


def sequence(node: GraphNode, *values: Any) -> list[Any]:
    """A list of the values."""
    node.ignore("dtype")
    return list(values)


def split_to_sequence(node: GraphNode, x: Any, sizes: Any = None) -> list[Any]:
    """A list of pieces along an axis."""
    axis, keep = axis_of(node, node.get("axis", 0), x.ndim), node.get("keepdims", 1)
    n = x.shape[axis]
    given = np.ones(n, int) if sizes is None else static(node, sizes, "sizes")
    if given.ndim == 0:
        given = np.asarray([min(int(given), n - start) for start in range(0, n, int(given))])
    ends = np.cumsum(given)
    pieces = [piece(x, axis, int(end - many), int(end)) for many, end in zip(given, ends, strict=True)]
    if sizes is None and not keep:
        return [one.reshape(one.shape[:axis] + one.shape[axis + 1 :]) for one in pieces]
    return pieces


def sequence_at(node: GraphNode, values: list[Any], position: Any) -> Any:
    """One of a list."""
    return values[integers(node, position, "position")[0]]


def sequence_insert(node: GraphNode, values: list[Any], value: Any, position: Any = None) -> list[Any]:
    """The list with one more."""
    place = len(values) if position is None else integers(node, position, "position")[0]
    place = place + len(values) if place < 0 else place
    return [*values[:place], value, *values[place:]]


def sequence_erase(node: GraphNode, values: list[Any], position: Any = None) -> list[Any]:
    """The list without one."""
    place = len(values) - 1 if position is None else integers(node, position, "position")[0] % len(values)
    return [*values[:place], *values[place + 1 :]]


def sequence_length(node: GraphNode, values: list[Any]) -> np.ndarray:
    """How many the list has."""
    return np.asarray(len(values), np.int64)


def concat_from_sequence(node: GraphNode, values: list[Any]) -> Any:
    """The values of a list along an axis that is there or new."""
    function = "stack" if node.get("new_axis", 0) else "concatenate"
    values = list(alike(*values))
    return getattr(space(*values), function)(values, axis=node.get("axis"))
