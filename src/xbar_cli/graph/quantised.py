"""Whole numbers with a scale and a zero point: to and from floating point, in which everything is computed."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from .node import Node
from .values import alike, axis_of, cast, element_type, is_floating, space, traced


def spread(node: Node, value: Any, x: Any, axis: int, block: int) -> Any:
    """A scale or zero point in the shape of `x`: one for all, one an index of `axis`, or one a block along it."""
    if value.size == 1:
        return value.reshape((1,) * x.ndim)
    axis = axis_of(node, axis, x.ndim)
    if value.ndim == 1:
        return value.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    if not block:
        raise node.refusal("a scale of several axes is supported with block_size only")
    wide = space(value).repeat(value, block, axis=axis)
    return wide[(slice(None),) * axis + (slice(0, x.shape[axis]),)]


def dequantize(node: Node, x: Any, scale: Any, zero: Any = None) -> Any:
    """`(x − zero) scale`."""
    axis, block, code = node.get("axis", 1), node.get("block_size", 0), node.get("output_dtype", 0)
    x, scale, zero = alike(x, scale, zero)
    out = cast(x, np.float32)
    if zero is not None:
        out = out - cast(spread(node, zero, x, axis, block), np.float32)
    out = out * cast(spread(node, scale, x, axis, block), np.float32)
    return cast(out, element_type(node, code) if code else scale.dtype)


def quantize(node: Node, x: Any, scale: Any, zero: Any = None) -> Any:
    """`round(x / scale) + zero`, bounded to the type of the zero point; even numbers at halves."""
    axis, block, code = node.get("axis", 1), node.get("block_size", 0), node.get("output_dtype", 0)
    node.ignore("saturate", "precision")
    x, scale, zero = alike(x, scale, zero)
    target = np.dtype(zero.dtype) if zero is not None else element_type(node, code or 2)
    if is_floating(target):
        raise node.refusal(f"quantising to {target} is not supported (integers)")
    xp = space(x, scale, zero)
    out = xp.round(cast(x, np.float32) / cast(spread(node, scale, x, axis, block), np.float32))
    if zero is not None:
        out = out + cast(spread(node, zero, x, axis, block), np.float32)
    bounds = np.iinfo(target)
    return xp.clip(out, float(bounds.min), float(bounds.max)).astype(target)


def dynamic_quantize(node: Node, x: Any) -> tuple[Any, Any, Any]:
    """Eight bits over the range of `x`: the whole numbers, their scale and zero point."""
    x = traced(x)
    low, high = jnp.minimum(x.min(), 0), jnp.maximum(x.max(), 0)
    scale = (high - low) / 255
    safe = jnp.where(scale == 0, jnp.ones((), x.dtype), scale)
    zero = jnp.clip(jnp.round(-low / safe), 0, 255)
    out = jnp.clip(jnp.round(x / safe) + zero, 0, 255)
    return out.astype(np.uint8), scale, zero.astype(np.uint8)


def round_to_integer(node: Node, x: Any) -> Any:
    """Whole numbers that were computed in floating point."""
    return traced(x).round().astype(jnp.int32)
