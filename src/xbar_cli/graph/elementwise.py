"""Operators that take each element alone, and those of two or more operands that broadcast."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .node import GraphNode
from .values import aligned, alike, cast, element_type, is_floating, is_static, space, traced, usable


def unary(function: str, node: GraphNode, x: Any) -> Any:
    """The function of this name in NumPy or JAX."""
    return getattr(space(x), function)(x)


def binary(function: str, node: GraphNode, a: Any, b: Any) -> Any:
    """The function of this name in NumPy or JAX, of two operands that broadcast."""
    if node.opset < 7:
        node.ignore("broadcast")
    a, b = aligned(a, b)
    return getattr(space(a, b), function)(a, b)


def variadic(function: str, node: GraphNode, *values: Any) -> Any:
    """The function of two operands over any number of them."""
    return functools.reduce(lambda a, b: binary(function, node, a, b), values)


def mean(node: GraphNode, *values: Any) -> Any:
    """Mean over the operands."""
    total = variadic("add", node, *values)
    return total / np.asarray(len(values), total.dtype)


def divide(node: GraphNode, a: Any, b: Any) -> Any:
    """`a / b`; whole numbers are cut towards zero."""
    a, b = aligned(a, b)
    if is_floating(a.dtype):
        return space(a, b).divide(a, b)
    if is_static(a, b):
        return np.where(b == 0, 0, np.sign(a) * np.sign(b) * (np.abs(a) // np.maximum(np.abs(b), 1))).astype(a.dtype)
    return lax.div(*jnp.broadcast_arrays(a, b))


def modulo(node: GraphNode, a: Any, b: Any) -> Any:
    """The remainder, of the sign of `b`, or with `fmod` of `a`."""
    return binary("fmod" if node.get("fmod", 0) else "remainder", node, a, b)


def power(node: GraphNode, a: Any, b: Any) -> Any:
    """`a^b` in the type of `a`."""
    a, b = aligned(a, b)
    dtype = a.dtype
    if is_floating(b.dtype) and not is_floating(dtype):
        a = a.astype(b.dtype)
    if is_floating(dtype) and is_static(b) is False and not is_floating(b.dtype):
        b = b.astype(dtype)
    wide = b.astype(a.dtype) if b.dtype != a.dtype else b
    return cast(space(a, b).power(a, wide), dtype)


def raised(node: GraphNode, a: Any, b: Any) -> Any:
    """`a^b`; the exponents 2 and 0.5 exactly, as a product and a root, also where the base is negative."""
    if is_static(b) and b.size == 1 and is_floating(a.dtype) and b.ndim <= a.ndim:
        if float(b.reshape(())) == 2:
            return a * a
        if float(b.reshape(())) == 0.5:
            return space(a).sqrt(a)
    return power(node, a, b)


def bit_shift(node: GraphNode, a: Any, b: Any) -> Any:
    """Bits moved to the left or right."""
    return binary("left_shift" if node.get("direction") == "LEFT" else "right_shift", node, a, b)


def where(node: GraphNode, condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`."""
    condition, a, b = aligned(condition, a, b)
    return space(condition, a, b).where(condition, a, b)


def clip(node: GraphNode, x: Any, low: Any = None, high: Any = None) -> Any:
    """The value between two bounds, of attributes before opset 11."""
    if node.opset < 11:
        low, high = (
            None if bound is None else np.asarray(bound, x.dtype) for bound in (node.get("min"), node.get("max"))
        )
    if low is not None:
        x = binary("maximum", node, x, low)
    return x if high is None else binary("minimum", node, x, high)


def not_a_number_or_infinite(node: GraphNode, x: Any) -> Any:
    """Whether each element is infinite, of the signs that are asked for."""
    xp = space(x)
    positive, negative = node.get("detect_positive", 1), node.get("detect_negative", 1)
    found = xp.isinf(x)
    if not positive:
        found = found & (x < 0)
    return found if negative else found & (x > 0)


def erf(node: GraphNode, x: Any) -> Any:
    """The error function."""
    return jax.scipy.special.erf(traced(x))


def reciprocal(node: GraphNode, x: Any) -> Any:
    """`1 / x`."""
    return np.asarray(1, x.dtype) / x


def cast_to(node: GraphNode, x: Any) -> Any:
    """The value in another type."""
    node.ignore("saturate", "round_mode")
    return cast(x, element_type(node, node.get("to")))


def cast_like(node: GraphNode, x: Any, like: Any) -> Any:
    """The value in the type of another."""
    node.ignore("saturate", "round_mode")
    return cast(x, like.dtype)


def identity(node: GraphNode, x: Any) -> Any:
    """The value itself."""
    return x


def dropout(node: GraphNode, x: Any, ratio: Any = None, training: Any = None) -> Any:
    """The value itself and a mask of ones: nothing is dropped where nothing is trained.

    Raises:
        ConfigError: training is asked for.
    """
    node.ignore("ratio", "seed", "is_test")
    if training is not None and (not is_static(training) or bool(training)):
        raise node.refusal("training_mode is not supported: export the network in evaluation mode")
    return x, np.ones(x.shape, bool)


def relu(node: GraphNode, x: Any) -> Any:
    """max(0, x)."""
    x = traced(x)
    return jnp.maximum(x, jnp.zeros((), x.dtype))


def leaky_relu(node: GraphNode, x: Any) -> Any:
    """`x` where it is positive, else alpha x."""
    return jnp.where(traced(x) >= 0, x, node.get("alpha", 0.01) * x)


def parametric_relu(node: GraphNode, x: Any, slope: Any) -> Any:
    """`x` where it is positive, else slope x."""
    if node.opset < 7 and slope.size > 1 and slope.ndim == 1:  # one a channel
        slope = slope.reshape((-1,) + (1,) * (x.ndim - 2))
    x, slope = aligned(traced(x), slope)
    return jnp.where(x >= 0, x, slope * x)


def thresholded_relu(node: GraphNode, x: Any) -> Any:
    """`x` where it is above alpha, else 0."""
    return jnp.where(traced(x) > node.get("alpha", 1.0), x, jnp.zeros((), x.dtype))


def elu(node: GraphNode, x: Any) -> Any:
    """`x` where it is positive, else alpha (exp(x) − 1)."""
    return jax.nn.elu(traced(x), node.get("alpha", 1.0))


def selu(node: GraphNode, x: Any) -> Any:
    """`gamma x` where it is positive, else gamma alpha (exp(x) − 1)."""
    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.05070102214813232421875)
    return gamma * jax.nn.elu(traced(x), alpha)


def celu(node: GraphNode, x: Any) -> Any:
    """max(0, x) + min(0, alpha (exp(x/alpha) − 1))."""
    return jax.nn.celu(traced(x), node.get("alpha", 1.0))


def sigmoid(node: GraphNode, x: Any) -> Any:
    """1 / (1 + exp(−x))."""
    return jax.nn.sigmoid(traced(x))


def hard_sigmoid(node: GraphNode, x: Any) -> Any:
    """`alpha x + beta` between 0 and 1."""
    return jnp.clip(node.get("alpha", 0.2) * traced(x) + node.get("beta", 0.5), 0, 1)


def hard_swish(node: GraphNode, x: Any) -> Any:
    """`x` times (x/6 + 1/2 between 0 and 1)."""
    x = traced(x)
    return x * jnp.clip(x / 6 + 0.5, 0, 1)


def swish(node: GraphNode, x: Any) -> Any:
    """`x sigmoid(alpha x)`."""
    x = traced(x)
    return x * jax.nn.sigmoid(node.get("alpha", 1.0) * x)


def softplus(node: GraphNode, x: Any) -> Any:
    """log(1 + exp(x))."""
    return jax.nn.softplus(traced(x))


def softsign(node: GraphNode, x: Any) -> Any:
    """`x` / (1 + |x|)."""
    return jax.nn.soft_sign(traced(x))


def gelu(node: GraphNode, x: Any) -> Any:
    """`x` Φ(x), or its approximation by a tanh."""
    return jax.nn.gelu(traced(x), approximate=node.get("approximate", "none") == "tanh")


def mish(node: GraphNode, x: Any) -> Any:
    """`x` tanh(softplus(x))."""
    return jax.nn.mish(traced(x))


def shrink(node: GraphNode, x: Any) -> Any:
    """`x` ± bias outside of ±lambd, 0 between."""
    bias, bound, x = node.get("bias", 0.0), node.get("lambd", 0.5), traced(x)
    shrunk = jnp.where(x < -bound, x + jnp.asarray(bias, x.dtype), x - jnp.asarray(bias, x.dtype))
    return jnp.where(abs(x) > bound, shrunk, jnp.zeros((), x.dtype))


def swiglu(node: GraphNode, a: Any, b: Any) -> Any:
    """`a sigmoid(alpha a) b`."""
    a, b = alike(traced(a), b)
    return a * jax.nn.sigmoid(node.get("alpha", 1.0) * a) * b


def bit_cast(node: GraphNode, x: Any) -> Any:
    """The same bits read as another type."""
    to = element_type(node, node.get("to"))
    return x.view(to) if is_static(x) else lax.bitcast_convert_type(x, usable(to))
