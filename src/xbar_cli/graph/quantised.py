"""Whole numbers with a scale and a zero point: to and from floating point, in which everything is computed.

Operators on whole numbers become others in floating point while gathered, so that their weights are parameters as any other's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from .node import GraphNode
from .values import alike, axis_of, cast, element_type, is_floating, space, traced


def spread(node: GraphNode, value: Any, x: Any, axis: int, block: int) -> Any:
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


def dequantize(node: GraphNode, x: Any, scale: Any, zero: Any = None) -> Any:
    """`(x − zero) scale`."""
    axis, block, code = node.get("axis", 1), node.get("block_size", 0), node.get("output_dtype", 0)
    x, scale, zero = alike(x, scale, zero)
    out = cast(x, np.float32)
    if zero is not None:
        out = out - cast(spread(node, zero, x, axis, block), np.float32)
    out = out * cast(spread(node, scale, x, axis, block), np.float32)
    return cast(out, element_type(node, code) if code else scale.dtype)


def quantize(node: GraphNode, x: Any, scale: Any, zero: Any = None) -> Any:
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


def dynamic_quantize(node: GraphNode, x: Any) -> tuple[Any, Any, Any]:
    """Eight bits over the range of `x`: the whole numbers, their scale and zero point."""
    x = traced(x)
    low, high = jnp.minimum(x.min(), 0), jnp.maximum(x.max(), 0)
    scale = (high - low) / 255
    safe = jnp.where(scale == 0, jnp.ones((), x.dtype), scale)
    zero = jnp.clip(jnp.round(-low / safe), 0, 255)
    out = jnp.clip(jnp.round(x / safe) + zero, 0, 255)
    return out.astype(np.uint8), scale, zero.astype(np.uint8)


def round_to_integer(node: GraphNode, x: Any) -> Any:
    """Whole numbers that were computed in floating point."""
    return traced(x).round().astype(jnp.int32)


def rewritten(node: GraphNode) -> list[GraphNode]:
    """The nodes that compute what the node does; itself where its operator needs no rewriting."""
    match node.operator:
        case "QLinearConv":
            return quantised_conv(node)
        case "QLinearMatMul":
            return quantised_matmul(node)
        case "ConvInteger":
            return whole(node, "Conv", axis=0)
        case "MatMulInteger":
            return whole(node, "MatMul", axis=-1)
    return [node]


def part(node: GraphNode, operator: str, inputs: Sequence[str], output: str, **attributes: object) -> GraphNode:
    """A node that does a part of the work of `node`."""
    return GraphNode(operator, node.name, node.opset, tuple(inputs), (output,), attributes)


def quantised_conv(node: GraphNode) -> list[GraphNode]:
    """`QLinearConv` as dequantised input and kernel, `Conv` and quantised output; the bias has both scales."""
    x, x_scale, x_zero, w, w_scale, w_zero, scale, zero, *bias = node.inputs
    out = node.outputs[0]
    nodes = [
        part(node, "DequantizeLinear", (x, x_scale, x_zero), f"{out}.input"),
        part(node, "DequantizeLinear", (w, w_scale, w_zero), f"{w}.dequantised", axis=0),
    ]
    inputs = [f"{out}.input", f"{w}.dequantised"]
    if bias and bias[0]:
        nodes.append(part(node, "Mul", (x_scale, w_scale), f"{out}.scale"))
        nodes.append(part(node, "DequantizeLinear", (bias[0], f"{out}.scale"), f"{bias[0]}.dequantised", axis=0))
        inputs.append(f"{bias[0]}.dequantised")
    nodes.append(replace(node, operator="Conv", inputs=tuple(inputs), outputs=(f"{out}.floating",)))
    nodes.append(part(node, "QuantizeLinear", (f"{out}.floating", scale, zero), out))
    return nodes


def quantised_matmul(node: GraphNode) -> list[GraphNode]:
    """`QLinearMatMul` as dequantised operands, `MatMul` and quantised output."""
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = node.inputs
    out = node.outputs[0]
    return [
        part(node, "DequantizeLinear", (a, a_scale, a_zero), f"{out}.left", axis=-2),
        part(node, "DequantizeLinear", (b, b_scale, b_zero), f"{b}.dequantised", axis=-1),
        part(node, "MatMul", (f"{out}.left", f"{b}.dequantised"), f"{out}.floating"),
        part(node, "QuantizeLinear", (f"{out}.floating", scale, zero), out),
    ]


def whole(node: GraphNode, operator: str, *, axis: int) -> list[GraphNode]:
    """A product of whole numbers, exact in floating point up to 2²⁴, as one of numbers less their zero points."""
    a, b, *zeros = node.inputs
    a_zero, b_zero = [*zeros, "", ""][:2]
    out = node.outputs[0]
    one = part(node, "Constant", (), f"{out}.one", value=np.asarray(1, np.float32))
    left = -2 if operator == "MatMul" else 1
    return [
        one,
        part(node, "DequantizeLinear", (a, f"{out}.one", a_zero), f"{out}.left", axis=left),
        part(node, "DequantizeLinear", (b, f"{out}.one", b_zero), f"{b}.dequantised", axis=axis),
        replace(node, operator=operator, inputs=(f"{out}.left", f"{b}.dequantised"), outputs=(f"{out}.floating",)),
        part(node, "RoundToInteger", (f"{out}.floating",), out),
    ]
