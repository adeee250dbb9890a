"""What a network's layers look like to the hardware: kernels, inputs, output positions, parameters by name."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from xbar_cli.array.ideal import Contract
from xbar_cli.outside import quoted

from .contracts import MatrixProduct
from .layers import groups_in, is_dense

T = TypeVar("T")
KERNELS = ".kernel"
"""What the names of kernels end in."""
KEPT = nnx.Any(nnx.Param, nnx.BatchStat)
"""What makes a network besides its structure: parameters, and the running statistics of batch norm."""


@dataclass(frozen=True)
class LayerShape:
    """One layer whose product sits on arrays.

    Attributes:
        name: the layer's name in its network.
        kernel: its kernel's shape `[*window in out]`.
        positions: products per image: output pixels of a convolution, 1 for a dense layer.
        dense: whether it is fully connected.
        groups: equal parts of its outputs that see other inputs, each on arrays of its own.
    """

    name: str
    kernel: tuple[int, ...]
    positions: int
    dense: bool
    groups: int = 1

    @property
    def rows(self) -> int:
        """Rows of the weight matrix: inputs of one product, or of one group of it."""
        return int(np.prod(self.kernel[:-1]))

    @property
    def outputs(self) -> int:
        """Outputs of one product."""
        return self.kernel[-1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image."""
        return self.positions * self.rows * self.outputs


class LayerName(NamedTuple):
    """A layer by its name, and whether it is fully connected."""

    name: str
    dense: bool


def chosen_layers(layers: Sequence[LayerName | LayerShape], choice: str) -> list[str]:
    """The names of layers that a choice takes: `all`, `dense`, or patterns such as `fc*,!fc3`.

    The last pattern that fits a name decides, one behind `!` against it; where the first is such a one, the others are taken.

    Raises:
        ValueError: a pattern fits no layer, or no layer is taken.
    """
    names = [layer.name for layer in layers]
    if choice in ("all", "dense"):
        taken = [layer.name for layer in layers if choice == "all" or layer.dense]
        if not taken:
            raise ValueError("the network has no fully connected layer")
        return taken
    patterns = [part.strip() for part in choice.split(",")]
    chosen = set(names) if patterns[0].startswith("!") else set()
    for pattern in patterns:
        fitting = set(fnmatch.filter(names, pattern.removeprefix("!")))
        if not fitting:
            raise ValueError(f"{quoted(pattern)} fits no layer; there are {', '.join(names)}")
        chosen = chosen - fitting if pattern.startswith("!") else chosen | fitting
    if not chosen:
        raise ValueError(f"no layer is left; there are {', '.join(names)}")
    return [name for name in names if name in chosen]


def layer_shapes(net: nnx.Module, *, shape: tuple[int, ...], dtype: Any = jnp.float32) -> list[LayerShape]:
    """The layers of `net` in the order they compute, for inputs of `shape`; nothing is computed."""
    found = Shapes(net)
    graphdef, state = nnx.split(net)
    images = jax.ShapeDtypeStruct((2, *shape), dtype)  # a traced program may be another one for one image
    jax.eval_shape(lambda s, x: nnx.merge(graphdef, s)(x, found), state, images)
    return list(found.layers.values())


@dataclass
class Shapes:
    """A product that notes what it is asked for.

    Attributes:
        net: whose layers it sees.
        layers: seen so far.
        turns: how often a pass computes what it sees now.
    """

    net: nnx.Module
    layers: dict[str, LayerShape] = field(default_factory=dict)
    turns: int = 1

    def __call__(self, name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        """The product itself."""
        y = contract(x, kernel)
        layer, used = getattr(self.net, name), self.layers.get(name)
        positions = self.turns * int(np.prod(y.shape[1:-1])) + (used.positions if used else 0)  # at two places at both
        self.layers[name] = LayerShape(name, tuple(kernel.shape), positions, is_dense(layer), groups_in(layer))
        return y

    def enter(self, step: Array | int, steps: int) -> "Shapes":
        """The same in a loop."""
        del step
        return replace(self, turns=self.turns * steps)

    def found(self) -> tuple[()]:
        """Nothing that was computed."""
        return ()

    def absorb(self, found: Any, steps: int) -> None:
        """Nothing."""


Inputs = dict[str, tuple[Array, Contract]]


@dataclass
class Recorder:
    """A product that keeps the inputs of every layer.

    Attributes:
        inputs: by layer. Those of several reads of a dense layer lie one after the other, each a place of the image; of a
            convolution that is used several times they are those of its last use.
    """

    inputs: Inputs = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)

    def __call__(self, name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        """The product itself."""
        self._add(name, x, contract)
        return contract(x, kernel)

    def enter(self, step: Array | int, steps: int) -> "Recorder":
        """One that has seen nothing yet, for a step of a loop."""
        del step, steps
        return Recorder(contracts=self.contracts)

    def found(self) -> dict[str, Array]:
        """The inputs seen."""
        return {name: x for name, (x, _) in self.inputs.items()}

    def absorb(self, found: dict[str, Array], steps: int) -> None:
        """Takes the inputs of the steps of a loop [steps images …]."""
        for name, x in found.items():
            contract = self.contracts[name]
            if isinstance(contract, MatrixProduct):
                x = jnp.moveaxis(x.reshape(steps, x.shape[1], -1, x.shape[-1]), 0, 1)
                self._add(name, x.reshape(x.shape[0], -1, x.shape[-1]), contract)
            else:
                self._add(name, x[-1], contract)

    def _add(self, name: str, x: Array, contract: Contract) -> None:
        self.contracts[name] = contract
        if name in self.inputs and isinstance(contract, MatrixProduct):
            parts = (self.inputs[name][0], x)
            x = jnp.concatenate([part.reshape(x.shape[0], -1, x.shape[-1]) for part in parts], axis=1)
        self.inputs[name] = (x, contract)


def layer_inputs(net: nnx.Module, images: Array) -> Inputs:
    """The inputs of every layer for `images` [n …], in floating point, with the layer's contract: see `Recorder`."""
    recorder = Recorder()
    net(images, recorder)
    return recorder.inputs


def parameters(net: nnx.Module) -> dict[str, NDArray[np.float32]]:
    """Every parameter and running statistic by its dotted name, such as `conv1.kernel`."""
    flat = nnx.to_flat_state(nnx.state(net, KEPT))
    return {".".join(str(part) for part in path): np.asarray(leaf[...]) for path, leaf in flat}


def set_parameters(net: nnx.Module, values: dict[str, NDArray[np.float32]]) -> None:
    """Put parameters into `net` in place.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    flat = dict(nnx.to_flat_state(nnx.state(net, KEPT)))
    names = {".".join(str(part) for part in path): path for path in flat}
    if set(names) != set(values):
        raise ValueError(f"parameters differ: {', '.join(sorted(set(names) ^ set(values)))}")
    for name, path in names.items():
        if flat[path].shape != values[name].shape:
            raise ValueError(f"{name} must have shape {flat[path].shape}, got {values[name].shape}")
        flat[path] = flat[path].replace(jnp.asarray(values[name]))
    nnx.update(net, nnx.from_flat_state(list(flat.items())))


def kernels(values: Mapping[str, T]) -> dict[str, T]:
    """The kernels among named parameters, by layer name."""
    return {name.removesuffix(KERNELS): value for name, value in values.items() if name.endswith(KERNELS)}
