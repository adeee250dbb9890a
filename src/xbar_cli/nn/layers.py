"""Layers whose products can be taken over by arrays: `product(name, x, kernel, contract) -> y`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.array.ideal import Contract
from xbar_cli.numerics import along_last

from .contracts import Convolution, MatrixProduct, Padding, dense

Product = Callable[[str, Array, Array, Contract], Array]
"""What computes a layer's product: given its name, inputs, kernel and `contract`, returns the outputs without bias."""


def digital(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
    """The product in floating point: the network as trained, off any array."""
    del name
    return contract(x, kernel)


@dataclass(frozen=True)
class Training:
    """A training pass, for a network that draws something in it.

    Attributes:
        key: of the step.
    """

    key: Array


class Dense(nnx.Module):
    """A fully connected layer with a digital bias, or with its bias as one more row (`bias_row`)."""

    def __init__(self, name: str, n_in: int, n_out: int, *, rngs: nnx.Rngs) -> None:
        """He-normal kernel `[in out]`, zero bias."""
        self.name = name
        self.contract: Contract = dense
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (n_in, n_out)))
        self.bias: nnx.Param | None = nnx.Param(nnx.initializers.zeros(rngs.params(), (n_out,)))

    def __call__(self, x: Array, product: Product) -> Array:
        """Outputs `[*batch out]`."""
        if self.bias is None:
            return product(self.name, with_one(x), self.kernel[...], self.contract)
        y = product(self.name, x, self.kernel[...], self.contract)
        return y + along_last(self.bias[...], y)

    def bias_row(self) -> None:
        """Take the bias into the kernel, `[in+1 out]`, as the row of an input that is always 1."""
        if self.bias is not None:
            self.kernel, self.bias = stacked(self.kernel[...], self.bias[...]), None


class Conv(nnx.Module):
    """A convolution with a digital bias, or with none where batch norm follows."""

    def __init__(
        self,
        name: str,
        n_in: int,
        n_out: int,
        *,
        size: int,
        padding: Padding,
        rngs: nnx.Rngs,
        stride: int = 1,
        bias: bool = True,
    ) -> None:
        """He-normal kernel `[size size in out]`, zero bias."""
        self.name = name
        self.contract: Contract = Convolution(padding, stride)
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (size, size, n_in, n_out)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (n_out,))) if bias else None
        self.patches: tuple[Convolution, tuple[int, int]] | None = None

    def __call__(self, x: Array, product: Product) -> Array:
        """Outputs `[n h w out]`."""
        if self.patches is not None:
            windows, size = self.patches
            return product(self.name, with_one(windows.rows(x, size)), self.kernel[...], self.contract)
        y = product(self.name, x, self.kernel[...], self.contract)
        return y if self.bias is None else y + along_last(self.bias[...], y)

    def bias_row(self) -> None:
        """Take the bias, where there is one, into the kernel: a matrix `[rows+1 out]` that patches and a 1 are fed to."""
        if self.bias is not None:
            kernel = self.kernel[...]
            assert isinstance(self.contract, Convolution)
            self.patches, self.contract = (self.contract, (kernel.shape[0], kernel.shape[1])), dense
            self.kernel, self.bias = stacked(kernel.reshape(-1, kernel.shape[-1]), self.bias[...]), None


def is_dense(layer: Any) -> bool:
    """Whether a layer is fully connected, its bias as a row or not: a convolution whose bias is a row multiplies patches."""
    return isinstance(layer.contract, MatrixProduct) and getattr(layer, "patches", None) is None


def groups_in(layer: Any) -> int:
    """Equal parts of a layer's outputs that see different inputs."""
    return getattr(getattr(layer, "contract", None), "groups", 1)


def streams(seed: int) -> nnx.Rngs:
    """The random numbers that a network's first weights are drawn from."""
    return nnx.Rngs(seed)


def bias_rows(net: nnx.Module) -> None:
    """Turn the digital biases of `net`'s own Dense and Conv layers into rows of their arrays, in place."""
    for _, layer in nnx.iter_modules(net):
        if isinstance(layer, Dense | Conv):
            layer.bias_row()


def stacked(kernel: Float[Array, "rows out"], bias: Float[Array, " out"]) -> nnx.Param:
    """The kernel with the bias as its last row."""
    return nnx.Param(jnp.concatenate([kernel, bias[None]]))


def with_one(x: Float[Array, "*batch rows"]) -> Float[Array, "*batch rows_and_one"]:
    """Inputs and a 1 after the last."""
    return jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1)


def max_pool(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Maximum of each 2×2 block; an odd last row or column is dropped.

    Written as a maximum over a reshaped axis: the gradient of XLA's window reduction is about ten times slower on a CPU.
    """
    n, h, w, c = x.shape
    blocks = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
    return blocks.max(axis=(2, 4))
