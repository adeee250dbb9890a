"""What the answers of a network, on a circuit or in floating point, come to."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.chip.executor import by_patches
from xbar_cli.nn.layers import Product, digital
from xbar_cli.nn.loops import one_by_one
from xbar_cli.nn.reading import Circuit, Counts, on_arrays, share_beyond
from xbar_cli.nn.score import Measure
from xbar_cli.nn.tiled import in_parts
from xbar_cli.nn.wired.solved import Trust

Batch = tuple[Array, Array, Array]
"""Images, labels, and what each image counts."""
AT_ONCE = 3 * 2**18
"""Outputs of a layer that are computed at once: 1000 images take ResNet-20 half as long again at once as in parts of 48."""


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
    first image, `patches` takes convolutions as products of patches. On a CPU the images go through in parts, but where arrays
    are solved at every read, which has parts of its own.
    """
    x, y, weight = part
    converted: dict[str, int] = {}
    trusts: dict[str, Trust] = {}

    def answers(x: Array, numbers: Array) -> tuple[Array, dict[str, Array]]:
        counts: dict[str, Counts] = {}
        product: Product = digital
        if circuit is not None:
            product = on_arrays(circuit, key=key, first=numbers[0], counts=counts, trusts=trusts)
        scores = net(x, by_patches(product) if patches else product)
        converted.update({name: found.total for name, found in counts.items()})
        return scores, {name: found.beyond for name, found in counts.items()}

    whole = patches or jax.default_backend() != "cpu" or (circuit is not None and circuit.solved)
    size = x.shape[0] if whole else images_at_once(net, x)
    scores, beyond = in_parts(answers, x, first + jnp.arange(x.shape[0]), size=size)
    each = measure.each(scores, y, weight)
    counts = {name: Counts(beyond[name], converted[name]) for name in beyond}
    total = jnp.stack([jnp.sum(each), *share_beyond(counts, "adc", weight), *share_beyond(counts, "dac", weight)])
    return Counted(total, each, trusts)


def images_at_once(net: Any, x: Array) -> int:
    """Images of a batch `x` that a network computes at once: more would leave the processor's caches; 2 at least."""
    outputs = [1]

    def seen(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        del name
        y = contract(x, kernel)
        outputs.append(y.size)
        return y

    jax.eval_shape(lambda x: net(x, one_by_one(seen)), x)
    return max(2, AT_ONCE * x.shape[0] // max(outputs))
