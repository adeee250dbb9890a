"""What stands between a trained weight and the product it enters: technology, noise. Gradients pass through.

A transform is `(layer name, kernel, key) -> kernel`. Its key is new at every step, and None where nothing is random: when
the network is measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.ideal import Contract
from xbar_cli.array.tiling import Fold, fold_tiles
from xbar_cli.device.levels import discretise_ratio_straight_through
from xbar_cli.device.variation import normal_additive, normal_proportional
from xbar_cli.nn.layers import Product, digital
from xbar_cli.numerics import stream

Transform = Callable[[str, Array, Array | None], Array]
Layers = frozenset[str] | None
"""The layers that a transform applies to; None for all."""


def transformed(transform: Transform | None, key: Array | None) -> Product:
    """The product in which every kernel has gone through `transform`."""
    if transform is None:
        return digital

    def product(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        return contract(x, transform(name, kernel, None if key is None else stream(key, name)))

    return product


def compose(transforms: Sequence[Transform]) -> Transform | None:
    """One transform of several, the first first; None of none."""
    if not transforms:
        return None

    def all_of(name: str, kernel: Array, key: Array | None) -> Array:
        for number, transform in enumerate(transforms):
            kernel = transform(name, kernel, None if key is None else jax.random.fold_in(key, number))
        return kernel

    return all_of


@dataclass(frozen=True)
class Technology:
    """Discretised weights on dual arrays with source, neuron and wire resistance (tat, Sections II-D and III).

    Attributes:
        bits: of a weight's magnitude: 2^bits levels, 0 among them.
        ratio: largest over smallest magnitude, R_off/R_on.
        limit: the weight at the highest level; None for the largest of the layer.
        g_on: conductance of the highest level [S].
        fold: how a tile of interleaved positive and negative columns folds.
        tile: rows and pairs of columns of one array; None for arrays as large as the layer.
        corner: every device at `1 + corner` times its conductance (chip-to-chip, k·σ).
        layers: on arrays; the others are only discretised if they are in it.

    References:
        Chakraborty, Roy, Roy (tat), sections II-D, III-C, V; weights are discretised in every forward pass, and the
        gradient of the discretisation is taken as 1.
    """

    bits: int
    ratio: float
    limit: float | None
    g_on: float
    fold: Fold
    tile: tuple[int, int] | None
    corner: float
    layers: Layers

    def __call__(self, name: str, kernel: Array, key: Array | None) -> Array:
        """The kernel that the arrays act as, decoded at the nominal scale."""
        del key
        if self.layers is not None and name not in self.layers:
            return kernel
        w = kernel.reshape(-1, kernel.shape[-1])
        limit = jax.lax.stop_gradient(jnp.abs(w).max()) if self.limit is None else jnp.asarray(self.limit, w.dtype)
        limit = jnp.maximum(limit, jnp.finfo(w.dtype).tiny)
        w = discretise_ratio_straight_through(w, limit=limit, bits=self.bits, ratio=self.ratio)
        per_weight = self.g_on / limit
        g = per_weight * (1 + self.corner) * interleave(w)
        rows, pairs = self.tile or w.shape
        folded, _ = fold_tiles(g, self.fold, tile=(rows, 2 * pairs))
        return ((folded[:, 0::2] - folded[:, 1::2]) / per_weight).reshape(kernel.shape)


def interleave(w: Float[Array, "rows out"]) -> Float[Array, "rows pairs"]:
    """Positive parts in the even columns, negative ones in the odd.

    At 0 the gradient is shared by the two (that of `maximum` is 1/2 to each side), so that their difference has slope 1
    everywhere: an absent device can come back.
    """
    return jnp.stack([jnp.maximum(w, 0), jnp.maximum(-w, 0)], axis=-1).reshape(w.shape[0], -1)


@dataclass(frozen=True)
class Injection:
    """Noise on the weights of every step: the baseline that robust training is compared with.

    Attributes:
        model: `additive` in units of the layer's largest weight, or `proportional` to the weight.
        sigma: relative standard deviation.

    References:
        Joshi et al., Nature Communications 11, 2473 (2020): additive, sigma in units of the largest weight.
    """

    model: str
    sigma: float

    def __call__(self, name: str, kernel: Array, key: Array | None) -> Array:
        """The kernel with noise; as it is without a key."""
        del name
        if key is None:
            return kernel
        if self.model == "proportional":
            return normal_proportional(key, kernel, sigma_relative=self.sigma)
        largest = jax.lax.stop_gradient(jnp.abs(kernel).max())
        return normal_additive(key, kernel, sigma_siemens=self.sigma * largest)
