"""Recurrent networks, `lstm` and `gru`: the same arrays are read at every step of a sequence."""

import math
from typing import Any, Literal, cast

import jax.numpy as jnp
from flax import nnx
from jax import Array

from xbar_cli.nn.vgg import scaled

from .sequences import is_tokens, row_shape

UNITS = 128
"""Units of each layer at a width of 1."""
FORGET = 1.0
"""First bias of an LSTM's forget gate (Jozefowicz, Zaremba, Sutskever 2015, section 3.2)."""


class Recurrent(nnx.Module):
    """Recurrent layers over rows of a picture, places of a sequence or tokens, and a dense head.

    The head reads the last step; of tokens every step, for scores of what follows each.

    References:
        Hochreiter and Schmidhuber (1997) with a forget gate (Gers et al. 2000); Cho et al. (2014).
    """

    def __init__(
        self,
        cell: Literal["lstm", "gru"],
        *,
        shape: tuple[int, ...],
        n_classes: int,
        width: float,
        depth: int,
        rngs: nnx.Rngs,
        dtype: Any = jnp.float32,
    ) -> None:
        """`width` multiplies the units of each of `depth` layers; tokens are 0 to `n_classes` - 1."""
        units = scaled(UNITS, width)
        self.tokens = is_tokens(shape, dtype)
        if self.tokens:
            self.embedding = nnx.Embed(n_classes, units, rngs=rngs)
        inputs = units if self.tokens else row_shape(shape)[1]
        sizes = [inputs, *[units] * (depth - 1)]
        self.layers = nnx.List(nnx.RNN(_cell(cell, size, units, rngs)) for size in sizes)
        self.head = nnx.Linear(units, n_classes, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        """Scores `[n classes]` of pictures `[n h w c]` or sequences `[n t channels]`, `[n t tokens]` of tokens `[n t]`."""
        if self.tokens:
            x = self.embedding(inputs)
        else:
            x = inputs.reshape(*inputs.shape[:2], math.prod(inputs.shape[2:]))
        for layer in self.layers:
            x = cast(Array, layer(x))  # and no carry, which was not asked for
        return self.head(x if self.tokens else x[:, -1])


def _cell(cell: Literal["lstm", "gru"], inputs: int, units: int, rngs: nnx.Rngs) -> Any:
    """A cell with the kernels of all gates side by side: one array's rows are read for all of them."""
    if cell == "gru":
        return nnx.GRUCell(inputs, units, rngs=rngs)
    made = nnx.OptimizedLSTMCell(inputs, units, rngs=rngs)
    bias = made.dense_h.bias
    assert bias is not None
    bias[...] = bias[...].at[units : 2 * units].set(FORGET)  # gates: input, forget, candidate, output
    return made
