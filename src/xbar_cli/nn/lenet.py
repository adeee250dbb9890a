"""LeNet-5, and the later LeNet of two wide convolutions and two fully connected layers."""

import jax
from flax import nnx
from jax import Array

from .layers import Conv, Dense, Product, digital, max_pool
from .normalisation import Normalisation, normalised
from .vgg import scaled


class LeNet5(nnx.Module):
    """LeNet-5 with rectified linear units and max-pooling, for images of 28×28 or 32×32.

    Attributes:
        normalisation: of the images; None where they come as they are.

    References:
        LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86 (1998) 2278: 6c5, pool, 16c5, pool, 120, 84, classes.
    """

    normalisation: Normalisation | None = None

    def __init__(self, *, shape: tuple[int, int, int], n_classes: int, rngs: nnx.Rngs) -> None:
        """`shape` is the image's [h w c]; 28×28 images are padded to 32×32 by the first layer, as in the paper."""
        height, width, channels = shape
        if (height, width) not in ((28, 28), (32, 32)):
            raise ValueError(f"shape must be 28×28 or 32×32 for LeNet-5, got {height}×{width}")
        self.conv1 = Conv("conv1", channels, 6, size=5, padding="SAME" if height == 28 else "VALID", rngs=rngs)
        self.conv2 = Conv("conv2", 6, 16, size=5, padding="VALID", rngs=rngs)
        self.fc1 = Dense("fc1", 400, 120, rngs=rngs)
        self.fc2 = Dense("fc2", 120, 84, rngs=rngs)
        self.fc3 = Dense("fc3", 84, n_classes, rngs=rngs)

    def __call__(self, images: Array, product: Product = digital, *, training: bool = False) -> Array:
        """Class scores `[n classes]` of images `[n h w c]` in [0, 1]."""
        del training
        x = jax.nn.relu(self.conv1(normalised(images, self.normalisation), product))
        x = max_pool(x)
        x = jax.nn.relu(self.conv2(x, product))
        x = max_pool(x)
        x = x.reshape(x.shape[0], -1)
        x = jax.nn.relu(self.fc1(x, product))
        x = jax.nn.relu(self.fc2(x, product))
        return self.fc3(x, product)


class LeNet(nnx.Module):
    """The LeNet of 20 and 50 channels and 500 hidden units with rectifiers: 20c5, pool, 50c5, pool, 500, classes.

    acm trains "a LeNet variant" and does not say which; this is the one that Caffe and MXNet call LeNet.

    Attributes:
        normalisation: of the images; None where they come as they are.
    """

    normalisation: Normalisation | None = None

    def __init__(self, *, shape: tuple[int, int, int], n_classes: int, width: float, rngs: nnx.Rngs) -> None:
        """`shape` is the image's [h w c], at least 16×16; `width` multiplies channels and hidden units."""
        height, w, channels = shape
        if min(height, w) < 16:
            raise ValueError(f"shape must be at least 16×16 for LeNet, got {height}×{w}")
        first, second, hidden = (scaled(n, width) for n in (20, 50, 500))
        left = [((n - 4) // 2 - 4) // 2 for n in (height, w)]
        self.conv1 = Conv("conv1", channels, first, size=5, padding="VALID", rngs=rngs)
        self.conv2 = Conv("conv2", first, second, size=5, padding="VALID", rngs=rngs)
        self.fc1 = Dense("fc1", left[0] * left[1] * second, hidden, rngs=rngs)
        self.fc2 = Dense("fc2", hidden, n_classes, rngs=rngs)

    def __call__(self, images: Array, product: Product = digital, *, training: bool = False) -> Array:
        """Class scores `[n classes]` of images `[n h w c]` in [0, 1]."""
        del training
        x = normalised(images, self.normalisation)
        x = max_pool(jax.nn.relu(self.conv1(x, product)))
        x = max_pool(jax.nn.relu(self.conv2(x, product)))
        x = jax.nn.relu(self.fc1(x.reshape(x.shape[0], -1), product))
        return self.fc2(x, product)
