"""The ideal linear array: Ohm and Kirchhoff alone, `i = v @ g`."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
from jax import Array
from jaxtyping import Float

Contract = Callable[[Array, Array], Array]
"""A layer's product `(x [*batch in…], kernel [*window in out]) -> y [*batch out]`: dense or a convolution."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinearLayer:
    """A layer on linear arrays, folded: its effective weights take the place of the kernel.

    Attributes:
        kernel: effective conductances, combined by the periphery and decoded to units of weight.
    """

    kernel: Float[Array, "*window in out"]

    def __call__(self, x: Array, contract: Contract) -> Array:
        """The layer's outputs, decoded, before any bias."""
        return contract(x, self.kernel)
