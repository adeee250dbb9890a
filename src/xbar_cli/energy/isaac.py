"""In-situ multiply-accumulate units after ISAAC: crossbars with DACs, sample-and-hold, ADCs, shift-and-add and registers.

The published table gives power and area of each component of one unit of eight arrays; a component that serves rows or columns
costs in proportion to those in use. Inputs are applied one bit a cycle; every column of every array is converted in every
cycle. Conversions cost as 2^bits (Walden).

References:
    Shafiee et al., ISAAC, ISCA 2016, Table I and Sections IV–VI; Walden, IEEE JSAC 17 (1999) 539.
"""

import math
from collections.abc import Mapping

from .tree import Component, group
from .work import LayerWork

ROWS, COLUMNS, CELLS = "rows", "columns", "cells"
SERVES = {
    "crossbar": CELLS,
    "dac": ROWS,
    "sample_hold": COLUMNS,
    "adc": COLUMNS,
    "shift_add": COLUMNS,
    "input_register": ROWS,
    "output_register": COLUMNS,
}
"""Components of a unit, and what each of them serves."""


def adc_bits(*, rows: int, device_bits: int, dac_bits: int) -> int:
    """Bits of a converter that tells all column sums apart, one saved by ISAAC's flipped encoding.

    `v + w + log2 R`, less one where a slice of the input or the weight is a single bit.

    References:
        ISAAC, Section V, eqs. (1)-(2).
    """
    bits = math.ceil(math.log2(rows)) + device_bits + dac_bits
    return max(1, (bits if min(device_bits, dac_bits) > 1 else bits - 1) - 1)


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


def layer_cost(work: LayerWork, k: Mapping[str, float], *, adc_bits: int, measured: bool = True) -> Component:
    """A layer on its arrays: energy and latency of one image, area of one copy.

    Args:
        work: what the layer asks of its arrays, a cycle for each bit of an input.
        k: the model's constants.
        adc_bits: of the converters.
        measured: whether crossbars dissipate what the activity says; else the table's power.
    """
    seconds, scale = k["cycle.seconds"], 2.0 ** ((adc_bits - k["adc.energy_bits"]) * k["adc.doubling_bits"])
    whole = {ROWS: k["unit.rows"], COLUMNS: k["unit.columns"], CELLS: k["unit.rows"] * k["unit.columns"]}
    down, across = work.bands
    used = {ROWS: work.rows * across, COLUMNS: work.columns * down, CELLS: work.devices}
    built = {ROWS: work.tile[0], COLUMNS: work.tile[1], CELLS: work.tile[0] * work.tile[1]}
    cycles = work.positions * work.phases * work.cycles
    parts = []
    for name, serves in SERVES.items():
        if name == "adc":
            energy = k["adc.energy_joule"] * scale * used[serves] * cycles
        elif name == "crossbar" and measured:
            energy = work.watt["cells"] * seconds * work.positions
        else:
            energy = k[f"{name}.power_watt"] * seconds / k["unit.arrays"] * used[serves] / whole[serves] * cycles
        area = k[f"{name}.area_m2"] / k["unit.arrays"] * work.tiles
        area *= scale if name == "adc" else built[serves] / whole[serves]
        parts.append(Component(name, energy, area))
    if measured:
        lost = (item for item in work.watt.items() if item[0] != "cells")
        parts += [Component(name, watt * seconds * work.positions) for name, watt in lost]
    conversion = work.tile[1] / (k["adc.count"] / k["unit.arrays"] * k["adc.samples_per_second"])
    return group(work.name, parts, latency_seconds=cycles * max(seconds, conversion))
