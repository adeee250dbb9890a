"""`read_graph`: a network from an .onnx file as a JAX function of its weights and inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from xbar_cli.errors import ConfigError
from xbar_cli.outside import printable, quoted

from .evaluate import evaluate
from .file import check, load, opset_of
from .node import Body
from .parse import Gathered, parse_graph
from .values import ELEMENT_TYPES, traced, usable

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Attributes:
        name: as the file has it.
        shape: sizes; a name or None where the file leaves one open. None where it says nothing at all.
        dtype: of its elements; 64-bit types are computed with 32 bits unless JAX's `jax_enable_x64` is set.
    """

    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: np.dtype

    def check(self, value: Any) -> None:
        """Raise unless a value can be this input.

        Raises:
            ValueError: another number of axes, another fixed size, or another kind of elements.
        """
        kinds = (jnp.floating, jnp.integer, jnp.bool_)
        if not any(jnp.issubdtype(value.dtype, kind) and jnp.issubdtype(self.dtype, kind) for kind in kinds):
            raise ValueError(f"the input {quoted(self.name)} must be {self.dtype}; it is {value.dtype}")
        if self.shape is None:
            return
        fits = len(self.shape) == value.ndim and all(
            not isinstance(wanted, int) or wanted == n for wanted, n in zip(self.shape, value.shape, strict=True)
        )
        if not fits:
            shown = ", ".join("?" if one is None else str(one) for one in self.shape)
            raise ValueError(f"the input {quoted(self.name)} must have the shape [{shown}]; it has {list(value.shape)}")


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as a function: `graph(params, *inputs)` returns a tuple of outputs.

    It can be traced, compiled and differentiated by JAX for inputs of given shapes. An input that is a NumPy array of
    integers or truth values is static: it may decide sizes and branches. What depends on shapes and constants alone is
    computed by NumPy while tracing.

    Attributes:
        params: weights by the name of the initialiser or constant: all in floating point of more than one element but
            those that decide sizes. Quantised weights are here in floating point.
        inputs: in the order of the arguments.
        outputs: in the order of what is returned.
        opset: version of the operator set.
        producer: the program that wrote the file; empty where it does not say.
        operators: how often each operator stands in the file, bodies of branches and loops included.
        body: the nodes.
    """

    params: dict[str, np.ndarray]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    opset: int
    producer: str
    operators: dict[str, int]
    body: Body

    def __call__(self, params: Mapping[str, Any], *inputs: Any) -> tuple[Any, ...]:
        """The outputs for weights and inputs.

        Args:
            params: by the names of `self.params`, of the same shapes.
            inputs: arrays, one for each of `self.inputs`.

        Raises:
            ValueError: a weight or an input is missing, or of another shape or type.
            ConfigError: a node cannot be computed with inputs of these shapes.
        """
        if len(inputs) != len(self.inputs):
            raise ValueError(f"{len(self.inputs)} inputs are wanted ({self._names()}), {len(inputs)} were given")
        absent = sorted(set(self.params) - set(params))
        if absent:
            raise ValueError(f"the weight {quoted(absent[0])} is missing")
        weights = {}
        for name, value in self.params.items():
            weights[name] = traced(params[name])
            if weights[name].shape != value.shape:
                raise ValueError(
                    f"the weight {quoted(name)} must have the shape {value.shape}; it has {weights[name].shape}"
                )
        given = [prepared(port, value) for port, value in zip(self.inputs, inputs, strict=True)]
        return tuple(traced(value) for value in evaluate(self.body, weights, given, {}))

    def _names(self) -> str:
        """Names of the inputs."""
        return ", ".join(quoted(port.name) for port in self.inputs)


def prepared(port: Port, value: Any) -> Any:
    """An input in the type of its port; integers and truth values of NumPy stay static."""
    value = value if hasattr(value, "dtype") and hasattr(value, "shape") else np.asarray(value)
    port.check(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iub":
        return np.asarray(value, port.dtype)
    return traced(value).astype(usable(port.dtype))


def read_graph(path: Path) -> Graph:
    """Read a network from an .onnx file.

    The file is read and checked by the package `onnx`; nothing in it is executed. Data in other files must lie in its
    folder.

    Raises:
        ConfigError: the file is missing, damaged, too large or no ONNX model; it has an operator, an attribute or a type
            that is not supported.
    """
    path = Path(path)
    model = load(path)
    gathered = Gathered(opset=opset_of(model, path))
    try:
        body = parse_graph(model.graph, gathered, where="graph", outer={})
        model = check(model, path)
        held = {tensor.name for tensor in model.graph.initializer}
        inputs = tuple(port(value) for value in model.graph.input if value.name not in held)
        outputs = tuple(port(value) for value in model.graph.output)
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None
    producer = printable(f"{model.producer_name} {model.producer_version}".strip())
    return Graph(gathered.params, inputs, outputs, gathered.opset, producer, dict(gathered.counts), body)


def port(value: "onnx.ValueInfoProto") -> Port:
    """An input or output as the file declares it.

    Raises:
        ConfigError: it is no tensor of numbers.
    """
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in ELEMENT_TYPES:
        raise ConfigError(f"the input or output {quoted(value.name)} is no tensor of numbers or truth values")
    if not kind.HasField("shape"):
        return Port(value.name, None, ELEMENT_TYPES[kind.elem_type])
    shape = tuple(
        dim.dim_param or (dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None)
        for dim in kind.shape.dim
    )
    return Port(value.name, shape, ELEMENT_TYPES[kind.elem_type])
