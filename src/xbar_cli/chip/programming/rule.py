"""How the devices of a chip are programmed: what is asked for, and what is known of arrays and reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from xbar_cli.array.wires import Wires
from xbar_cli.config.chips.programming import ProgrammingSection
from xbar_cli.device.figures import Devices
from xbar_cli.device.switching.model import Switching
from xbar_cli.device.switching.presets import load_switching


@dataclass(frozen=True)
class ProgrammingRule:
    """How the devices of a chip are programmed.

    Attributes:
        method: `verify`, cell by cell, or `gradient`, whole arrays by their measured outputs.
        model: how the devices switch.
        g_min: lower end of their nominal window [S].
        g_max: upper end [S].
        window: width of the window that weights are mapped to [S].
        accepted: distance from the target that is accepted [S].
        most: pulses that a device gets at most.
        rounds: of reading and pulsing, at most.
        adc_bits: of what reads; None reads exactly.
        rate: share of the error that a round of `gradient` takes away.
    """

    method: Literal["verify", "gradient"]
    model: Switching
    g_min: float
    g_max: float
    window: float
    accepted: float
    most: int
    rounds: int
    adc_bits: int | None
    rate: float


GRADIENT_ROUNDS = 30
"""Of reading and pulsing, unless given."""


def rule_of(section: ProgrammingSection, devices: Devices) -> ProgrammingRule | None:
    """How devices are programmed; None where nothing is asked for. ConfigError for a switching model that is none."""
    if section.method is None:
        return None
    assert section.device is not None
    window = devices.g_on - devices.g_off
    return ProgrammingRule(
        method=section.method,
        model=load_switching(section.device),
        g_min=max(devices.g_off - section.margin * window, 0.0),
        g_max=devices.g_on + section.margin * window,
        window=window,
        accepted=section.tolerance * window,
        most=section.pulses,
        rounds=section.rounds or (section.pulses if section.method == "verify" else GRADIENT_ROUNDS),
        adc_bits=section.adc_bits,
        rate=section.rate,
    )


def quantised(value: Array, *, full_scale: float, bits: int | None) -> Array:
    """What a converter of 0 … full scale, or ± of it where values are signed, makes of them; exact without bits."""
    if bits is None:
        return value
    step = full_scale / (2**bits - 1)
    return jnp.round(value / step) * step


def path_ohm(
    shape: tuple[int, int], *, tile: tuple[int, int], groups: int, wires: Wires
) -> Float[np.ndarray, "rows cols"]:
    """Resistance in series with each device of a layer when it is the only one of its array that conducts [ohm].

    The word line is driven at the left, the bit line ends after the last row of its array; arrays of a remainder are as large as
    what is left.
    """
    word, bit, source, neuron = wires.floats()
    rows, cols = shape
    row, column = np.arange(rows), np.arange(cols) % (cols // groups) % tile[1]
    height = np.minimum(tile[0], rows - row // tile[0] * tile[0])
    down = height - row % tile[0]
    return source + neuron + bit * down[:, None] + word * (column[None, :] + 1.0)


def tile_maximum(
    per_device: Float[Array, "rows cols"], *, tile: tuple[int, int], groups: int, rows_at_once: bool
) -> Array:
    """The largest total of an array of the layer: of all its devices, or of its rows, each as long as its longest device."""
    rows, cols = per_device.shape
    each = cols // groups
    height, width = min(tile[0], rows), min(tile[1], each)
    parts = jnp.moveaxis(per_device.reshape(rows, groups, each), 1, 0)
    parts = jnp.pad(parts, ((0, 0), (0, -rows % height), (0, -each % width)))
    parts = parts.reshape(groups, -1, height, parts.shape[2] // width, width)
    totals = parts.max(axis=4).sum(axis=2) if rows_at_once else parts.sum(axis=(2, 4))
    return totals.max()


@dataclass(frozen=True)
class ProgrammedDevices:
    """What programming left of the devices of a layer, and what it took, device by device.

    Attributes:
        g: conductances [S].
        up: pulses up.
        down: pulses down.
        reads: of each device alone.
        joules: of pulses and reads.
        missed: 1 where the last read was further from the target than is accepted.
    """

    g: Array
    up: Array
    down: Array
    reads: Array
    joules: Array
    missed: Array


Costs = Mapping[str, Array]
"""What programming a chip took and left: see `cost.COSTS`."""
