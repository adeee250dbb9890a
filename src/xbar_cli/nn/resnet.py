"""ResNet-20 (acm) and ResNet-18 (neat) for small pictures: basic blocks of two 3×3 convolutions with batch norm."""

from typing import Literal

import jax
from flax import nnx
from jax import Array

from .contracts import centred
from .layers import Conv, Dense, Product, digital
from .norm import Norm
from .normalisation import Normalisation, normalised
from .vgg import scaled

PLANS = {
    "resnet20": ((16, 3), (32, 3), (64, 3)),
    "resnet18": ((64, 2), (128, 2), (256, 2), (512, 2)),
}
"""Channels and number of blocks of each stage (He et al. 2016: section 4.2; table 1 with a 3×3 first layer, no pool)."""


class ResNet(nnx.Module):
    """A first convolution, stages of basic blocks that halve the picture but for the first, a mean, one dense layer.

    Where a block changes the shape its shortcut is a 1×1 convolution with batch norm (option B).

    Attributes:
        normalisation: of the images; None where they come as they are.
        padding: of the convolutions that halve the picture: `same` puts no zeros before it and one behind, `torch` one
            before and one behind, of which a picture of an even size leaves the last unread: the windows lie a pixel apart.
    """

    normalisation: Normalisation | None = None

    def __init__(
        self,
        plan: str,
        *,
        shape: tuple[int, int, int],
        n_classes: int,
        width: float,
        rngs: nnx.Rngs,
        padding: Literal["same", "torch"] = "same",
    ) -> None:
        """`plan` of `PLANS`; `width` multiplies every number of channels."""
        self.padding = padding
        channels = scaled(PLANS[plan][0][0], width)
        self._add("conv", shape[2], channels, 3, 1, rngs)
        blocks: list[tuple[str, bool]] = []
        for stage, (outputs, count) in enumerate(PLANS[plan], start=1):
            n = scaled(outputs, width)
            for number in range(1, count + 1):
                stride = 2 if stage > 1 and number == 1 else 1
                name, shortcut = f"block{stage}_{number}", stride != 1 or channels != n
                self._add(f"{name}_a", channels, n, 3, stride, rngs)
                self._add(f"{name}_b", n, n, 3, 1, rngs)
                if shortcut:
                    self._add(f"{name}_s", channels, n, 1, stride, rngs)
                blocks.append((name, shortcut))
                channels = n
        self.blocks = tuple(blocks)
        self.output = Dense("output", channels, n_classes, rngs=rngs)

    def _add(self, name: str, n_in: int, n_out: int, size: int, stride: int, rngs: nnx.Rngs) -> None:
        padding = centred(size) if self.padding == "torch" else "SAME"
        conv = Conv(name, n_in, n_out, size=size, padding=padding, stride=stride, bias=False, rngs=rngs)
        setattr(self, name, conv)
        setattr(self, f"{name}_norm", Norm(n_out, rngs=rngs))

    def _layer(self, name: str, x: Array, product: Product, *, training: bool) -> Array:
        return getattr(self, f"{name}_norm")(getattr(self, name)(x, product), training=training)

    def __call__(self, images: Array, product: Product = digital, *, training: bool = False) -> Array:
        """Class scores `[n classes]` of images `[n h w c]` in [0, 1]."""
        x = jax.nn.relu(self._layer("conv", normalised(images, self.normalisation), product, training=training))
        for name, shortcut in self.blocks:
            y = jax.nn.relu(self._layer(f"{name}_a", x, product, training=training))
            y = self._layer(f"{name}_b", y, product, training=training)
            x = jax.nn.relu(y + (self._layer(f"{name}_s", x, product, training=training) if shortcut else x))
        return self.output(x.mean(axis=(1, 2)), product)
