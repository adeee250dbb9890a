"""Values of a graph: NumPy arrays are static, known while tracing; JAX arrays depend on parameters or inputs."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.core import Tracer

from .node import GraphNode

ELEMENT_TYPES: dict[int, Any] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
    16: np.dtype(ml_dtypes.bfloat16),
}
"""By ONNX's number (onnx.proto, `TensorProto.DataType`)."""


def is_static(*values: Any) -> bool:
    """Whether all of them are known while tracing."""
    return all(value is None or isinstance(value, np.ndarray | np.generic) for value in values)


def space(*values: Any) -> Any:
    """`numpy` where all values are static, else `jax.numpy`."""
    return np if is_static(*values) else jnp


def traced(value: Any) -> jax.Array:
    """The value as a JAX array; 64-bit types become what the process computes with."""
    if isinstance(value, jax.Array):
        return value
    value = np.asarray(value)
    return jnp.asarray(value.astype(usable(value.dtype), copy=False))


def usable(dtype: Any) -> np.dtype:
    """The type that JAX has for `dtype`: without 64-bit types, those of 32."""
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))


def alike(*values: Any) -> tuple[Any, ...]:
    """The values, all of NumPy or all of JAX."""
    return values if is_static(*values) else tuple(value if value is None else traced(value) for value in values)


def aligned(*values: Any) -> tuple[Any, ...]:
    """The values, all of NumPy or all of JAX, with axes of one element in front so that their ranks are equal."""
    rank = max(value.ndim for value in values)
    return tuple(
        value if value.ndim == rank else value.reshape((1,) * (rank - value.ndim) + value.shape)
        for value in alike(*values)
    )


def cast(value: Any, dtype: Any) -> Any:
    """The value in another type, static where it was."""
    return value.astype(dtype if is_static(value) else usable(dtype))


def is_floating(dtype: Any) -> bool:
    """Whether it is a type of floating point, those of 16 bits included."""
    return bool(jnp.issubdtype(dtype, jnp.floating))


def element_type(node: GraphNode, code: int) -> np.dtype:
    """The NumPy type of an ONNX number of a type.

    Raises:
        ConfigError: texts, complex numbers and types of 8 and 4 bits in floating point have none here.
    """
    if code not in ELEMENT_TYPES:
        raise node.refusal(
            f"the element type {code} is not supported (floating point of 16 to 64 bits, integers, bool)"
        )
    return ELEMENT_TYPES[code]


def static(node: GraphNode, value: Any, what: str) -> np.ndarray:
    """A value that must be known while tracing.

    Raises:
        ConfigError: it depends on the values of inputs or parameters.
    """
    if isinstance(value, Tracer):
        raise node.refusal(f"its {what} depends on the values of an input; sizes must follow from shapes and constants")
    return np.asarray(value)


def integers(node: GraphNode, value: Any, what: str) -> list[int]:
    """Whole numbers that must be known while tracing; see `static`."""
    return [int(one) for one in static(node, value, what).reshape(-1)]


def axis_of(node: GraphNode, axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        ConfigError: the value has no such axis.
    """
    if not -rank <= axis < max(rank, 1):
        raise node.refusal(f"the axis {axis} is not one of a value with {rank} axes")
    return axis % max(rank, 1)


def axes_of(node: GraphNode, axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front; see `axis_of`."""
    return [axis_of(node, axis, rank) for axis in axes]
