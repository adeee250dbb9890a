"""In-situ multiply-accumulate units after ISAAC: crossbars with DACs, sample-and-hold, ADCs, shift-and-add and registers.

The published table gives power and area of each component of one unit of eight arrays; a component that serves rows or columns
costs in proportion to those in use. Inputs are applied one bit a cycle; every column of every array is converted in every
cycle, of which each group of rows that is read at once takes its own. Conversions cost as 2^bits (Walden).

References:
    Shafiee et al., ISAAC, ISCA 2016, Table I and Sections IV–VI; Walden, IEEE JSAC 17 (1999) 539.
"""

import math
from collections.abc import Mapping

from xbar_cli.energy.models.tree import Component, group
from xbar_cli.energy.models.work import LayerWork

ROWS, COLUMNS, CELLS, HELD = "rows", "columns", "cells", "held"
SERVES = {
    "crossbar": CELLS,
    "dac": ROWS,
    "sample_hold": HELD,
    "adc": COLUMNS,
    "shift_add": COLUMNS,
    "input_register": ROWS,
    "output_register": COLUMNS,
}
"""Components of a unit, and what each of them serves."""
PULSE_BITS = 1
"""Bits of an input in one cycle: the DACs are drivers of one bit."""


def adc_bits(*, rows: int, device_bits: int) -> int:
    """Bits of a converter that tells all column sums of rows read at once apart, one saved by ISAAC's flipped encoding.

    `v + w + log2 R`, less one where a slice of the input or the weight is a single bit, which that of the input is.

    References:
        ISAAC, Section V, eqs. (1)-(2).
    """
    return max(1, math.ceil(math.log2(rows)) + device_bits + PULSE_BITS - 1 - 1)


def unit(k: Mapping[str, float]) -> Component:
    """One unit in one cycle, all rows and columns busy, as the table has it."""
    seconds = k["cycle.seconds"]
    adc = k["adc.count"] * k["adc.samples_per_second"] * k["adc.energy_joule"]
    parts = [
        Component(
            name,
            energy_joule=(adc if name == "adc" else k[f"{name}.power_watt"]) * seconds,
            area_m2=k[f"{name}.area_m2"],
        )
        for name in SERVES
    ]
    return group("unit", parts, latency_seconds=seconds)


def layer_cost(work: LayerWork, k: Mapping[str, float], *, measured: bool = True) -> Component:
    """A layer on its arrays: energy and latency of one image, area of one copy.

    It takes a cycle for each bit of an input and each group of rows. Where activity is `measured` it says what crossbars
    dissipate; else the table's power does.
    """
    reading, seconds = work.reading, k["cycle.seconds"]
    scale = 2.0 ** ((reading.adc_bits - k["adc.energy_bits"]) * k["adc.doubling_bits"])
    columns = k["unit.columns"]
    whole = {ROWS: k["unit.rows"], COLUMNS: columns, CELLS: k["unit.rows"] * columns, HELD: columns}
    used = {ROWS: work.rows * work.bands[1], COLUMNS: work.sensed, CELLS: work.devices, HELD: work.held}
    built = {ROWS: work.tile[0], COLUMNS: work.tile[1], CELLS: work.tile[0] * work.tile[1], HELD: work.tile[1]}
    shared, converters = adcs(work, k)
    parts = []
    for name, serves in SERVES.items():
        if name == "adc":
            energy = k["adc.energy_joule"] * scale * used[serves] * work.drives
            area = k["adc.area_m2"] / k["adc.count"] * scale * converters * work.converting
        else:
            energy = k[f"{name}.power_watt"] * seconds / k["unit.arrays"] * used[serves] / whole[serves] * work.drives
            arrays = work.converting if serves == COLUMNS else work.tiles
            area = k[f"{name}.area_m2"] / k["unit.arrays"] * arrays * built[serves] / whole[serves]
        if name == "crossbar" and measured:
            energy = work.watt["cells"] * seconds * work.positions
        parts.append(Component(name, energy, area))
    if measured:
        lost = (item for item in work.watt.items() if item[0] != "cells")
        parts += [Component(name, watt * seconds * work.positions) for name, watt in lost]
    conversion = shared / k["adc.samples_per_second"]
    return group(work.name, parts, latency_seconds=work.seconds(seconds, conversion))


def adcs(work: LayerWork, k: Mapping[str, float]) -> tuple[float, float]:
    """Conversions of one converter in a read, and converters of an array: those of the table unless columns are given."""
    reading, columns = work.reading, work.tile[1]
    if reading.columns_per_adc is not None:
        return float(reading.steps(columns, own=columns)), float(reading.converters(columns, own=columns))
    each = k["adc.count"] / k["unit.arrays"]
    return reading.converted(columns) / each, each
