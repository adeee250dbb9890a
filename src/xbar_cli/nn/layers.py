"""Layers whose products can be taken over by arrays: `product(name, x, kernel, contract) -> y`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
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


@dataclass(frozen=True)
class MatrixProduct:
    """Matrix product over the last axis."""

    def __call__(self, x: Float[Array, "*batch in"], kernel: Float[Array, "in out"]) -> Float[Array, "*batch out"]:
        """The outputs."""
        return x @ kernel

    def rows(self, x: Float[Array, "*batch in"], window: tuple[int, ...]) -> Float[Array, "*batch in"]:
        """What the rows of an array see: the inputs themselves."""
        del window
        return x


@dataclass(frozen=True)
class Convolution:
    """Convolution of images `[n h w in]` with kernels `[kh kw in out]`.

    Attributes:
        padding: SAME or VALID.
        stride: along both axes.
    """

    padding: Padding
    stride: int = 1

    def __call__(
        self, x: Float[Array, "n h w in"], kernel: Float[Array, "kh kw in out"]
    ) -> Float[Array, "n h2 w2 out"]:
        """The output images.

        Pictures smaller than the window are multiplied as patches: XLA's convolution on the CPU takes ninety times as long
        there (2×2 pixels, 512 channels).
        """
        if min(x.shape[1:3]) < max(kernel.shape[:2]):
            return self.rows(x, kernel.shape[:2]) @ kernel.reshape(-1, kernel.shape[-1])
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(self.stride, self.stride),
            padding=self.padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    def rows(self, x: Float[Array, "n h w in"], window: tuple[int, ...]) -> Float[Array, "n h2 w2 rows"]:
        """What the rows of an array see at every output position: the window `[kh kw]`, channels fastest.

        Strided slices laid side by side, in the order of a kernel's `reshape(rows, out)`. (XLA's own patches put channels
        slowest, and are a convolution with a unit kernel.)
        """
        _, height, width, _ = x.shape
        ends = jax.lax.padtype_to_pads((height, width), window, (self.stride, self.stride), self.padding)
        x = jnp.pad(x, ((0, 0), *ends, (0, 0)))
        h2, w2 = ((x.shape[1 + n] - window[n]) // self.stride + 1 for n in range(2))
        slices = [
            x[:, i : i + (h2 - 1) * self.stride + 1 : self.stride, j : j + (w2 - 1) * self.stride + 1 : self.stride]
            for i in range(window[0])
            for j in range(window[1])
        ]
        return jnp.concatenate(slices, axis=-1)


dense = MatrixProduct()
"""The product of fully connected layers."""


def convolution(*, padding: Padding, stride: int = 1) -> Convolution:
    """The product of convolutions."""
    return Convolution(padding, stride)


def rows_of(contract: Contract, x: Array, kernel: tuple[int, ...]) -> Float[Array, "*batch rows"]:
    """What the rows of the array of a layer see, for its inputs and the shape of its kernel `[*window in out]`.

    Raises:
        ValueError: the contract does not say; a product that the tiled path cannot split.
    """
    if not isinstance(contract, MatrixProduct | Convolution):
        raise ValueError(f"contract must be a MatrixProduct or a Convolution to be split over tiles, got {contract!r}")
    return contract.rows(x, kernel[:-2])


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
        self.contract: Contract = convolution(padding=padding, stride=stride)
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (size, size, n_in, n_out)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (n_out,))) if bias else None

    def __call__(self, x: Array, product: Product) -> Array:
        """Outputs `[n h w out]`."""
        y = product(self.name, x, self.kernel[...], self.contract)
        return y if self.bias is None else y + along_last(self.bias[...], y)


def max_pool(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Maximum of each 2×2 block; an odd last row or column is dropped.

    Written as a maximum over a reshaped axis: the gradient of XLA's window reduction is about ten times slower on a CPU.
    """
    n, h, w, c = x.shape
    blocks = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
    return blocks.max(axis=(2, 4))
