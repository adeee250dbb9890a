"""Normalisation of images before a network's first layer, on the digital side."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.numerics import along_last


@dataclass(frozen=True)
class Normalisation:
    """`(x - mean) / std` of pixels x in [0, 1].

    It acts on the images and is not folded into the first layer: the zeros around them are zeros of what comes out of it,
    and a layer without bias could not hold the mean.

    Attributes:
        mean: one number, or one for each channel.
        std: likewise.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Float[Array, "n *shape"]) -> Float[Array, "n *shape"]:
        """The images as the first layer sees them; values have both signs."""
        mean, std = (jnp.asarray(values, images.dtype) for values in (self.mean, self.std))
        return (images - along_last(mean, images)) / along_last(std, images)


def normalised(images: Float[Array, "n *shape"], normalisation: Normalisation | None) -> Float[Array, "n *shape"]:
    """The images through a normalisation, or as they are."""
    return images if normalisation is None else normalisation(images)
