"""VGG-9 (acm) and VGG-11 (neat) for small pictures: 3×3 convolutions with batch norm, and three dense layers."""

import jax
from flax import nnx
from jax import Array

from .layers import Conv, Dense, Product, digital, max_pool
from .norm import Norm
from .normalisation import Normalisation, normalised

POOL = 0
PLANS = {
    "vgg9": (64, 64, POOL, 128, 128, POOL, 256, 256, POOL),
    "vgg11": (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
}
"""Outputs of each convolution, and where a 2×2 maximum is taken. VGG-11: Simonyan and Zisserman (2015), configuration A."""
HIDDEN = 512
"""Units of each of the two hidden dense layers: the papers leave them open."""


class Vgg(nnx.Module):
    """Convolutions, each with batch norm and rectifier; 2×2 maxima; two hidden dense layers and the output.

    A pool is left out where the picture has shrunk to one pixel.

    Attributes:
        normalisation: of the images; None where they come as they are.
    """

    normalisation: Normalisation | None = None

    def __init__(self, plan: str, *, shape: tuple[int, int, int], n_classes: int, width: float, rngs: nnx.Rngs) -> None:
        """`plan` of `PLANS`; `width` multiplies every number of channels and hidden units."""
        height, w, channels = shape
        steps: list[str] = []
        for outputs in PLANS[plan]:
            if outputs == POOL:
                if min(height, w) > 1:
                    height, w = height // 2, w // 2
                    steps.append("pool")
                continue
            name = f"conv{sum(step != 'pool' for step in steps) + 1}"
            n = scaled(outputs, width)
            setattr(self, name, Conv(name, channels, n, size=3, padding="SAME", bias=False, rngs=rngs))
            setattr(self, f"{name}_norm", Norm(n, rngs=rngs))
            steps.append(name)
            channels = n
        hidden = scaled(HIDDEN, width)
        self.steps = tuple(steps)
        self.fc1 = Dense("fc1", height * w * channels, hidden, rngs=rngs)
        self.fc2 = Dense("fc2", hidden, hidden, rngs=rngs)
        self.fc3 = Dense("fc3", hidden, n_classes, rngs=rngs)

    def __call__(self, images: Array, product: Product = digital, *, training: bool = False) -> Array:
        """Class scores `[n classes]` of images `[n h w c]` in [0, 1]."""
        x = normalised(images, self.normalisation)
        for step in self.steps:
            if step == "pool":
                x = max_pool(x)
            else:
                x = getattr(self, step)(x, product)
                x = jax.nn.relu(getattr(self, f"{step}_norm")(x, training=training))
        x = x.reshape(x.shape[0], -1)
        x = jax.nn.relu(self.fc1(x, product))
        x = jax.nn.relu(self.fc2(x, product))
        return self.fc3(x, product)


def scaled(n: int, width: float) -> int:
    """`n` channels under a width multiplier, at least one."""
    return max(1, round(n * width))
