"""The activity that an energy run costs: that of the map run, of an earlier energy run, of test images, or the worst case."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from xbar_cli.array.ideal import Contract
from xbar_cli.data.batches import to_float
from xbar_cli.device.transistor import Separable
from xbar_cli.errors import ConfigError
from xbar_cli.nn.layers import Convolution, MatrixProduct
from xbar_cli.nn.shapes import layer_inputs, layer_shapes
from xbar_cli.workflows import build
from xbar_cli.workflows.activity import LayerActivity, Wanted, full_drive, mean, of_inputs
from xbar_cli.workflows.mapped import MappedNetwork
from xbar_cli.workflows.models import Trained
from xbar_cli.workflows.reporter import Reporter

BATCH = 16
MOST_IMAGES, LEAST_IMAGES, BUDGET_MACS = 256, 16, 8e9
"""Images that are averaged unless a number is given: so many that they take about the budget of multiply-accumulates."""
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Of the compiler: a pass over some images takes less time than optimising it; convolutions and products are library calls."""


@dataclass(frozen=True)
class Coding:
    """How activations drive rows, and what power the driven cells draw.

    Attributes:
        bits: of bit-serial inputs, a pulse each; None where the voltage is the activation's.
        powers: surrogate of the cell's power, by layer; empty on resistive arrays.
    """

    bits: int | None
    powers: Mapping[str, Separable]

    @property
    def cycles(self) -> int:
        """Pulses of a read."""
        return self.bits or 1

    @property
    def wanted(self) -> Wanted:
        """What is to be known of the rows."""
        orders = max((power.polynomials.shape[1] for power in self.powers.values()), default=0)
        return Wanted(() if self.bits is None else (self.bits,), orders)

    def covered(self, activity: Mapping[str, LayerActivity]) -> bool:
        """Whether the activity of every layer says what its power depends on."""
        if self.bits is not None:
            return all(self.bits in seen.pulses for seen in activity.values())
        return all(seen.moments.shape[1] >= self.wanted.orders for seen in activity.values())


def worst_case(trained: Trained, coding: Coding) -> dict[str, LayerActivity]:
    """Every row at full drive in every pulse of one phase."""
    shapes = layer_shapes(trained.net, shape=build.image_shape(trained.data))
    return {s.name: full_drive(s.rows, s.positions, coding.wanted) for s in shapes}


def measure(
    trained: Trained, network: MappedNetwork, wanted: Wanted, *, images: int | None, reporter: Reporter
) -> dict[str, LayerActivity]:
    """The activity over the first test images; None leaves their number to the network's size.

    Raises:
        ConfigError: more images than there are.
    """
    if images is not None:
        require_images(trained, images)
    graphdef, state = nnx.split(trained.net)
    contracts: dict[str, Contract] = {}

    def inputs(state: Any, x: Array) -> dict[str, Array]:
        found = layer_inputs(nnx.merge(graphdef, state), x)
        contracts.update({name: contract for name, (_, contract) in found.items()})
        return {name: value for name, (value, _) in found.items()}

    size = min(BATCH, images or BATCH)
    example = jax.ShapeDtypeStruct((size, *trained.data.test_images.shape[1:]), jnp.float32)
    lowered = jax.jit(inputs).lower(state, example)
    compiled = lowered.compile(compiler_options=QUICK if jax.default_backend() == "cpu" else None)
    if images is None:
        shapes = layer_shapes(trained.net, shape=build.image_shape(trained.data))
        fitting = int(BUDGET_MACS / sum(shape.macs for shape in shapes)) // BATCH * BATCH
        images = min(MOST_IMAGES, max(LEAST_IMAGES, fitting), len(trained.data.test_labels))
    parts: dict[str, list[LayerActivity]] = {name: [] for name in network.layers}
    for start in range(0, images, size):
        reporter.progress("activity", start, images)
        part = to_float(trained.data.test_images[start : min(start + size, images)])
        filled = np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), part.dtype)])
        for name, x in compiled(state, jnp.asarray(filled)).items():
            layer = network.layers[name]
            seen = of_inputs(
                np.asarray(x)[: len(part)], contracts[name], layer.kernel[:-2], full_scale=layer.full_scale,
                signed=layer.signed, wanted=wanted,
            )  # fmt: skip
            parts[name].append(seen)
    reporter.progress("activity", images, images)
    return {name: mean(found) for name, found in parts.items()}


def sampled_reads(
    trained: Trained, network: MappedNetwork, *, reads: int, bits: int | None, volt: float, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Row voltages of some reads of each layer, [reads rows] [V]: an image, a position and a bit at random.

    Phases of negative activations are left out: they see the same arrays.
    """
    require_images(trained, reads)
    generator = np.random.default_rng((seed, 8))
    pictures = jnp.asarray(to_float(trained.data.test_images[:reads]))
    found: dict[str, NDArray[np.float64]] = {}
    for name, (x, contract) in layer_inputs(trained.net, pictures).items():
        assert isinstance(contract, MatrixProduct | Convolution)
        layer = network.layers[name]
        rows = np.asarray(contract.rows(x, layer.kernel[:-2]), np.float64).reshape(
            reads, -1, layer.conductance.shape[0]
        )
        chosen = rows[np.arange(reads), generator.integers(rows.shape[1], size=reads)]
        share = np.clip(chosen / layer.full_scale, 0, 1)
        if bits is not None:
            codes = np.round(share * (2**bits - 1)).astype(np.int64)
            share = (codes >> generator.integers(bits, size=(reads, 1)) & 1).astype(np.float64)
        found[name] = volt * share
    return found


def require_images(trained: Trained, images: int) -> None:
    """Raise ConfigError where there are fewer test images."""
    there = len(trained.data.test_labels)
    if images > there:
        raise ConfigError(f"images = {images} is more than the {there} test images there are")
