"""A node of a graph, as the function of its operator sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted


@dataclass(frozen=True)
class GraphNode:
    """One call of an operator.

    Attributes:
        operator: its name, such as `Conv`.
        name: the node's own, or that of its first output.
        opset: the version of the operator set that gives the operator its meaning.
        inputs: names of values; empty where an optional one is left out.
        outputs: names of values; empty where nobody asks for one.
        attributes: by name: numbers, texts, lists, NumPy arrays, and `Body`s where control flow has a graph of its own.
        seen: attributes that the operator's function has looked at. What it has not looked at it does not know.
    """

    operator: str
    name: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    seen: set[str] = field(default_factory=set, compare=False)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or `default` where the node does not have it."""
        self.seen.add(name)
        return self.attributes.get(name, default)

    def ignore(self, *names: str) -> None:
        """Attributes that have no effect on the outputs that are asked for."""
        self.seen.update(names)

    def wants(self, output: int) -> bool:
        """Whether anybody asks for the output of this number."""
        return output < len(self.outputs) and bool(self.outputs[output])

    def refusal(self, text: str) -> ConfigError:
        """The error that says what of this node is not possible."""
        return ConfigError(f"node {quoted(self.name)} ({self.operator}, opset {self.opset}): {text}")

    def check_seen(self) -> None:
        """Raise unless every attribute was looked at.

        Raises:
            ConfigError: one was not, so what it asks for was not done.
        """
        unknown = sorted(set(self.attributes) - self.seen)
        if unknown:
            value = quoted(self.attributes[unknown[0]])
            raise self.refusal(f"the attribute {unknown[0]} = {value} is not supported")


@dataclass(frozen=True)
class Body:
    """A graph, or that of a branch or loop.

    Attributes:
        inputs: names of values that a call gives.
        outputs: names of values that it returns.
        nodes: in an order in which each one's inputs are there.
        constants: what is fixed: integers, truth values, single numbers, and what decides sizes.
        parameters: the key among the graph's parameters by the name of the value here.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[GraphNode, ...]
    constants: Mapping[str, np.ndarray]
    parameters: Mapping[str, str]
