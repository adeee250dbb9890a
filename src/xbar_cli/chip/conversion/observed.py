"""What the values of a network's layers are on its first training images: their largest, percentiles, and how many lie where."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.data.batches import eval_batches
from xbar_cli.nn.shapes import layer_inputs
from xbar_cli.nn.tiled import TiledLayer
from xbar_cli.numerics import quick_compilation
from xbar_cli.trained.opening import Trained

BINS = 2**16
"""Bins of the histogram that a percentile is read from: it is exact to this share of the largest value."""

Reducer = Callable[[Any, str, Array, Contract, Any, Callable[[Any, Array], Any]], Any]
"""`(layers, name, inputs, contract, start, step) -> carry`: reduces the values of one layer whose range is wanted."""


class Observed(NamedTuple):
    """What a layer's values were on the calibration images.

    Attributes:
        range: the percentile asked for.
        largest: the largest value.
    """

    range: float
    largest: float


def observed_ranges(
    trained: Trained, layers: dict[str, TiledLayer], reduce: Reducer, *, percentile: float, images: int, batch: int
) -> dict[str, Observed]:
    """A percentile of the values that `reduce` goes over in each layer, for the first training images.

    With `layers`, of these alone.

    The largest value takes one pass; any other percentile a second one, which counts the values in bins.
    """
    graphdef, state = nnx.split(trained.net)
    tops: dict[str, float] = {}
    for part in training_parts(trained, images=images, batch=batch):
        for name, found in _program(_largest)(state, layers, *part, graph=GraphKey(graphdef), reduce=reduce).items():
            tops[name] = float(np.maximum(tops.get(name, 0.0), found))  # which is NaN where one of them is
    if percentile == 100:
        return {name: Observed(top, top) for name, top in tops.items()}
    totals = counted_values(trained, layers, reduce, tops=tops, images=images, batch=batch)
    return {name: Observed(top * percentile_of(totals[name], percentile), top) for name, top in tops.items()}


def counted_values(
    trained: Trained,
    layers: Mapping[str, Any],
    reduce: Reducer,
    *,
    tops: Mapping[str, float],
    images: int,
    batch: int,
) -> dict[str, np.ndarray]:
    """How many of the values that `reduce` goes over in each layer lie in each of `BINS` equal bins from 0 to `tops`."""
    graphdef, state = nnx.split(trained.net)
    scaled = {name: jnp.asarray(top or 1.0, jnp.float32) for name, top in tops.items()}
    totals = {name: np.zeros(BINS, np.int64) for name in tops}
    for part in training_parts(trained, images=images, batch=batch):
        for name, counts in _program(_counted)(
            state, layers, scaled, *part, graph=GraphKey(graphdef), reduce=reduce
        ).items():
            totals[name] += np.asarray(counts)
    return totals


@dataclass(frozen=True, eq=False)
class GraphKey:
    """A network's graph as a key of programs: what flax puts into some graphs cannot be hashed.

    Attributes:
        definition: of flax.
    """

    definition: Any

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GraphKey):
            return NotImplemented
        try:
            return bool(self.definition == other.definition)
        except ValueError:  # arrays in it
            return self.definition is other.definition

    def __hash__(self) -> int:
        try:
            return hash(self.definition)
        except TypeError:
            return hash(type(self.definition))


@cache
def _program(observe: Callable[..., Any]) -> Callable[..., Any]:
    """What observes, compiled for all calibrations of a process: it runs a few times, and compiling it takes longer.

    Its `reduce` is a key of programs, which stay: a function of a module, no closure.
    """
    return jax.jit(observe, static_argnames=("graph", "reduce"), compiler_options=quick_compilation())


def _largest(state: Any, layers: Any, x: Array, weight: Array, *, graph: GraphKey, reduce: Reducer) -> dict[str, Array]:
    """The largest of the values that `reduce` goes over in each layer."""

    def step(carry: Array, values: Array) -> Array:
        return jnp.maximum(carry, (values * like_images(weight, values)).max())

    zero = jnp.zeros((), jnp.float32)  # of what layers see: images may be whole numbers
    inputs = layer_inputs(nnx.merge(graph.definition, state), x)
    return {name: reduce(layers, name, *inputs[name], zero, step) for name in layers or inputs}


def _counted(
    state: Any, layers: Any, tops: dict[str, Array], x: Array, weight: Array, *, graph: GraphKey, reduce: Reducer
) -> dict[str, Array]:
    """How many of the values that `reduce` goes over lie in each bin up to `tops`."""

    def count(name: str, v: Array, contract: Contract) -> Array:
        def step(carry: Array, values: Array) -> Array:
            places = jnp.clip((values * (BINS / tops[name])).astype(jnp.int32), 0, BINS - 1)
            real = jnp.broadcast_to(like_images(weight, values), values.shape).astype(jnp.int32)
            return carry.at[places.ravel()].add(real.ravel())

        return reduce(layers, name, v, contract, jnp.zeros(BINS, jnp.int32), step)

    inputs = layer_inputs(nnx.merge(graph.definition, state), x)
    return {name: count(name, *inputs[name]) for name in layers or inputs}


def percentile_of(counts: np.ndarray, percentile: float) -> float:
    """Upper edge, from 0 to 1, of the bin of equal width that a percentile of the counted values falls into."""
    reached = np.searchsorted(np.cumsum(counts), percentile / 100 * counts.sum())
    return float(min(reached + 1, counts.size) / counts.size) if reached else 0.0


def training_parts(trained: Trained, *, images: int, batch: int) -> Iterator[tuple[Array, Array]]:
    """The first training images in batches of one shape, and what each image counts: 0 where it fills up the last batch."""
    pictures, labels = trained.data.train_images[:images], trained.data.train_labels[:images]
    for part, _, weight in eval_batches(pictures, labels, batch_size=min(batch, len(labels))):
        yield jnp.asarray(part), jnp.asarray(weight)


def like_images(weight: Array, values: Array) -> Array:
    """A number for each image in the rank of `values` [images …]."""
    return weight.reshape(-1, *(1,) * (values.ndim - 1))
