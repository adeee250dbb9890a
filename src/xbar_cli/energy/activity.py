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
from xbar_cli.chip.activity import LayerActivity, Wanted, full_drive, mean, of_inputs
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.data.batches import network_inputs
from xbar_cli.device.transistor import Separable
from xbar_cli.energy.reading import InputCoding, Reading
from xbar_cli.errors import ConfigError
from xbar_cli.nn.contracts import Convolution, MatrixProduct
from xbar_cli.nn.shapes import layer_inputs
from xbar_cli.reporter import Reporter
from xbar_cli.trained import build
from xbar_cli.trained.opening import Trained

BATCH = 16
MOST_IMAGES, LEAST_IMAGES, BUDGET_MACS = 256, 16, 8e9
"""Images that are averaged unless a number is given: so many that they take about the budget of multiply-accumulates."""
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Of the compiler: a pass over some images takes less time than optimising it; convolutions and products are library calls."""


@dataclass(frozen=True)
class Coding:
    """How activations drive rows, and what power the driven cells draw.

    Attributes:
        kind: activations as voltages, one bit a cycle, or pulse widths.
        bits: of the pulses or widths, and that voltages are rounded to; None where they are any share of the full drive.
        volt: of the full drive [V].
        powers: surrogate of the cell's power, by layer; empty on resistive arrays.
    """

    kind: InputCoding
    bits: int | None
    volt: float
    powers: Mapping[str, Separable]

    @property
    def single(self) -> bool:
        """Whether rows see one voltage or none."""
        return self.kind != "amplitude"

    @property
    def cycles(self) -> int:
        """Pulses of a read."""
        return (self.bits or 1) if self.kind == "bitserial" else 1

    @property
    def wanted(self) -> Wanted:
        """What is to be known of the rows."""
        if self.kind == "bitserial":
            assert self.bits is not None
            return Wanted((self.bits,), 0)
        if self.kind == "pwm":
            return Wanted((), 1, self.bits)
        orders = max((power.polynomials.shape[1] for power in self.powers.values()), default=0)
        return Wanted((), orders, self.bits)

    def covered(self, activity: Mapping[str, LayerActivity]) -> bool:
        """Whether the activity of every layer says what its power depends on; worst-case activity is of any rounding."""
        if self.kind == "bitserial":
            return all(self.bits in seen.pulses for seen in activity.values())
        rounded = all(seen.steps == self.bits or seen.images == 0 for seen in activity.values())
        return rounded and all(seen.moments.shape[1] >= self.wanted.orders for seen in activity.values())

    def __str__(self) -> str:
        return self.kind if self.bits is None else f"{self.kind} of {self.bits} bits"


def worst_case(trained: Trained, coding: Coding) -> dict[str, LayerActivity]:
    """Every row at full drive in every pulse of one phase."""
    shapes = build.shapes_of(trained.net, trained.data)
    return {s.name: full_drive(s.rows * s.groups, s.positions, coding.wanted) for s in shapes}


def measure(
    trained: Trained, network: MappedNetwork, wanted: Wanted, *, images: int | None, reporter: Reporter
) -> dict[str, LayerActivity]:
    """The activity over the first test images; None leaves their number to the network's size."""
    if images is not None:
        require_images(trained, images)
    graphdef, state = nnx.split(trained.net)
    contracts: dict[str, Contract] = {}

    def inputs(state: Any, x: Array) -> dict[str, Array]:
        found = layer_inputs(nnx.merge(graphdef, state), x)
        contracts.update({name: contract for name, (_, contract) in found.items()})
        return {name: value for name, (value, _) in found.items()}

    size = min(BATCH, images or BATCH)
    example = jax.ShapeDtypeStruct((size, *build.input_shape(trained.data)), build.input_dtype(trained.data))
    lowered = jax.jit(inputs).lower(state, example)
    compiled = lowered.compile(compiler_options=QUICK if jax.default_backend() == "cpu" else None)
    if images is None:
        shapes = build.shapes_of(trained.net, trained.data)
        fitting = int(BUDGET_MACS / sum(shape.macs for shape in shapes)) // BATCH * BATCH
        images = min(MOST_IMAGES, max(LEAST_IMAGES, fitting), len(trained.data.test_labels))
    parts: dict[str, list[LayerActivity]] = {name: [] for name in network.layers}
    for start in range(0, images, size):
        reporter.progress("activity", start, images)
        part = network_inputs(trained.data.test_images[start : min(start + size, images)])
        filled = np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), part.dtype)])
        seen_by = compiled(state, jnp.asarray(filled))
        for name, layer in network.layers.items():
            x = seen_by[name]
            seen = of_inputs(
                np.asarray(x)[: len(part)], contracts[name], layer.kernel[:-2], full_scale=layer.full_scale,
                signed=layer.signed, wanted=wanted,
            )  # fmt: skip
            parts[name].append(seen)
    reporter.progress("activity", images, images)
    return {name: mean(found) for name, found in parts.items()}


def sampled_reads(
    trained: Trained, network: MappedNetwork, coding: Coding, reading: Reading, *, reads: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Row voltages of some reads of each layer, [reads rows] [V]: an image, a position, a bit or moment and rows at random.

    Phases of negative activations are left out: they see the same arrays. Where only some rows are read at once, the others
    are at 0 V.
    """
    require_images(trained, reads)
    generator = np.random.default_rng((seed, 8))
    pictures = jnp.asarray(network_inputs(trained.data.test_images[:reads]))
    found: dict[str, NDArray[np.float64]] = {}
    for name, (x, contract) in layer_inputs(trained.net, pictures).items():
        if name not in network.layers:
            continue
        assert isinstance(contract, MatrixProduct | Convolution)
        layer = network.layers[name]
        rows = np.asarray(contract.rows(x, layer.kernel[:-2]), np.float64).reshape(
            reads, -1, layer.conductance.shape[0] * layer.groups
        )
        chosen = rows[np.arange(reads), generator.integers(rows.shape[1], size=reads)]
        share = momentary(np.clip(chosen / layer.full_scale, 0, 1), coding, generator)
        height = min(network.tile[0], share.shape[1])
        group = np.arange(share.shape[1]) % network.tile[0] // reading.active(height)
        read = group == generator.integers(reading.groups(height), size=(reads, 1))
        found[name] = coding.volt * share * read
    return found


def momentary(share: NDArray[np.float64], coding: Coding, generator: np.random.Generator) -> NDArray[np.float64]:
    """What rows are driven with at one moment of a read [reads rows], of their shares of the full drive."""
    if coding.bits is None:
        return share
    codes = np.round(share * (2**coding.bits - 1)).astype(np.int64)
    match coding.kind:
        case "amplitude":
            return codes / (2**coding.bits - 1)
        case "bitserial":
            return (codes >> generator.integers(coding.bits, size=(len(share), 1)) & 1).astype(np.float64)
        case "pwm":  # pulses begin together
            return (codes > generator.integers(2**coding.bits - 1, size=(len(share), 1))).astype(np.float64)


def require_images(trained: Trained, images: int) -> None:
    """Raise ConfigError where there are fewer test images."""
    there = len(trained.data.test_labels)
    if images > there:
        raise ConfigError(f"images = {images} is more than the {there} test images there are")
