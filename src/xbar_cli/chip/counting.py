"""What one batch of inputs counts on a chip: the total of the metric, and conversions beyond their ranges."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from xbar_cli.chip.executor import by_patches
from xbar_cli.nn.layers import Product, digital
from xbar_cli.nn.reading import Circuit, Counts, on_arrays, share_beyond
from xbar_cli.nn.score import ACCURACY, Measure
from xbar_cli.nn.wired import Trust

Batch = tuple[Array, Array, Array]
"""Images, labels, and what each image counts."""


def count_batch(
    net: Any,
    circuit: Circuit | None,
    key: Array,
    first: Array,
    part: Batch,
    *,
    measure: Measure = ACCURACY,
    patches: bool = False,
) -> tuple[Array, dict[str, Trust]]:
    """Five counts of a batch, and how well arrays with wires were solved.

    The counts are the total of the metric (right answers, squared errors; NaN where scores are not finite), the ADC's
    conversions beyond its range and all of them, and the same of the DAC.

    Args:
        net: the network.
        circuit: of the chip; None for floating point.
        key: of what is drawn at every read.
        first: number of the first image.
        part: the batch.
        measure: what the first count is a total of.
        patches: convolutions as products of patches.
    """
    x, y, weight = part
    counts: dict[str, Counts] = {}
    trusts: dict[str, Trust] = {}
    product: Product = digital
    if circuit is not None:
        product = on_arrays(circuit, key=key, first=first, counts=counts, trusts=trusts)
    total = measure.total(net(x, by_patches(product) if patches else product), y, weight)
    return jnp.stack([total, *share_beyond(counts, "adc", weight), *share_beyond(counts, "dac", weight)]), trusts
