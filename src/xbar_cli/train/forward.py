"""What the products of a network go through while it is trained: weights, inputs, precision.

A forward is `(network, key, step) -> product`. Key and step are None when the network is measured: nothing is random
then, and nothing that it keeps changes.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.array.ideal import Contract
from xbar_cli.nn.layers import Product
from xbar_cli.nn.loops import one_by_one
from xbar_cli.numerics import straight_through

from .transforms import Site, Transform

Forward = Callable[[Any, Array | None, Array | None], Product]
Exact = Callable[[Contract, Array, Array], Array]
"""`(contract, inputs, kernel) -> outputs` in the precision of the training's products."""
Converters = Callable[[str, Any, Array, Array, Contract, Exact], Array]
"""`(name, layer, inputs, kernel, contract, exact) -> outputs` of a layer between converters."""

INPUT_MOMENTUM = 0.9
"""Share of its old input range that a layer keeps at each step, as batch norm does with its statistics."""


def make_forward(
    transform: Transform | None = None,
    *,
    activation_bits: int | None = None,
    precision: str = "float32",
    converters: Converters | None = None,
) -> Forward:
    """A forward pass in which every kernel goes through `transform`; products are `float32` or `bfloat16`.

    `activation_bits` are those of every layer's inputs, None for floating point: layers need an `input_range` then
    (`add_input_ranges`). `converters` stand around every product.
    """
    dtype = jnp.dtype(precision)

    def exact(contract: Contract, x: Array, kernel: Array) -> Array:
        return contract(x.astype(dtype), kernel.astype(dtype)).astype(x.dtype)

    def forward(net: Any, key: Array | None, step: Array | None) -> Product:
        def product(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
            layer = getattr(net, name)
            if transform is not None:
                kernel = transform(Site(name, layer=layer, key=key, step=step), kernel)
            if activation_bits is not None:
                x = quantised_inputs(layer, x, bits=activation_bits, training=step is not None)
            return (
                exact(contract, x, kernel)
                if converters is None
                else converters(name, layer, x, kernel, contract, exact)
            )

        keeps = activation_bits is not None and step is not None  # what a layer keeps leaves no traced loop
        return one_by_one(product) if keeps else product

    return forward


PLAIN = make_forward()
"""The network as it is, in float32."""


def add_input_ranges(net: nnx.Module, layers: list[str]) -> None:
    """Give every layer the running largest input that `activation_bits` needs."""
    for name in layers:
        getattr(net, name).input_range = nnx.BatchStat(jnp.zeros(()))


def drop_input_ranges(net: nnx.Module, layers: list[str]) -> dict[str, float]:
    """Take the running largest inputs away again, a network as `nn` makes it having none; returns them by layer."""
    ranges: dict[str, float] = {}
    for name in layers:
        layer = getattr(net, name)
        if hasattr(layer, "input_range"):
            ranges[name] = float(layer.input_range[...])
            delattr(layer, "input_range")
    return ranges


def quantised_inputs(
    layer: Any, x: Float[Array, "*batch in"], *, bits: int, training: bool
) -> Float[Array, "*batch in"]:
    """Inputs on 2^bits levels from 0 to the layer's running largest input (and as many below 0), straight-through.

    References:
        Kazemi et al. (acm), section IV: 8-bit activations; the range is not in the paper.
    """
    kept = layer.input_range
    if training:
        largest = jax.lax.stop_gradient(jnp.abs(x).max())
        kept[...] = jnp.where(kept[...] > 0, INPUT_MOMENTUM * kept[...] + (1 - INPUT_MOMENTUM) * largest, largest)
    full = jnp.where(kept[...] > 0, kept[...], 1.0)  # where all were 0: the first state of a recurrent layer
    step = full / (2**bits - 1)
    return straight_through(lambda v: jnp.round(v / step) * step, jnp.clip(x, -full, full))
