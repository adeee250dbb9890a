"""Outer products as coincidences of stochastic bit streams: what crossbars do with inputs and errors to update their devices.

A row that sees x sends pulses with probability `|x| c_x`, a column of error δ with `|δ| c_δ`, at every bit of a stream; a device
is pulsed where both meet. With `c_x c_δ = rate/(bits · step)` an update is `−rate · x δ` on average, as long as no probability
is beyond 1. Both probabilities of a product are brought to the same size first (update management).

References:
    Gokmen and Vlasov, Front. Neurosci. 10 (2016) 333: the stochastic update.
    Gokmen, Onen, Haensch, Front. Neurosci. 11 (2017) 538: update management.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from xbar_cli.array.ideal import Contract
from xbar_cli.nn.contracts import rows_of

RESOLUTION = 2**16
"""Steps of a probability."""


def quick_bits(key: Array, shape: tuple[int, ...]) -> Array:
    """Random 16-bit integers from a generator that is several times as fast as the one of `key`."""
    data = jax.random.key_data(key).reshape(-1)
    return jax.random.bits(jax.random.wrap_key_data(jnp.tile(data, 2)[:4], impl="rbg"), shape, jnp.uint16)


def _stream(key: Array, chance: Float[Array, "n lines"], bits: int) -> Float[Array, "bits n lines"]:
    """Bits that are 1 with these chances."""
    drawn = quick_bits(key, (bits, *chance.shape)).astype(jnp.float32)
    return (drawn < chance[None] * RESOLUTION).astype(jnp.float32)


def coincidences(
    key: Array, x: Float[Array, "n rows"], delta: Float[Array, "n out"], gain: Array, *, bits: int
) -> tuple[Float[Array, "rows out"], Float[Array, "rows out"]]:
    """Pulses that the devices get: up minus down, and both together, over all n products.

    Args:
        key: random key.
        x: what the rows see.
        delta: gradients of the loss with respect to the columns' outputs.
        gain: rate over the step of a pulse: pulses per unit of `x δ`.
        bits: of a stream.
    """
    large = [jnp.abs(v).max(axis=1, keepdims=True) for v in (x, delta)]
    there = (large[0] > 0) & (large[1] > 0)
    balance = jnp.sqrt(jnp.where(there, large[1], 1) / jnp.where(there, large[0], 1))
    each = jnp.sqrt(gain / bits)
    of_x, of_delta = jax.random.split(key)
    rows = jnp.sign(x)[None] * _stream(of_x, jnp.abs(x) * (each * balance), bits)
    columns = -jnp.sign(delta)[None] * _stream(of_delta, jnp.abs(delta) * (each / balance), bits)
    rows, columns = rows.reshape(-1, x.shape[1]), columns.reshape(-1, delta.shape[1])
    return rows.T @ columns, jnp.abs(rows).T @ jnp.abs(columns)


@dataclass(frozen=True)
class PulsedProduct:
    """A product whose kernel's gradient is the pulses up minus down, and its tally's gradient both together.

    Attributes:
        contract: of the layer.
        bits: of a stream.
    """

    contract: Contract
    bits: int

    def __call__(self, x: Array, kernel: Array, tally: Array, key: Array, gain: Array) -> Array:
        """The outputs; `tally` is zeros in the shape of the kernel, `gain` as of `coincidences`."""
        data, kind = jax.random.key_data(key), jax.random.key_impl(key)

        @jax.custom_vjp
        def product(x: Array, kernel: Array, tally: Array, data: Array, gain: Array) -> Array:
            return self.contract(x, kernel)

        def forward(x: Array, kernel: Array, tally: Array, data: Array, gain: Array) -> Any:
            return self.contract(x, kernel), (x, kernel, data, gain)

        def backward(kept: Any, error: Array) -> Any:
            x, kernel, data, gain = kept
            (back,) = jax.vjp(lambda x: self.contract(x, kernel), x)[1](error)
            rows = rows_of(self.contract, x, kernel.shape)
            net, both = coincidences(
                jax.random.wrap_key_data(data, impl=kind), rows.reshape(-1, rows.shape[-1]),
                error.reshape(-1, error.shape[-1]), gain, bits=self.bits,
            )  # fmt: skip
            nothing = np.zeros(data.shape, jax.dtypes.float0)
            return back, net.reshape(kernel.shape), both.reshape(kernel.shape), nothing, jnp.zeros_like(gain)

        product.defvjp(forward, backward)
        return product(x, kernel, tally, data, gain)
