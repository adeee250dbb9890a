"""A network from an .onnx file, its products ready for arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.errors import NetworkFileError
from xbar_cli.graph.model import Graph, read_graph

from .crossbar import Crossbar, to_crossbar
from .own import require_outputs


def graph_network(file: Path, *, shape: tuple[int, ...], outputs: int, dtype: Any = jnp.float32) -> Crossbar:
    """The network of `file` for inputs of `shape`, with the file's weights.

    Inputs `[… channels]` are turned to `[channels …]` where the graph wants them so; its first output is the network's. A
    graph for one image at a time is mapped over the images.

    Raises:
        NetworkFileError: the graph has several inputs, takes other shapes, or holds nothing for arrays.
        ConfigError: the file cannot be read as a graph.
    """
    graph = read_graph(file)
    if len(graph.inputs) != 1:
        names = ", ".join(port.name for port in graph.inputs)
        raise NetworkFileError(f"{file} has the inputs {names}: a network of one input is wanted")
    function = _batched(graph, file, shape)
    try:
        net = to_crossbar(function, shape=shape, dtype=dtype, parameters=graph.params)
    except ValueError as error:
        raise NetworkFileError(f"{file}: {error}") from None
    require_outputs(net, f"{file}", shape=shape, outputs=outputs, dtype=dtype)
    return net


def _batched(graph: Graph, file: Path, shape: tuple[int, ...]) -> Callable[[Any, Array], Array]:
    """The function of a batch of inputs that the graph is."""
    wanted = graph.inputs[0].shape
    orders = {"as they are": tuple(range(len(shape))), "channels first": (len(shape) - 1, *range(len(shape) - 1))}
    fitting = [order for order in orders.values() if wanted is None or _fits(wanted, tuple(shape[k] for k in order))]
    if not fitting:
        shown = ", ".join("?" if one is None else str(one) for one in wanted or ())
        raise NetworkFileError(f"{file} takes inputs [{shown}], the data set has {list(shape)} (of one input)")
    order = (0, *(axis + 1 for axis in fitting[0]))
    count = wanted[0] if wanted else None

    def function(params: Any, x: Array) -> Array:
        x = x.transpose(order)
        if count == 1:
            return jax.vmap(lambda one: graph(params, one[None])[0][0])(x)
        return graph(params, x)[0]

    if isinstance(count, int) and count != 1:
        raise NetworkFileError(f"{file} takes {count} inputs at a time: export it with a free batch size, or with 1")
    return function


def _fits(wanted: tuple[int | str | None, ...], shape: tuple[int, ...]) -> bool:
    """Whether inputs of one shape are those that a port wants, whose first axis is that of the images."""
    return len(wanted) == len(shape) + 1 and all(
        not isinstance(size, int) or size == given for size, given in zip(wanted[1:], shape, strict=True)
    )
