"""What a network's layers look like to the hardware: kernels, inputs, output positions, parameters by name."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from xbar_cli.array.ideal import Contract

from .layers import is_dense

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
        macs: multiply-accumulates per image.
    """

    name: str
    kernel: tuple[int, ...]
    positions: int
    dense: bool

    @property
    def rows(self) -> int:
        """Rows of the weight matrix: inputs of one product."""
        return int(np.prod(self.kernel[:-1]))

    @property
    def outputs(self) -> int:
        """Outputs of one product."""
        return self.kernel[-1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image."""
        return self.positions * self.rows * self.outputs


def layer_shapes(net: nnx.Module, *, shape: tuple[int, int, int]) -> list[LayerShape]:
    """The layers of `net` in the order they compute, for images of `shape` [h w c]; nothing is computed."""
    layers: dict[str, LayerShape] = {}

    def recording(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        y = contract(x, kernel)
        positions, fully = int(np.prod(y.shape[1:-1])), is_dense(getattr(net, name))
        used = layers[name].positions if name in layers else 0  # a layer at two places computes at both
        layers[name] = LayerShape(name=name, kernel=tuple(kernel.shape), positions=used + positions, dense=fully)
        return y

    graphdef, state = nnx.split(net)
    images = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    jax.eval_shape(lambda s, x: nnx.merge(graphdef, s)(x, recording), state, images)
    return list(layers.values())


def layer_inputs(net: nnx.Module, images: Array) -> dict[str, tuple[Array, Contract]]:
    """The inputs of every layer for `images` [n h w c], in floating point, with the layer's contract."""
    inputs: dict[str, tuple[Array, Contract]] = {}

    def recording(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        inputs[name] = (x, contract)
        return contract(x, kernel)

    net(images, recording)
    return inputs


def parameters(net: nnx.Module) -> dict[str, NDArray[np.float32]]:
    """Every parameter and running statistic by its dotted name, such as `conv1.kernel`."""
    flat = nnx.to_flat_state(nnx.state(net, KEPT))
    return {".".join(str(part) for part in path): np.asarray(leaf[...]) for path, leaf in flat}


def set_parameters(net: nnx.Module, values: dict[str, NDArray[np.float32]]) -> None:
    """Put parameters into `net` in place. Raises ValueError where a name is missing or unknown, or a shape differs."""
    flat = dict(nnx.to_flat_state(nnx.state(net, KEPT)))
    names = {".".join(str(part) for part in path): path for path in flat}
    if set(names) != set(values):
        raise ValueError(f"parameters differ: {', '.join(sorted(set(names) ^ set(values)))}")
    for name, path in names.items():
        if flat[path].shape != values[name].shape:
            raise ValueError(f"{name} must have shape {flat[path].shape}, got {values[name].shape}")
        flat[path] = flat[path].replace(jnp.asarray(values[name]))
    nnx.update(net, nnx.from_flat_state(list(flat.items())))


def kernels(values: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The kernels among named parameters, by layer name."""
    return {name.removesuffix(".kernel"): value for name, value in values.items() if name.endswith(".kernel")}
