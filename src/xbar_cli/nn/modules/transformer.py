"""Transformers: patches of a picture or places of a sequence (ViT), or tokens that see what came before them (GPT)."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from .sequences import is_tokens, row_shape

PATCH = 4
"""Pixels of a patch's side; pictures are padded to a multiple of it."""
UNITS = 64
"""Numbers at each place at a width of 1."""
SPREAD = 0.02
"""Standard deviation of the first positions (Radford et al. 2018; Dosovitskiy et al. 2021)."""


class Block(nnx.Module):
    """Attention and two dense layers, each added to what it reads, with the normalisation before it."""

    def __init__(self, units: int, heads: int, *, rngs: nnx.Rngs) -> None:
        """`units` is a multiple of `heads`; the hidden layer has four times as many."""
        self.norm = nnx.LayerNorm(units, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, units, units, decode=False, rngs=rngs)
        self.hidden_norm = nnx.LayerNorm(units, rngs=rngs)
        self.hidden = nnx.Linear(units, 4 * units, rngs=rngs)
        self.output = nnx.Linear(4 * units, units, rngs=rngs)

    def __call__(self, x: Array, mask: Array | None) -> Array:
        """Numbers `[n t units]`; where the mask is False a place is not seen."""
        x = x + self.attention(self.norm(x), mask=mask)
        return x + self.output(jax.nn.gelu(self.hidden(self.hidden_norm(x))))


class Transformer(nnx.Module):
    """Learned positions, blocks, a last normalisation and a dense head.

    The head reads the mean over the places of a picture or sequence. Tokens see those before them, and the head gives scores
    of what follows each; it has weights of its own, not those of the embedding.

    References:
        Vaswani et al. (2017); Radford et al. (2019) for tokens; Dosovitskiy et al. (2021) for pictures, with the mean for
        its class token (Beyer, Zhai, Kolesnikov 2022).
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        n_classes: int,
        width: float,
        depth: int,
        heads: int,
        rngs: nnx.Rngs,
        dtype: Any = jnp.float32,
    ) -> None:
        """`width` multiplies the numbers at each place, rounded to a multiple of `heads`; `depth` counts blocks."""
        units = heads * max(1, round(UNITS * width / heads))
        self.tokens = is_tokens(shape, dtype)
        if self.tokens:
            self.embedding, places = nnx.Embed(n_classes, units, rngs=rngs), shape[0]
        elif len(shape) == 3:
            patch = (PATCH, PATCH)
            self.patches = nnx.Conv(shape[2], units, patch, strides=patch, padding="SAME", rngs=rngs)
            places = math.prod(math.ceil(side / PATCH) for side in shape[:2])
        else:
            places, channels = row_shape(shape)
            self.places = nnx.Linear(channels, units, rngs=rngs)
        self.positions = nnx.Param(SPREAD * jax.random.normal(rngs.params(), (places, units)))
        self.blocks = nnx.List(Block(units, heads, rngs=rngs) for _ in range(depth))
        self.norm = nnx.LayerNorm(units, rngs=rngs)
        self.head = nnx.Linear(units, n_classes, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        """Scores `[n classes]` of pictures `[n h w c]` or sequences `[n t channels]`, `[n t tokens]` of tokens `[n t]`."""
        if self.tokens:
            x, mask = self.embedding(inputs), nnx.make_causal_mask(inputs)
        else:
            x, mask = self.patches(inputs) if inputs.ndim == 4 else self.places(inputs), None
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        x = x + jnp.broadcast_to(self.positions[...], x.shape)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        return self.head(x if self.tokens else x.mean(axis=1))
