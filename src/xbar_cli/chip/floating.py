"""A trained network in floating point: the counts that chips are held against."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.chip.counting import Batch, Counted, count_batch
from xbar_cli.nn.reading import Circuit
from xbar_cli.nn.score import ACCURACY, Measure
from xbar_cli.trained.opening import Trained


def floating_value(trained: Trained, parts: Sequence[Batch], measure: Measure) -> float:
    """The metric of the network in floating point."""
    count = make_counter(trained, measure=measure)
    root, first = jax.random.key(0), jnp.asarray(0)
    found = [count(None, root, first, *part).totals[0] for part in parts]
    images = sum(float(weight.sum()) for _, _, weight in parts)
    return measure.value(float(np.sum(np.asarray(found, np.float64))), images, of="the network in floating point")


def make_counter(trained: Trained, *, measure: Measure = ACCURACY) -> Callable[..., Counted]:
    """The function from a circuit (None for floating point), key, number of the first image and a batch to `count_batch`."""
    graphdef, state = nnx.split(trained.net)

    @jax.jit
    def count(state: Any, circuit: Circuit | None, key: Array, first: Array, *part: Array) -> Counted:
        x, y, weight = part
        return count_batch(nnx.merge(graphdef, state), circuit, key, first, (x, y, weight), measure)

    return partial(count, state)
