"""Layers whose products can be taken over by arrays: `product(name, x, kernel, contract) -> y`."""

from collections.abc import Callable
from typing import Literal

import jax
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.array.ideal import Contract
from xbar_cli.numerics import along_last

Product = Callable[[str, Array, Array, Contract], Array]
"""What computes a layer's product: given its name, inputs, kernel and `contract`, returns the outputs without bias."""

Padding = Literal["SAME", "VALID"]


def digital(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
    """The product in floating point: the network as trained, off any array."""
    del name
    return contract(x, kernel)


def dense(x: Float[Array, "*batch in"], kernel: Float[Array, "in out"]) -> Float[Array, "*batch out"]:
    """Matrix product over the last axis."""
    return x @ kernel


def convolution(*, padding: Padding, stride: int = 1) -> Contract:
    """Convolution of images `[n h w in]` with kernels `[kh kw in out]`."""

    def contract(x: Float[Array, "n h w in"], kernel: Float[Array, "kh kw in out"]) -> Float[Array, "n h2 w2 out"]:
        return jax.lax.conv_general_dilated(
            x, kernel, window_strides=(stride, stride), padding=padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    return contract


class Dense(nnx.Module):
    """A fully connected layer with a digital bias."""

    def __init__(self, name: str, n_in: int, n_out: int, *, rngs: nnx.Rngs) -> None:
        """He-normal kernel `[in out]`, zero bias."""
        self.name = name
        self.contract: Contract = dense
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (n_in, n_out)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (n_out,)))

    def __call__(self, x: Array, product: Product) -> Array:
        """Outputs `[*batch out]`."""
        y = product(self.name, x, self.kernel[...], self.contract)
        return y + along_last(self.bias[...], y)


class Conv(nnx.Module):
    """A convolution with a digital bias."""

    def __init__(self, name: str, n_in: int, n_out: int, *, size: int, padding: Padding, rngs: nnx.Rngs) -> None:
        """He-normal kernel `[size size in out]`, zero bias."""
        self.name = name
        self.contract = convolution(padding=padding)
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (size, size, n_in, n_out)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (n_out,)))

    def __call__(self, x: Array, product: Product) -> Array:
        """Outputs `[n h w out]`."""
        y = product(self.name, x, self.kernel[...], self.contract)
        return y + along_last(self.bias[...], y)


def max_pool(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Maximum of each 2×2 block; an odd last row or column is dropped.

    Written as a maximum over a reshaped axis: the gradient of XLA's window reduction is about ten times slower on a CPU.
    """
    n, h, w, c = x.shape
    blocks = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
    return blocks.max(axis=(2, 4))
