"""Scales and shifts: by statistics that are stored or of the input itself, and shares of a row."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .node import GraphNode
from .values import axis_of, element_type, traced, usable


def per_channel(value: Any, rank: int) -> Any:
    """A number a channel [C] as [1, C, 1, …]."""
    return traced(value).reshape((1, -1) + (1,) * (rank - 2))


def batch_normalization(node: GraphNode, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    """`(x − mean) / sqrt(variance + epsilon) · scale + bias` with stored statistics; in training mode with those of `x`."""
    x = traced(x)
    momentum, epsilon = node.get("momentum", 0.9), node.get("epsilon", 1e-5)
    training = node.get("training_mode", 0)
    node.ignore("spatial", "is_test")
    mean, variance = traced(mean), traced(variance)
    used = (mean, variance)
    if training:
        axes = (0, *range(2, x.ndim))
        used = (x.mean(axis=axes), x.var(axis=axes))
    gain = traced(scale) * lax.rsqrt(used[1] + jnp.asarray(epsilon, used[1].dtype)).astype(scale.dtype)
    shift = traced(bias) - used[0].astype(gain.dtype) * gain
    out = x * per_channel(gain, x.ndim) if gain.dtype == x.dtype else x.astype(gain.dtype) * per_channel(gain, x.ndim)
    out = (out + per_channel(shift, x.ndim)).astype(x.dtype)
    if not training:
        return out
    return out, *(old * momentum + new * (1 - momentum) for old, new in zip((mean, variance), used, strict=True))


def standardised(x: Any, axes: Sequence[int], epsilon: float) -> tuple[Any, Any, Any]:
    """`x` with mean 0 and variance 1 over axes, its mean and one over its deviation."""
    mean = x.mean(axis=tuple(axes), keepdims=True)
    away = x - mean
    inverse = lax.rsqrt((away * away).mean(axis=tuple(axes), keepdims=True) + jnp.asarray(epsilon, x.dtype))
    return away * inverse, mean, inverse


def instance_normalization(node: GraphNode, x: Any, scale: Any, bias: Any) -> Any:
    """Each channel of each sample standardised."""
    x = traced(x)
    out, _, _ = standardised(x, range(2, x.ndim), node.get("epsilon", 1e-5))
    return out * per_channel(scale, x.ndim) + per_channel(bias, x.ndim)


def group_normalization(node: GraphNode, x: Any, scale: Any, bias: Any) -> Any:
    """Groups of channels of each sample standardised; scale and bias are of groups before opset 21, of channels since."""
    groups = node.get("num_groups")
    node.ignore("stash_type")
    x = traced(x)
    parts = x.reshape(x.shape[0], groups, -1)
    out = standardised(parts, (2,), node.get("epsilon", 1e-5))[0].reshape(x.shape)
    scale, bias = traced(scale), traced(bias)
    if node.opset < 21:
        scale, bias = (jnp.repeat(one, x.shape[1] // groups) for one in (scale, bias))
    return out * per_channel(scale, x.ndim) + per_channel(bias, x.ndim)


def layer_normalization(node: GraphNode, x: Any, scale: Any, bias: Any = None) -> tuple[Any, Any, Any]:
    """The last axes of `x` standardised, with a scale and a bias; mean and one over the deviation beside it."""
    x = traced(x)
    wide = usable(element_type(node, node.get("stash_type", 1)))
    axis = axis_of(node, node.get("axis", -1), x.ndim)
    out, mean, inverse = standardised(x.astype(wide), range(axis, x.ndim), node.get("epsilon", 1e-5))
    out = out.astype(x.dtype) * in_rank(scale, x.ndim)
    return (out if bias is None else out + in_rank(bias, x.ndim)), mean, inverse


def in_rank(value: Any, rank: int) -> Any:
    """The value with axes of one element in front."""
    value = traced(value)
    return value.reshape((1,) * (rank - value.ndim) + value.shape)


def rms_normalization(node: GraphNode, x: Any, scale: Any) -> Any:
    """The last axes of `x` over their root mean square, with a scale."""
    x = traced(x)
    wide = usable(element_type(node, node.get("stash_type", 1)))
    axis = axis_of(node, node.get("axis", -1), x.ndim)
    large = x.astype(wide)
    square = (large * large).mean(axis=tuple(range(axis, x.ndim)), keepdims=True)
    out = large * lax.rsqrt(square + jnp.asarray(node.get("epsilon", 1e-5), wide))
    return out.astype(scale.dtype) * in_rank(scale, x.ndim)


def mean_variance_normalization(node: GraphNode, x: Any) -> Any:
    """`(x − mean) / (deviation + 1e-9)` over axes."""
    x, axes = traced(x), tuple(node.get("axes", [0, 2, 3]))
    away = x - x.mean(axis=axes, keepdims=True)
    return away / (jnp.sqrt((away * away).mean(axis=axes, keepdims=True)) + 1e-9)


def norm_normalization(node: GraphNode, x: Any) -> Any:
    """`x` over its norm along an axis, 0 where that is 0."""
    x, axis, p = traced(x), axis_of(node, node.get("axis", -1), x.ndim), node.get("p", 2)
    norm = abs(x).sum(axis=axis, keepdims=True) if p == 1 else jnp.sqrt((x * x).sum(axis=axis, keepdims=True))
    return jnp.where(norm == 0, jnp.zeros((), x.dtype), x / jnp.where(norm == 0, jnp.ones((), x.dtype), norm))


def local_response(node: GraphNode, x: Any) -> Any:
    """`x / (bias + alpha/size Σ x²)^beta`, the sum over neighbouring channels.

    References:
        Krizhevsky, Sutskever, Hinton (2012), section 3.3.
    """
    x, size = traced(x), node.get("size")
    before = math.floor((size - 1) / 2)
    wide = jnp.pad(x * x, [(0, 0), (before, size - 1 - before)] + [(0, 0)] * (x.ndim - 2))
    total = lax.reduce_window(
        wide, np.asarray(0, x.dtype), lax.add, (1, size, *(1,) * (x.ndim - 2)), (1,) * x.ndim, "VALID"
    )
    return x / (node.get("bias", 1.0) + node.get("alpha", 1e-4) / size * total) ** node.get("beta", 0.75)


def hardmax(node: GraphNode, x: Any) -> Any:
    """1 at the first of the largest elements of an axis, 0 elsewhere; the axes from it on are one before opset 13."""
    return along(
        node,
        x,
        lambda rows, axis: jax.nn.one_hot(jnp.argmax(rows, axis), rows.shape[axis], axis=axis, dtype=rows.dtype),
    )


def softmax(node: GraphNode, x: Any) -> Any:
    """Shares exp(x) / Σ exp(x) along an axis; the axes from it on are one before opset 13."""
    return along(node, x, lambda rows, axis: jax.nn.softmax(rows, axis=axis))


def log_softmax(node: GraphNode, x: Any) -> Any:
    """The logarithm of `softmax`."""
    return along(node, x, lambda rows, axis: jax.nn.log_softmax(rows, axis=axis))


def along(node: GraphNode, x: Any, function: Any) -> Any:
    """A function of an axis; before opset 13, of all axes from it on taken as one."""
    x = traced(x)
    if node.opset >= 13:
        return function(x, axis_of(node, node.get("axis", -1), x.ndim))
    axis = axis_of(node, node.get("axis", 1), x.ndim)
    rows = x.reshape(int(np.prod(x.shape[:axis])), -1)
    return function(rows, 1).reshape(x.shape)
