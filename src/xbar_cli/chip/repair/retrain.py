"""Retraining with the faults known: weights of one chip that make the network's outputs on it those of the trained network.

What is minimised is the mean squared distance of the outputs to those in floating point, on training images: no labels are
needed, and every task is served. The copies of an ensemble are trained together, since their outputs are averaged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.chip.repair.units import Units
from xbar_cli.data.batches import network_inputs
from xbar_cli.nn.layers import digital
from xbar_cli.nn.program import Scale, linear_layer
from xbar_cli.numerics import stream
from xbar_cli.trained.opening import Trained
from xbar_cli.trained.parts import split_parts

LEARNING_RATE = 2e-3
"""Of Adam at the start, for weights in units of the full scale; it falls to 0 along a cosine."""
BATCH = 64


class StandingPairs(NamedTuple):
    """A layer's pairs where they stand.

    Attributes:
        name: of the layer.
        target: effective conductances aimed at [rows columns] [S].
        stuck: whether a device is [rows columns].
        held: at what [S].
        units: the pairs.
    """

    name: str
    target: Array
    stuck: Array
    held: Array
    units: Units

    def pairs(self, weight: Array) -> Array:
        """Targets of weights in units of the full scale, −1 … 1 [rows out]: one device of each pair is at the lowest [S]."""
        low, span = self.units.low, self.units.high - self.units.low
        both = jnp.stack([jnp.maximum(weight, 0), jnp.maximum(-weight, 0)], axis=-1)
        return (low + span * jnp.minimum(both, 1)).reshape(self.target.shape)

    @property
    def weight(self) -> Array:
        """The weights [rows out] that are aimed at, in units of the full scale."""
        pairs = self.units.split(self.target)
        return (pairs[..., 0] - pairs[..., 1]) / (self.units.high - self.units.low)

    def achieved(self, weight: Array) -> Array:
        """Effective conductances [rows columns] that these weights come to [S]."""
        parts = (self.units.split(part) for part in (self.pairs(weight), self.stuck, self.held))
        return self.units.achieved(*parts).reshape(self.target.shape)


@dataclass(frozen=True)
class Retraining:
    """The training of a chip's weights: a function of its key and its faults.

    Attributes:
        epochs: passes over the images.
        net: the trained network, split.
        images: training images [n …], as the data set has them.
        scales: how the columns of layers are decoded.
    """

    epochs: int
    net: tuple[Any, Any]
    images: Array
    scales: Mapping[str, Scale]

    def __call__(self, key: Array, layers: Sequence[StandingPairs]) -> list[Array]:
        """New effective conductances to aim at [S], of each layer of each copy."""
        batch = min(BATCH, len(self.images))
        steps = self.epochs * (len(self.images) // batch)
        optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))
        start = [layer.weight for layer in layers]
        order = jax.vmap(lambda k: jax.random.permutation(k, len(self.images))[: steps // self.epochs * batch])(
            jax.random.split(stream(key, "retrain"), self.epochs)
        )

        def step(carry: Any, index: Array) -> tuple[Any, Array]:
            weights, state = carry
            loss, slopes = jax.value_and_grad(self._distance)(weights, layers, self.images[index])
            with jax.numpy_dtype_promotion("standard"):
                moves, state = optimizer.update(slopes, state, weights)
            moved = jax.tree.map(lambda weight, move: jnp.clip(weight + move, -1, 1), weights, moves)
            return (moved, state), loss

        (weights, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), order.reshape(-1, batch))
        return [layer.pairs(weight) for layer, weight in zip(layers, weights, strict=True)]

    def _distance(self, weights: list[Array], layers: Sequence[StandingPairs], images: Array) -> Array:
        """Mean squared distance of the outputs to those in floating point, over the mean square of these."""
        net, inputs = nnx.merge(*self.net), as_inputs(images)
        found: dict[str, list[Array]] = {}
        for layer, weight in zip(layers, weights, strict=True):
            found.setdefault(layer.name, []).append(layer.achieved(weight))
        kernels = {
            name: linear_layer(sum(copies[1:], start=copies[0]) / len(copies), scale=self.scales[name]).kernel
            for name, copies in found.items()
        }

        def on_chip(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
            return contract(x, kernels.get(name, kernel))

        wanted = jax.lax.stop_gradient(net(inputs, digital))
        return jnp.square(net(inputs, on_chip) - wanted).mean() / jnp.square(wanted).mean()


def as_inputs(images: Array) -> Array:
    """As `data.batches.network_inputs`, of traced images."""
    return images.astype(jnp.float32) / 255 if images.dtype == jnp.uint8 else images


def retraining(trained: Trained, scales: Mapping[str, Scale], *, epochs: int) -> Retraining:
    """The training of the chips of a trained network, on the images that it was fitted to."""
    images, _ = split_parts(trained.config.dataset, trained.data, seed=trained.config.seed)["train"]
    kept = images if images.dtype == np.uint8 else network_inputs(images)
    return Retraining(epochs, nnx.split(trained.net), jnp.asarray(kept), scales)
