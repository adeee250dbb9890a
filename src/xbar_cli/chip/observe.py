"""What training images say of the layers of a network before it is on devices: ranges of activations, and a sample of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from xbar_cli.array.ideal import Contract
from xbar_cli.chip.activity import STORED_BITS, LayerActivity, Wanted, of_inputs
from xbar_cli.chip.mapped import LayerMapping
from xbar_cli.data.batches import eval_batches
from xbar_cli.device.cell import Cell
from xbar_cli.nn.shapes import layer_inputs
from xbar_cli.trained.opening import Trained

SAMPLED_VALUES, MOST_SAMPLED = 8_000_000, 256
"""Images that are sampled: so many that their activations are about so many numbers, and no more than so many."""


@dataclass(frozen=True)
class Activations:
    """Activations of some images.

    Attributes:
        ranges: smallest and largest activation that enters each layer, 0 within.
        inputs: of each layer for the first images [images *place in].
        contracts: of each layer.
    """

    ranges: dict[str, tuple[float, float]]
    inputs: dict[str, NDArray[np.float32]]
    contracts: dict[str, Contract]

    def activity(
        self, layers: Mapping[str, LayerMapping], cell: Cell | None, *, bits: Iterable[int] = ()
    ) -> dict[str, LayerActivity]:
        """How the sampled activations drive the rows of every layer; pulses of inputs of `bits` besides the usual ones."""
        wanted = Wanted(tuple(sorted({*STORED_BITS, *bits})), orders(cell))
        return {
            name: of_inputs(
                self.inputs[name], self.contracts[name], layer.kernel[:-2], full_scale=layer.full_scale,
                signed=layer.signed, wanted=wanted,
            )
            for name, layer in layers.items()
        }  # fmt: skip


def orders(cell: Cell | None) -> int:
    """Moments that the power of a cell takes at any of its gate voltages; none where there is no cell."""
    return 0 if cell is None else max(power.polynomials.shape[1] for power in cell.power)


def observe(trained: Trained, *, images: int, sampled: bool) -> Activations:
    """The ranges of the activations over the first training images, in floating point, and a sample of them if asked for."""
    picked = trained.data.train_images[:images]
    graphdef, state = nnx.split(trained.net)
    size = min(500, len(picked))
    contracts: dict[str, Contract] = {}

    @jax.jit
    def pass_on(state: Any, x: jax.Array, weight: jax.Array) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        inputs = layer_inputs(nnx.merge(graphdef, state), x)
        contracts.update({name: contract for name, (_, contract) in inputs.items()})
        # the pictures that fill up the last batch do not count
        real = {name: v * weight.reshape(-1, *(1,) * (v.ndim - 1)) for name, (v, _) in inputs.items()}
        ends = {name: jnp.stack([values.min(), values.max()]) for name, values in real.items()}
        values = sum(v.size for v, _ in inputs.values()) // len(x)
        kept = min(max(SAMPLED_VALUES // values, 1), MOST_SAMPLED) if sampled else 0
        return ends, {name: v[:kept] for name, (v, _) in inputs.items()}

    low: dict[str, float] = {}
    high: dict[str, float] = {}
    inputs: dict[str, NDArray[np.float32]] = {}
    for part, _, weight in eval_batches(picked, trained.data.train_labels[:images], batch_size=size):
        ends, first = pass_on(state, jnp.asarray(part), jnp.asarray(weight))
        inputs = inputs or {name: np.asarray(v)[: int(weight.sum())] for name, v in first.items()}
        for name, (least, largest) in ends.items():
            low[name] = min(low.get(name, 0.0), float(least))
            high[name] = max(high.get(name, 0.0), float(largest))
    return Activations({name: (low[name], high[name]) for name in low}, inputs, contracts)
