"""Read noise behind arrays: drawn at the columns' outputs of every single product, never folded into weights."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.gated import Drive
from xbar_cli.array.ideal import Contract
from xbar_cli.device.mismatch import AnyCell

from .program import Scale

Draw = Callable[[Array, tuple[int, ...], Any], Array]
"""Numbers of mean 0 and variance 1, `(key, shape, type) -> numbers`."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ColumnNoise:
    """Independent normal noise of every device of a layer, summed up at its columns.

    A column's variance is `Σ_i (∂I/∂G)² σ²` over its devices. In a linear array ∂I/∂G is the row voltage: one product of
    x². In an array of cells it is `Σ_k b_k(V) a_k'(G)`, whose square takes K(K + 1)/2 products.

    Attributes:
        variances: kernels [products *window in columns] of the squared noise, in the squared unit of the decoder.
        scale: how columns are decoded; differences of columns share their noise.
        drive: activations to row voltages of gated arrays; None in linear arrays.
        surrogate: the cell of gated arrays; None in linear arrays.

    References:
        Joshi et al., Nature Communications 11, 2473 (2020); the sum of independent normal numbers.
    """

    variances: Float[Array, "products *window in columns"]
    scale: Scale
    drive: Drive | None = None
    surrogate: AnyCell | None = None
    pairs: tuple[tuple[int, int], ...] = field(default=(), metadata={"static": True})

    def __call__(self, key: Array, x: Array, contract: Contract, *, first: Array) -> Array:
        """Noise of the layer's decoded outputs for inputs `x` [images …]; image n draws from its own stream, `first` + n."""
        parts = [contract(feature, kernel) for feature, kernel in zip(self.features(x), self.variances, strict=True)]
        variance = functools.reduce(jnp.add, parts)
        return self.scale.weights(drawn_noise(key, variance, first + jnp.arange(x.shape[0])))

    def features(self, x: Array) -> list[Array]:
        """What of the inputs each product takes."""
        if self.surrogate is None or self.drive is None:
            return [jnp.square(x)]
        terms = self.surrogate.in_v(self.surrogate.v_max * self.drive.fraction(x))
        return [terms[..., k] * terms[..., m] for k, m in self.pairs]


def drawn_noise(
    key: Array, variance: Float[Array, "images *shape"], numbers: Array, *, draw: Draw = jax.random.normal
) -> Float[Array, "images *shape"]:
    """Noise of a variance; image number n draws from its own stream, by `draw` numbers of variance 1."""
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(numbers)
    drawn = jax.vmap(lambda k: draw(k, variance.shape[1:], variance.dtype))(keys)
    return jnp.sqrt(jnp.maximum(variance, 0)) * drawn


def linear_noise(sigma: Float[Array, "rows columns"], *, scale: Scale) -> ColumnNoise:
    """Noise of a linear array whose devices have the standard deviations `sigma` [S] at a read.

    Accuracy:
        Exact for ideal wires; with wire or driver resistance the currents of other devices, which a fluctuation changes
        too, are left out.
    """
    return ColumnNoise(variances=jnp.square(sigma).reshape(1, *scale.kernel[:-1], -1), scale=scale)


def gated_noise(
    g: Float[Array, "rows columns"],
    sigma: Float[Array, "rows columns"],
    *,
    scale: Scale,
    surrogate: AnyCell,
    drive: Drive,
) -> ColumnNoise:
    """Noise of an array of cells at memristor conductances `g` [S], to first order in `sigma` [S]."""
    _, slopes = jax.jvp(surrogate.in_g, (g,), (jnp.ones_like(g),))  # [rows columns rank]
    pairs = tuple((k, m) for k in range(surrogate.rank) for m in range(k, surrogate.rank))
    per_volt = jnp.square(drive.full_scale / surrogate.v_max)
    kernels = [(1 if k == m else 2) * per_volt * (slopes[..., k] * sigma) * (slopes[..., m] * sigma) for k, m in pairs]
    shape = (*scale.kernel[:-1], g.shape[1])
    return ColumnNoise(
        variances=jnp.stack([kernel.reshape(shape) for kernel in kernels]),
        scale=scale, drive=drive, surrogate=surrogate, pairs=pairs,
    )  # fmt: skip
