"""The convolutional network of tat (Section IV-A, Table II)."""

import jax
from flax import nnx
from jax import Array
from jaxtyping import Float

from .layers import Conv, Dense, Product, Training, digital, max_pool
from .norm import Norm
from .normalisation import Normalisation, normalised
from .vgg import scaled

SIZES = ((64, 5), (128, 5), (256, 3))
"""Outputs and window of each convolution."""
HIDDEN = 512


class Cnn(nnx.Module):
    """Three convolutions with batch norm, rectifier and pool, a hidden dense layer of sigmoids, dropout, the output.

    Attributes:
        dropout: share of the hidden units that a training pass leaves out; it needs that pass's key.
        normalisation: of the images; None where they come as they are.
    """

    normalisation: Normalisation | None = None

    dropout = 0.5

    def __init__(self, *, shape: tuple[int, int, int], n_classes: int, width: float, rngs: nnx.Rngs) -> None:
        """`shape` is the image's [h w c], at least 8×8; `width` multiplies channels and hidden units."""
        height, w, channels = shape
        if min(height, w) < 8:
            raise ValueError(f"shape must be at least 8×8 for three pools, got {height}×{w}")
        for number, (outputs, size) in enumerate(SIZES, start=1):
            n = scaled(outputs, width)
            setattr(
                self,
                f"conv{number}",
                Conv(f"conv{number}", channels, n, size=size, padding="SAME", bias=False, rngs=rngs),
            )
            setattr(self, f"conv{number}_norm", Norm(n, rngs=rngs))
            channels = n
        self.hidden = Dense("hidden", height // 8 * (w // 8) * channels, scaled(HIDDEN, width), rngs=rngs)
        self.output = Dense("output", scaled(HIDDEN, width), n_classes, rngs=rngs)

    def __call__(self, images: Array, product: Product = digital, *, training: bool | Training = False) -> Array:
        """Class scores `[n classes]` of images `[n h w c]` in [0, 1]; units are left out in a `Training` pass."""
        x = normalised(images, self.normalisation)
        for number in range(1, len(SIZES) + 1):
            x = getattr(self, f"conv{number}")(x, product)
            x = jax.nn.relu(getattr(self, f"conv{number}_norm")(x, training=bool(training)))
            x = max_pool(x) if number < len(SIZES) else mean_pool(x)
        x = jax.nn.sigmoid(self.hidden(x.reshape(x.shape[0], -1), product))
        if isinstance(training, Training):
            x = nnx.Dropout(self.dropout)(x, deterministic=False, rngs=nnx.Rngs(training.key))
        return self.output(x, product)


def mean_pool(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Mean of each 2×2 block; an odd last row or column is dropped."""
    n, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))
