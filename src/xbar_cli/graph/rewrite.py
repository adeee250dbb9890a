"""Operators on whole numbers as others in floating point, so that their weights are parameters as any other's."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .node import Node


def rewritten(node: Node) -> list[Node]:
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


def part(node: Node, operator: str, inputs: Sequence[str], output: str, **attributes: object) -> Node:
    """A node that does a part of the work of `node`."""
    return Node(operator, node.name, node.opset, tuple(inputs), (output,), attributes)


def quantised_conv(node: Node) -> list[Node]:
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


def quantised_matmul(node: Node) -> list[Node]:
    """`QLinearMatMul` as dequantised operands, `MatMul` and quantised output."""
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = node.inputs
    out = node.outputs[0]
    return [
        part(node, "DequantizeLinear", (a, a_scale, a_zero), f"{out}.left", axis=-2),
        part(node, "DequantizeLinear", (b, b_scale, b_zero), f"{b}.dequantised", axis=-1),
        part(node, "MatMul", (f"{out}.left", f"{b}.dequantised"), f"{out}.floating"),
        part(node, "QuantizeLinear", (f"{out}.floating", scale, zero), out),
    ]


def whole(node: Node, operator: str, *, axis: int) -> list[Node]:
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
        replace(
            node, operator=operator, inputs=(f"{out}.left", f"{b}.dequantised"), outputs=(f"{out}.floating",)
        ),
        part(node, "RoundToInteger", (f"{out}.floating",), out),
    ]
