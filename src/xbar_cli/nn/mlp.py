"""The two-layer perceptron: 784-500-10 on MNIST-sized images."""

import math

import jax
from flax import nnx
from jax import Array

from .layers import Dense, Product, digital
from .normalisation import Normalisation, normalised


class Mlp(nnx.Module):
    """Flattened input of any shape, one hidden layer of rectifiers or sigmoids (tat), one output layer.

    Attributes:
        normalisation: of the images; None where they come as they are.
    """

    normalisation: Normalisation | None = None

    def __init__(self, *, shape: tuple[int, ...], n_classes: int, hidden: int, activation: str, rngs: nnx.Rngs) -> None:
        """`shape` is that of one input."""
        self.activation = activation
        self.hidden = Dense("hidden", math.prod(shape), hidden, rngs=rngs)
        self.output = Dense("output", hidden, n_classes, rngs=rngs)

    def __call__(self, images: Array, product: Product = digital, *, training: bool = False) -> Array:
        """Class scores `[n classes]` of pictures `[n h w c]` in [0, 1], or of numbers of any shape."""
        del training
        x = normalised(images, self.normalisation).reshape(images.shape[0], -1)
        x = self.hidden(x, product)
        x = jax.nn.sigmoid(x) if self.activation == "sigmoid" else jax.nn.relu(x)
        return self.output(x, product)
