"""What the devices of a network are built into: array model, resistances, row drive, converters, read noise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import jax.numpy as jnp
from jax import Array

from xbar_cli.array.converters import Dac
from xbar_cli.array.wires import WiredFold, Wires
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork, read_voltage
from xbar_cli.config.arrays import ArrayModel
from xbar_cli.config.converters import ConvertersSection
from xbar_cli.device.mismatch import AnyCell, GateShift
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.errors import ConfigError
from xbar_cli.nn.program import MeanCell, mean_cell, one_voltage
from xbar_cli.nn.wired.certificate import WiredCertificate

ReadSpread = Callable[[Array, Array], Array]
"""Conductances of a chip and those aimed at [S] to the standard deviation of every device at a read [S]."""


@dataclass(frozen=True)
class Hardware:
    """What the devices of a network are built into.

    Attributes:
        network: the mapped network; its `full_scale` activations are the range of the row drive.
        model: array model.
        fold: what a tile of a linear array acts as; None where currents are those of its devices alone, or nothing folds.
        wires: resistances of arrays of cells.
        converters: row drive and converters.
        own: converters of the layers that have some of their own.
        noises: read noises, which are independent of each other.
        mismatch: by layer, how the access transistors differ; None where they are all alike.
        folded: layers of arrays of cells with resistances that are products, not solved at every read.
        swept: those whose reads are sweeps.
        spare: rows and columns that a tile of a repaired chip has besides.
        certificates: by layer, how far its products, or sweeps, are from exact, where that was measured.
        volt: the one voltage of driven rows of cells [V], where it is traced; None for that of the converters.
    """

    network: MappedNetwork
    model: ArrayModel = "ideal"
    fold: WiredFold | None = None
    wires: Wires = field(default_factory=Wires)
    converters: ConvertersSection = field(default_factory=ConvertersSection)
    own: Mapping[str, ConvertersSection] = field(default_factory=dict)
    noises: tuple[ReadSpread, ...] = ()
    mismatch: Mapping[str, GateShift] | None = None
    folded: frozenset[str] = frozenset()
    swept: frozenset[str] = frozenset()
    spare: tuple[int, int] = (0, 0)
    certificates: Mapping[str, WiredCertificate] = field(default_factory=dict)
    volt: Array | None = None

    def of(self, name: str) -> "Hardware":
        """The hardware of one layer."""
        return replace(self, converters=self.own[name], own={}) if name in self.own else self

    @property
    def built_tile(self) -> tuple[int, int]:
        """Rows and columns of an array with the spare ones."""
        (rows, columns), (more_rows, more_columns) = self.network.tile, self.spare
        return rows + more_rows, columns + more_columns

    @property
    def single(self) -> bool:
        """Whether rows see one voltage or none, so that 1T-1R cells are linear."""
        return self.converters.input != "amplitude"

    @property
    def serial(self) -> bool:
        """Whether rows are driven bit by bit."""
        return self.converters.input == "bitserial"

    @property
    def curved(self) -> bool:
        """Whether the currents of cells are no straight line in the input, and take K products."""
        return self.model == "gated" and not self.single

    @property
    def wired(self) -> bool:
        """Whether arrays of cells have resistances."""
        return self.model == "gated" and self.wires.any

    @property
    def solved(self) -> bool:
        """Whether some of them are solved by Newton's method at every read."""
        return self.wired and not self.folded | self.swept >= self.network.layers.keys()

    @property
    def v_read(self) -> Array | float:
        """The one voltage of driven rows of cells [V]; where they see all, the largest."""
        if self.volt is not None:
            return self.volt
        assert self.network.cell is not None
        return read_voltage(self.network.cell, self.converters) or self.network.cell.v_max

    def dac(self, layer: LayerMapping) -> Dac:
        """What drives a layer's rows."""
        bits = self.converters.dac_bits
        return Dac(
            full_scale=jnp.asarray(layer.full_scale, jnp.float32),
            signed=layer.signed,
            bits=bits,
            limited=bits is not None or self.model == "gated",
        )


def linear_cells(hardware: Hardware, cells: Mapping[str, AnyCell]) -> dict[str, MeanCell]:
    """Each layer's cell as a linear conductance: on average over the input voltages, or exactly at the one there is."""
    if hardware.network.cell is None:
        return {}
    if hardware.single:
        v_read = jnp.asarray(hardware.v_read, jnp.float32) if hardware.volt is None else hardware.volt
        return {name: one_voltage(surrogate, v_read) for name, surrogate in cells.items()}
    vin = jnp.asarray(hardware.network.cell.vin, jnp.float32)
    return {name: mean_cell(surrogate, vin) for name, surrogate in cells.items()}


def straightened(linear: Mapping[str, MeanCell], g: Mapping[str, Array]) -> dict[str, Array]:
    """Conductances of layers [S] as those of linear devices, of the layers whose cells are taken as such."""
    return {name: linear[name](own) if name in linear else own for name, own in g.items()}


def bit_lines(hardware: Hardware) -> dict[str, BitLineSeparable]:
    """Each layer's cell with the bit line's voltage as an axis. ConfigError without one, or for inputs that need none of it."""
    cell, converters = hardware.network.cell, hardware.converters
    if cell is None or cell.bit_line is None:
        raise ConfigError(
            "array.model = gated with resistances needs a cell characterized up to a bit-line voltage, such as 60 mV"
        )
    if converters.input == "pwm" or (hardware.serial and converters.adc_bits is None):
        raise ConfigError(
            "array.model = gated with resistances takes converters.input = amplitude, or bitserial with converters.adc_bits: "
            "what rows draw through the same wires depends on which are driven at a time"
        )
    if converters.rows_at_once is not None:
        raise ConfigError(
            "array.model = gated with resistances drives all rows of a tile at once: leave out converters.rows_at_once"
        )
    layers = hardware.network.layers.items()
    return {name: cell.bit_line[cell.index(layer.vg)] for name, layer in layers if layer.vg is not None}


def full_voltage(hardware: Hardware, cell: AnyCell) -> Array | float:
    """Voltage of the full row drive of cells [V]."""
    return cell.v_max if hardware.curved else hardware.v_read


def baseline(hardware: Hardware, layer: LayerMapping) -> float:
    """Conductance whose current the converters leave out [S]: that of the lowest level where they count levels."""
    return layer.bottom if hardware.converters.adc_range == "levels" else 0.0
