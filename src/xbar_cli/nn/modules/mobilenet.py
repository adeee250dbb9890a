"""MobileNet for small pictures: depthwise convolutions, one array a channel, and pointwise ones between them."""

import jax
from flax import nnx
from jax import Array

from xbar_cli.nn.norm import MOMENTUM
from xbar_cli.nn.vgg import scaled

FIRST = 32
PLAN = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))
"""Outputs and stride of each pair (Howard et al. 2017, table 1), from a first convolution that halves nothing to the first
512 channels of pictures of 32×32 pixels."""


class Pair(nnx.Module):
    """A depthwise and a pointwise convolution, each with batch norm and rectifier."""

    def __init__(self, n_in: int, n_out: int, *, stride: int, epsilon: float, rngs: nnx.Rngs) -> None:
        """A window of 3×3 for each of `n_in` channels, and one of 1×1 from all to `n_out`."""
        self.depthwise = nnx.Conv(
            n_in, n_in, (3, 3), strides=(stride, stride), feature_group_count=n_in, use_bias=False, rngs=rngs
        )
        self.depthwise_norm = nnx.BatchNorm(n_in, momentum=MOMENTUM, epsilon=epsilon, rngs=rngs)
        self.pointwise = nnx.Conv(n_in, n_out, (1, 1), use_bias=False, rngs=rngs)
        self.pointwise_norm = nnx.BatchNorm(n_out, momentum=MOMENTUM, epsilon=epsilon, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Numbers `[n h w out]`."""
        x = jax.nn.relu(self.depthwise_norm(self.depthwise(x)))
        return jax.nn.relu(self.pointwise_norm(self.pointwise(x)))


class MobileNet(nnx.Module):
    """A first convolution, pairs of depthwise and pointwise ones, a mean, one dense layer.

    References:
        Howard et al., arXiv:1704.04861 (2017).
    """

    def __init__(self, *, shape: tuple[int, ...], n_classes: int, width: float, epsilon: float, rngs: nnx.Rngs) -> None:
        """`shape` is the image's [h w c]; `width` multiplies channels."""
        if len(shape) != 3:
            raise ValueError(f"shape must be a picture's [h w c], got {list(shape)}")
        channels = scaled(FIRST, width)
        self.first = nnx.Conv(shape[2], channels, (3, 3), use_bias=False, rngs=rngs)
        self.first_norm = nnx.BatchNorm(channels, momentum=MOMENTUM, epsilon=epsilon, rngs=rngs)
        pairs = []
        for outputs, stride in PLAN:
            n = scaled(outputs, width)
            pairs.append(Pair(channels, n, stride=stride, epsilon=epsilon, rngs=rngs))
            channels = n
        self.pairs = nnx.List(pairs)
        self.head = nnx.Linear(channels, n_classes, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Class scores `[n classes]` of images `[n h w c]`."""
        x = jax.nn.relu(self.first_norm(self.first(images)))
        for pair in self.pairs:
            x = pair(x)
        return self.head(x.mean(axis=(1, 2)))
