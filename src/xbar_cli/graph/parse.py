"""From the nodes of a file to a `Body`: what is a parameter, what is fixed, what is computed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

from .node import Body, GraphNode
from .operators import OPERATORS, SUPPORTED
from .quantised import rewritten
from .values import is_floating

if TYPE_CHECKING:
    import onnx

OURS = ("", "ai.onnx")
"""Domains of the standard operators."""
STANDARD = "ai.onnx"
FOLDED = ("Constant", "ConstantOfShape", "DequantizeLinear", "Cast", "CastLike", "Mul")
"""Operators whose results are weights where all their inputs are constants. `Mul` is for products of scales."""
STRUCTURAL = {"Resize": (1, 2, 3), "Upsample": (1,), "Range": (0, 1, 2)}
"""Inputs in floating point that decide sizes, by their place."""
MOST_ELEMENTS = 2**30
"""Elements of a constant that a file describes without holding them."""


@dataclass
class Gathered:
    """What is gathered while the graphs of a file are read.

    Attributes:
        opset: the version of the standard operators.
        params: weights by key.
        counts: how often each operator stands in the file.
    """

    opset: int
    params: dict[str, np.ndarray] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def key(self, name: str, where: str, value: np.ndarray) -> str:
        """A key for a weight: its name, with where it stands before it when that is another's."""
        key = name if name not in self.params else f"{where}.{name}"
        self.params[key] = value
        return key


def parse_graph(graph: "onnx.GraphProto", gathered: Gathered, *, where: str, outer: Mapping[str, np.ndarray]) -> Body:
    """The body of a graph; its weights go into `gathered`.

    Args:
        graph: as the file has it, checked.
        gathered: of the file.
        where: the node and branch that it belongs to.
        outer: constants of the graphs around it.

    Raises:
        ConfigError: an operator, a type or a form of a value that is not supported.
    """
    known = initializers(graph)
    seen = {**outer, **known}
    nodes = []
    for proto in graph.node:
        node = parse_node(proto, gathered)
        for one in rewritten(node):
            if fold(one, seen):
                known[one.outputs[0]] = seen[one.outputs[0]]
            else:
                nodes.append(with_bodies(one, gathered, seen))
    outputs = tuple(value.name for value in graph.output)
    nodes, used = needed(nodes, outputs)
    fixed = structural(nodes)
    constants, parameters = {}, {}
    for name, value in known.items():
        if name not in used:
            continue
        if is_floating(value.dtype) and value.size > 1 and name not in fixed:
            parameters[name] = gathered.key(name, where, np.ascontiguousarray(value))
        else:
            constants[name] = value
    inputs = tuple(value.name for value in graph.input if value.name not in known)
    return Body(inputs, outputs, tuple(nodes), constants, parameters)


def initializers(graph: "onnx.GraphProto") -> dict[str, np.ndarray]:
    """The tensors that the graph holds, by name."""
    if graph.sparse_initializer:
        raise ConfigError(
            f"the initialiser {quoted(graph.sparse_initializer[0].values.name)} is sparse; only dense ones are read"
        )
    return {tensor.name: array(tensor, f"the initialiser {quoted(tensor.name)}") for tensor in graph.initializer}


def array(tensor: "onnx.TensorProto", what: str) -> np.ndarray:
    """The numbers of a tensor.

    Raises:
        ConfigError: it holds texts, or not as many numbers as its shape says.
    """
    from onnx import numpy_helper

    try:
        value = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ConfigError(f"{what} cannot be read ({quoted(str(error))})") from None
    if value.dtype.kind not in "biuf" and not is_floating(value.dtype) and "int" not in value.dtype.name:
        raise ConfigError(f"{what} holds {value.dtype}; only numbers and truth values are read")
    return value


def parse_node(proto: "onnx.NodeProto", gathered: Gathered) -> GraphNode:
    """A node with its attributes as Python values.

    Raises:
        ConfigError: its operator is not supported.
    """
    name = proto.name or (proto.output[0] if proto.output else "")
    gathered.counts[proto.op_type] += 1
    node = GraphNode(proto.op_type, name, gathered.opset, tuple(proto.input), tuple(proto.output), {})
    if proto.domain not in OURS:
        operator = quoted(f"{proto.domain}.{proto.op_type}")
        raise ConfigError(
            f"node {quoted(name)}: the operator {operator} is not supported: only those of {STANDARD} are"
        )
    if proto.op_type not in SUPPORTED:
        raise ConfigError(
            f"node {quoted(name)}: the operator {quoted(proto.op_type)} is not supported (opset {gathered.opset})"
        )
    return replace(node, attributes={attribute.name: attribute_value(node, attribute) for attribute in proto.attribute})


def attribute_value(node: GraphNode, attribute: "onnx.AttributeProto") -> Any:
    """The value of an attribute: texts decoded, tensors as arrays, graphs as they are.

    Raises:
        ConfigError: it is of a kind that is not supported.
    """
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    kinds = onnx.AttributeProto
    match attribute.type:
        case kinds.STRING:
            return value.decode("utf-8", "replace")
        case kinds.STRINGS:
            return [one.decode("utf-8", "replace") for one in value]
        case kinds.TENSOR:
            return array(value, f"node {quoted(node.name)}: the attribute {attribute.name}")
        case kinds.FLOAT | kinds.INT | kinds.GRAPH:
            return value
        case kinds.FLOATS | kinds.INTS:
            return list(value)
    raise node.refusal(f"the attribute {quoted(attribute.name)} is of a kind that is not supported")


def with_bodies(node: GraphNode, gathered: Gathered, known: Mapping[str, np.ndarray]) -> GraphNode:
    """The node with the graphs among its attributes parsed."""
    graphs = {name: value for name, value in node.attributes.items() if hasattr(value, "node")}
    if not graphs:
        return node
    bodies = {
        name: parse_graph(graph, gathered, where=f"{node.name}.{name}", outer=known) for name, graph in graphs.items()
    }
    return replace(node, attributes={**node.attributes, **bodies})


def fold(node: GraphNode, known: dict[str, np.ndarray]) -> bool:
    """Compute a node of constants now, into `known`; whether that was done."""
    if node.operator not in FOLDED or any(name and name not in known for name in node.inputs):
        return False
    inputs = [known[name] if name else None for name in node.inputs]
    whole = node.operator == "Mul" and not node.outputs[0].endswith(".scale")
    if whole and any(one is not None and is_floating(one.dtype) for one in inputs):
        return False  # two weights: their product is for the function to compute
    if node.operator in ("Cast", "CastLike") and inputs[0] is not None and not is_floating(inputs[0].dtype):
        return False  # a mask or numbers of places: no weight
    if node.operator == "ConstantOfShape" and inputs[0] is not None and np.prod(inputs[0], dtype=float) > MOST_ELEMENTS:
        raise node.refusal(f"a constant of more than {MOST_ELEMENTS} elements")
    known[node.outputs[0]] = np.asarray(OPERATORS[node.operator](node, *inputs))
    node.check_seen()
    return True


def names_used(node: GraphNode) -> set[str]:
    """Names that a node reads, those that graphs of its own read from around them among them."""
    found = {name for name in node.inputs if name}
    for body in bodies_of(node):
        inner = set(body.outputs).union(*(names_used(one) for one in body.nodes))
        found |= inner
    return found


def bodies_of(node: GraphNode) -> list[Body]:
    """The graphs among the attributes of a node."""
    return [value for value in node.attributes.values() if isinstance(value, Body)]


def needed(nodes: Iterable[GraphNode], outputs: Iterable[str]) -> tuple[list[GraphNode], set[str]]:
    """The nodes whose outputs somebody asks for, and every name that is read."""
    used, kept = set(outputs), []
    for node in reversed(list(nodes)):
        if used.intersection(node.outputs):
            kept.append(node)
            used |= names_used(node)
    return kept[::-1], used


def structural(nodes: Iterable[GraphNode]) -> set[str]:
    """Names of values that decide sizes: they must be static."""
    found: set[str] = set()
    for node in reversed(list(nodes)):
        places = STRUCTURAL.get(node.operator, ())
        found |= {node.inputs[place] for place in places if place < len(node.inputs)}
        if found.intersection(node.outputs) and node.operator not in ("Shape", "Size"):
            found |= names_used(node)
        for body in bodies_of(node):
            found |= structural(body.nodes)
    return found
