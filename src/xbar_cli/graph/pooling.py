"""The largest, the mean or a norm of windows, and of everything."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .convolution import Windows, windows
from .node import GraphNode
from .values import integers, traced, usable


def placed(node: GraphNode, sizes: Sequence[int]) -> tuple[Windows, tuple[int, ...]]:
    """The windows, with padding at the end so that the last of them is whole, and how many there are."""
    at = windows(node, sizes, node.get("kernel_shape"))
    up = node.get("ceil_mode", 0)
    pads, counts = [], []
    for n, stride, extent, (low, high) in zip(sizes, at.strides, at.extents, at.pads, strict=True):
        room = n + low + high - extent
        count = (-(-room // stride) if up else room // stride) + 1
        if up and (count - 1) * stride >= n + low:
            count -= 1
        if count < 1:
            raise node.refusal(f"windows over {extent} do not fit an input of {n} with padding ({low}, {high})")
        counts.append(count)
        pads.append((low, max((count - 1) * stride + extent - n - low, 0)))
    return replace(at, pads=tuple(pads)), tuple(counts)


def reduced(x: Any, at: Windows, counts: Sequence[int], start: Any, function: Any) -> Any:
    """Each window of `x` [N, C, …] reduced to one number."""
    out = lax.reduce_window(
        x,
        start,
        function,
        (1, 1, *at.kernel),
        (1, 1, *at.strides),
        ((0, 0), (0, 0), *at.pads),
        window_dilation=(1, 1, *at.dilations),
    )
    return out[(slice(None), slice(None), *(slice(0, n) for n in counts))]


def max_pool(node: GraphNode, x: Any) -> Any:
    """The largest element of each window, and its place in `x` laid flat where that is asked for."""
    x = traced(x)
    at, counts = placed(node, x.shape[2:])
    low = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else np.iinfo(x.dtype).min
    columns_first = node.get("storage_order", 0)
    if not node.wants(1):
        return reduced(x, at, counts, np.asarray(low, x.dtype), lax.max)
    wide = jnp.pad(x, [(0, 0), (0, 0), *at.pads], constant_values=low)
    stack, places = [], []
    strides = flat_strides(x.shape[2:], columns_first=bool(columns_first))
    for offset in np.ndindex(*at.kernel):
        first = [o * d for o, d in zip(offset, at.dilations, strict=True)]
        ends = [f + (n - 1) * s + 1 for f, n, s in zip(first, counts, at.strides, strict=True)]
        at_offset = tuple(slice(f, e, s) for f, e, s in zip(first, ends, at.strides, strict=True))
        stack.append(wide[(slice(None), slice(None), *at_offset)])
        axes = [np.arange(n) * s + f - p[0] for n, s, f, p in zip(counts, at.strides, first, at.pads, strict=True)]
        places.append(sum(a * s for a, s in zip(np.meshgrid(*axes, indexing="ij"), strides, strict=True)))
    values = jnp.stack(stack)
    chosen = jnp.argmax(values, axis=0)
    table = traced(np.stack(places)).reshape(len(places), 1, 1, *counts)
    table = jnp.broadcast_to(table, values.shape)
    inside = jnp.take_along_axis(table, chosen[None], axis=0)[0]
    planes = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *(1,) * len(counts)) * int(np.prod(x.shape[2:]))
    return jnp.max(values, axis=0), (inside + traced(planes)).astype(usable(np.int64))


def flat_strides(sizes: Sequence[int], *, columns_first: bool) -> list[int]:
    """How far apart neighbours of each axis lie in memory."""
    order = list(sizes) if columns_first else list(sizes)[::-1]
    found = [1, *np.cumprod(order)[:-1].tolist()]
    return found if columns_first else found[::-1]


def covered(at: Windows, sizes: Sequence[int], counts: Sequence[int], pads: Sequence[tuple[int, int]]) -> np.ndarray:
    """How many elements of each window lie in the input or its given padding [*counts]."""
    total = np.ones((1,) * len(counts))
    for axis, (n, count, stride) in enumerate(zip(sizes, counts, at.strides, strict=True)):
        places = np.arange(count)[:, None] * stride + np.arange(at.kernel[axis]) * at.dilations[axis] - at.pads[axis][0]
        found = ((places >= -pads[axis][0]) & (places < n + pads[axis][1])).sum(axis=1)
        total = total * found.reshape([-1 if a == axis else 1 for a in range(len(counts))])
    return np.maximum(total, 1)


def average_pool(node: GraphNode, x: Any) -> Any:
    """The mean of each window, over its elements in the input or with padding counted too."""
    x = traced(x)
    at, counts = placed(node, x.shape[2:])
    given = windows(node, x.shape[2:], at.kernel).pads
    pads = given if node.get("count_include_pad", 0) else [(0, 0)] * len(counts)
    sums = reduced(x, at, counts, np.asarray(0, x.dtype), lax.add)
    return sums / covered(at, x.shape[2:], counts, pads)[None, None].astype(x.dtype)


def norm_pool(node: GraphNode, x: Any) -> Any:
    """The norm `(Σ |x|^p)^(1/p)` of each window."""
    p = node.get("p", 2)
    x = abs(traced(x))
    at, counts = placed(node, x.shape[2:])
    return reduced(x**p, at, counts, np.asarray(0, x.dtype), lax.add) ** (1 / p)


def global_average(node: GraphNode, x: Any) -> Any:
    """The mean of each channel."""
    return traced(x).mean(axis=tuple(range(2, x.ndim)), keepdims=True)


def global_max(node: GraphNode, x: Any) -> Any:
    """The largest element of each channel."""
    return traced(x).max(axis=tuple(range(2, x.ndim)), keepdims=True)


def global_norm(node: GraphNode, x: Any) -> Any:
    """The norm `(Σ |x|^p)^(1/p)` of each channel."""
    p = node.get("p", 2)
    return (abs(traced(x)) ** p).sum(axis=tuple(range(2, x.ndim)), keepdims=True) ** (1 / p)


def max_unpool(node: GraphNode, x: Any, places: Any, sizes: Any = None) -> Any:
    """Elements put where `MaxPool` found them, 0 elsewhere."""
    at = windows(node, x.shape[2:], node.get("kernel_shape"))
    full = [
        (n - 1) * s + k - low - high
        for n, s, k, (low, high) in zip(x.shape[2:], at.strides, at.kernel, at.pads, strict=True)
    ]
    shape = [*x.shape[:2], *full]
    flat = jnp.zeros(int(np.prod(shape)), x.dtype).at[traced(places).reshape(-1)].set(traced(x).reshape(-1))
    if sizes is None:
        return flat.reshape(shape)
    wanted = integers(node, sizes, "output shape")
    return jnp.pad(flat.reshape(shape), [(0, n - m) for n, m in zip(wanted, shape, strict=True)])
