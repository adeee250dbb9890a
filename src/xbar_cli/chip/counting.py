"""What the answers of a network, on a circuit or in floating point, come to."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from xbar_cli.chip.executor import by_patches
from xbar_cli.nn.layers import Product, digital
from xbar_cli.nn.reading import Circuit, Counts, on_arrays, share_beyond
from xbar_cli.nn.score import Measure
from xbar_cli.nn.wired.solved import Trust

Batch = tuple[Array, Array, Array]
"""Images, labels, and what each image counts."""


class Counted(NamedTuple):
    """What a chip's answers to some images come to.

    Attributes:
        totals: the metric's sum (NaN where scores are not finite), the ADC's conversions beyond its range and all of them,
            and the same of the DAC.
        each: what every image adds to the first of them.
        trusts: how well arrays with wires were solved.
    """

    totals: Any
    each: Any
    trusts: Any


def count_batch(
    net: Any, circuit: Circuit | None, key: Array, first: Array, part: Batch, measure: Measure, *, patches: bool = False
) -> Counted:
    """The counts of a batch.

    Without a circuit the network computes in floating point; `key` is of what is drawn at every read, `first` the number of the
    first image, `patches` takes convolutions as products of patches.
    """
    x, y, weight = part
    counts: dict[str, Counts] = {}
    trusts: dict[str, Trust] = {}
    product: Product = digital
    if circuit is not None:
        product = on_arrays(circuit, key=key, first=first, counts=counts, trusts=trusts)
    each = measure.each(net(x, by_patches(product) if patches else product), y, weight)
    total = jnp.stack([jnp.sum(each), *share_beyond(counts, "adc", weight), *share_beyond(counts, "dac", weight)])
    return Counted(total, each, trusts)
