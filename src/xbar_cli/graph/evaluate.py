"""A `Body` with values: node after node."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from xbar_cli.errors import XbarError
from xbar_cli.outside import quoted_error

from .node import Body, GraphNode
from .operators import OPERATORS


def evaluate(body: Body, params: Mapping[str, Any], inputs: Sequence[Any], outer: Mapping[str, Any]) -> list[Any]:
    """The outputs of a graph.

    Args:
        body: the graph.
        params: weights by key, JAX arrays.
        inputs: as many as the graph has; NumPy arrays are static.
        outer: values of the graphs around it, by name.

    Raises:
        ConfigError: a node cannot be computed with these inputs.
    """
    values: dict[str, Any] = {**outer, **body.constants}
    values.update((name, params[key]) for name, key in body.parameters.items())
    values.update(zip(body.inputs, inputs, strict=True))
    for node in body.nodes:
        given = [values[name] if name else None for name in node.inputs]
        out = call(bound(node, params, values), given)
        values.update((name, value) for name, value in zip(node.outputs, out, strict=False) if name)
    return [values[name] for name in body.outputs]


def bound(node: GraphNode, params: Mapping[str, Any], values: Mapping[str, Any]) -> GraphNode:
    """The node with its graphs as functions, which see the values around them."""
    bodies = {name: value for name, value in node.attributes.items() if isinstance(value, Body)}
    if not bodies:
        return node
    around = dict(values)

    def function(body: Body) -> Any:
        return lambda *inputs: tuple(evaluate(body, params, inputs, around))

    return replace(node, attributes={**node.attributes, **{name: function(body) for name, body in bodies.items()}})


def call(node: GraphNode, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """The outputs of a node.

    Raises:
        ConfigError: its operator does not take such inputs.
    """
    try:
        out = OPERATORS[node.operator](node, *inputs)
    except XbarError:
        raise
    except (
        TypeError,
        ValueError,
        IndexError,
        KeyError,
        AttributeError,
        ArithmeticError,
        MemoryError,
        NotImplementedError,
    ) as error:
        shapes = ", ".join("none" if one is None else str(getattr(one, "shape", "list")) for one in inputs)
        raise node.refusal(f"{first_line(error)} (inputs of shapes {shapes})") from error
    node.check_seen()
    return tuple(plain(one) for one in out) if isinstance(out, tuple) else (plain(out),)


def first_line(error: BaseException) -> str:
    """What a library says first of an error."""
    text = quoted_error(error)
    return text.splitlines()[0] if text else type(error).__name__


def plain(value: Any) -> Any:
    """A value as an array of NumPy or JAX, or a list of them."""
    return value if isinstance(value, jax.Array | list | np.ndarray) else np.asarray(value)
