"""Sizes of a synaptic core after NeuroSim: its array of 1T-1R cells, the lines, and what its circuits have to drive.

References:
    Chen, Peng, Yu, NeuroSim, IEEE TCAD 37 (2018) 3067; figures: NeuroSim V3.0 (2019).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from xbar_cli.energy.models.gates import Node
from xbar_cli.energy.reading import Reading


@dataclass(frozen=True)
class Read:
    """What one input vector asks of one array.

    Attributes:
        used_columns: columns that hold weights.
        bits: pulses of an input.
        driven: rows driven, summed over the pulses.
        cell_watt: power of the cells [W], summed over the pulses.
        volt: read voltage [V].
        groups: of rows that are read one after the other in each pulse.
        charges: times that a word line, and a driven row, is charged in a pulse.
    """

    used_columns: int
    bits: int
    driven: float
    cell_watt: float
    volt: float
    groups: int = 1
    charges: int = 1

    @property
    def reads(self) -> int:
        """Reads, one after the other."""
        return self.bits * self.groups


@dataclass(frozen=True)
class Core:
    """The sizes of one array's circuits.

    Attributes:
        k: the model's constants.
        node: the technology node.
        rows: of the array.
        columns: of the array.
        r_on: resistance of a memristor in its low state [ohm].
        relaxed: whether the columns are spread to the width of their circuits.
        reading: row drive and converters.
    """

    k: Mapping[str, float]
    node: Node
    rows: int
    columns: int
    r_on: float
    relaxed: bool
    reading: Reading

    @property
    def shared(self) -> int:
        """Columns of one converter."""
        return self.reading.shared(self.columns, own=round(self.k["mux.columns"]))

    @property
    def converters(self) -> int:
        """Number of converters."""
        return math.ceil(self.columns / self.shared)

    @property
    def active(self) -> int:
        """Rows that are driven at once."""
        return self.reading.active(self.rows)

    @property
    def cell_ohm(self) -> float:
        """Resistance of a cell in its low state, access transistor included [ohm]."""
        return self.r_on + self.k["array.access_ohm"]

    @property
    def size(self) -> tuple[float, float]:
        """Height and width of the array [m]."""
        across = self.k["array.cell_width_features"]
        if self.relaxed:
            across = max(across, self.k["array.relaxed_width_features"])
        height = self.rows * self.k["array.cell_height_features"] * self.node.feature
        return height, self.columns * across * self.node.feature

    @property
    def row_capacitance(self) -> float:
        """Of a bit line along a row [F]: wire."""
        return self.size[1] * self.k["wire.farad_per_m"]

    @property
    def access_width(self) -> float:
        """Of the access transistor [m]."""
        return self.node.on_resistance(1.0) / self.k["array.access_ohm"]

    @property
    def word_capacitance(self) -> float:
        """Of a word line [F]: wire and gates."""
        return self.row_capacitance + self.columns * self.node.gate_capacitance(self.access_width)

    @property
    def column_capacitance(self) -> float:
        """Of a select line along a column [F]: wire and drains."""
        wire = self.size[0] * self.k["wire.farad_per_m"]
        return wire + self.rows * self.node.drain_capacitance(self.access_width)

    @property
    def mux_widths(self) -> tuple[float, float]:
        """Of the multiplexer's pass gates [m]: half of what the cells of a column that are read at once have in parallel."""
        return self.node.pass_widths(self.cell_ohm / self.active / 2)

    @property
    def row_ohm(self) -> float:
        """Of a row's pass gate [ohm]: half of what all its cells have in parallel."""
        return self.cell_ohm / self.columns / 2

    @property
    def integration_seconds(self) -> float:
        """Time to count to the converter's full scale at the largest column current [s].

        `t = 2^bits C V_th / I_max`, `I_max = rows V / R_cell` with the rows read at once; the threshold is a share of V, which
        cancels.
        """
        node, k = self.node, self.k
        gate = sum(node.drain_capacitance(width) for width in self.mux_widths)
        own = k["adc.input_width_features"] * node.feature
        c = self.column_capacitance + gate * (1 + self.shared)
        c += 2 * node.drain_capacitance(own) + node.gate_capacitance(own) / 10
        return c * k["read.threshold_share"] / (self.active / self.cell_ohm) * 2**self.reading.adc_bits

    @property
    def pulse_seconds(self) -> float:
        """Time of one conversion: integration and a cycle of the clock [s]."""
        return self.integration_seconds + 1 / self.k["clock.hertz"]
