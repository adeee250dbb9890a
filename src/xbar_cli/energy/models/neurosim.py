"""Area, energy, delay and leakage of a synaptic core after NeuroSim: the array of 1T-1R cells and its circuits.

Word lines open all cells; rows are driven through the bit-line switch matrix with one bit of every input a pulse; columns are
integrated, and every `mux.columns` of them share one converter behind a multiplexer whose selections are stepped through.
Where only so many rows are read at once, each row is opened and driven as often, but each group of rows is integrated and
converted: a smaller current, for longer, through a multiplexer that is sized for it.
A word line, and a row that is driven, is charged once a pulse. The release adds that energy once for every column that it
reads, so that it grows as the columns' square: `charges` has both.
Sizes follow from what a circuit drives: pass gates from the resistance of the row or column behind them, lines from the
size of the array, converters from the columns.

References:
    Chen, Peng, Yu, NeuroSim, IEEE TCAD 37 (2018) 3067; Chen et al., NeuroSim+, IEDM 2016; figures: NeuroSim V3.0 (2019).
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from xbar_cli.energy.models.core import Core as Core
from xbar_cli.energy.models.core import Read as Read
from xbar_cli.energy.models.gates import Gate, Node, chain, flip_flop, inverter, pass_gate
from xbar_cli.energy.models.tree import Component, group, merged, scaled
from xbar_cli.energy.models.work import LayerWork

LineCharge = Literal["read", "column"]
CROSSBAR = ("cells", "lines")
"""Parts of the crossbar; the others are its periphery."""


def array_cost(core: Core, read: Read) -> Component:
    """One array: area and leakage of its circuits, energy and delay of one input vector; part by part."""
    steps = core.reading.converted(min(core.shared, read.used_columns))
    cells = Component(
        "cells",
        energy_joule=read.cell_watt * core.integration_seconds,
        area_m2=core.size[0] * core.size[1],
    )
    parts = [
        cells, _lines(core, read), _decoder(core, read), _row_switches(core, read), _column_switches(core),
        _mux(core, read, steps), _adc(core, read, steps), _adders(core, read, steps), _registers(core, read),
    ]  # fmt: skip
    return group("array", parts)


def _lines(core: Core, read: Read) -> Component:
    """Charging rows, columns and word lines."""
    k = core.k
    column = k["read.row_volt"] - k["read.volt"]  # columns are held there, rows as far above it as cells are read with
    rows = core.row_capacitance * (read.volt + column) ** 2 * read.driven
    rows += core.word_capacitance * core.node.vdd**2 * core.rows * read.bits
    columns = core.column_capacitance * column**2 * read.used_columns * read.reads
    return Component("lines", energy_joule=rows * read.charges + columns)


def _decoder(core: Core, read: Read) -> Component:
    """Word-line decoder: predecoders of two address bits, a NOR a row, and drivers that open all rows for reading."""
    node = core.node
    bits = max(1, math.ceil(math.log2(core.rows)))
    n, p = node.smallest
    invert, driver, enable = inverter(node), inverter(node, 3.0), Gate(node, "nor", 2, n, 2 * p)
    predecode = Gate(node, "nand", 2, 2 * n, p)
    inputs = max(1, math.ceil(bits / 2))
    select = Gate(node, "nor", inputs, n, inputs * p) if inputs > 1 else invert
    gates = [
        (predecode, 4 * (bits // 2)), (invert, bits), (select, 2**bits), (driver, 2 * 2**bits), (enable, core.rows),
        (invert, core.rows),
    ]  # fmt: skip
    wires = core.size[0] * node.rule("metal_pitch") * (4 * (bits // 2) + 2 * (bits % 2))
    area = wires + sum(gate.area * count for gate, count in gates)
    leakage = sum(gate.leakage * count for gate, count in gates)
    loads = select.c_in * 2**bits / 4
    row_wire = core.size[1] * node.wire_ohm_per_m
    last = driver.resistance(up=True) * (driver.c_out + core.word_capacitance) + row_wire * core.word_capacitance / 2
    delay = chain(
        [
            invert.resistance(up=False) * (invert.c_out + 2 * predecode.c_in),
            predecode.resistance(up=False) * (predecode.c_out + loads),
            select.resistance(up=True) * (select.c_out + driver.c_in),
            driver.resistance(up=False) * (driver.c_out + enable.c_in),
            enable.resistance(up=True) * (enable.c_out + driver.c_in),
            last,
        ]
    )
    address = bits * (invert.c_in + 2 * predecode.c_in) + (bits // 2) * (predecode.c_out + loads)
    opened = core.rows * (enable.c_in + enable.c_out + invert.c_in + invert.c_out)
    energy = (address * read.reads + opened * read.bits) * node.vdd**2
    return Component("word_line_decoder", energy, area, delay * read.groups, leakage)


def _row_switches(core: Core, read: Read) -> Component:
    """Bit-line switch matrix: a pair of pass gates and a flip-flop a row."""
    node = core.node
    widths = node.pass_widths(core.row_ohm)
    gate = Gate(node, "inverter", 1, *widths)
    drain = sum(node.drain_capacitance(width) for width in widths)
    area, bit, leakage = flip_flop(node)
    row_wire = core.size[1] * node.wire_ohm_per_m
    load = 3 * drain + core.row_capacitance
    delay = chain([core.row_ohm * load + row_wire * core.row_capacitance / 2]) * read.reads
    energy = (3 * drain * read.volt**2 + gate.c_in * node.vdd**2) * read.driven + bit * core.rows * read.bits
    return Component("bit_line_switch_matrix", energy, core.rows * (2 * gate.area + area), delay, core.rows * leakage)


def _column_switches(core: Core) -> Component:
    """Select-line switch matrix: idle in reads, when the multiplexer takes the columns."""
    node = core.node
    height, width = pass_gate(node, node.pass_widths(core.cell_ohm / 2))
    area, _, leakage = flip_flop(node)
    return Component(
        "select_line_switch_matrix",
        area_m2=core.columns * (2 * height * width + area),
        leakage_watt=core.columns * leakage,
    )


def _mux(core: Core, read: Read, steps: int) -> Component:
    """Analog multiplexer: a pass gate a column, and the decoder of its selections."""
    node = core.node
    columns = core.converters * core.shared
    across = core.size[1] / columns
    fingers = max(1, round(across / node.pitch) - 1)
    height, width = pass_gate(node, core.mux_widths, columns=fingers)
    gates = sum(node.gate_capacitance(width) for width in core.mux_widths)
    one = inverter(node)
    decoder = core.shared * (3 * one.area + Gate(node, "nand", 2, 2 * one.n, one.p).area)
    leakage = core.shared * 3 * one.leakage
    energy = gates * core.converters * node.vdd**2 * steps * read.reads
    return Component("mux", energy, columns * height * max(width, across) + decoder, 0.0, leakage)


def _adc(core: Core, read: Read, steps: int) -> Component:
    """Read circuits: integrate, count pulses, hold the count."""
    node, k = core.node, core.k
    area, _, leakage = flip_flop(node)
    scale = 2.0 ** (core.reading.adc_bits - k["adc.energy_bits"])
    body = k["adc.body_polys"] * node.pitch * node.height
    wide = 10 * inverter(node, 2.0).leakage
    return Component(
        "adc",
        energy_joule=k["adc.energy_joule"] * scale * core.reading.converted(read.used_columns) * read.reads,
        area_m2=core.converters * (body + core.reading.adc_bits * area),
        latency_seconds=steps * core.pulse_seconds * read.reads,
        leakage_watt=core.converters * (wide + core.reading.adc_bits * leakage),
    )


def _adders(core: Core, read: Read, steps: int) -> Component:
    """A ripple adder a converter, of nine NANDs a bit: it takes the difference of neighbouring codes."""
    node, bits = core.node, core.reading.adc_bits
    n, p = node.smallest
    nand = Gate(node, "nand", 2, 2 * n, p)
    count = 9 * bits * core.converters
    conversions = core.reading.converted(read.used_columns) * read.reads
    stage = chain([nand.resistance(up=False) * (nand.c_out + 2 * nand.c_in)])
    energy = 9 * bits * (nand.c_in + nand.c_out) * node.vdd**2 / 2 * conversions
    return Component("adders", energy, count * nand.area, stage * 2 * bits * steps * read.reads, count * nand.leakage)


def _registers(core: Core, read: Read) -> Component:
    """A register a converter for the running sum, one bit wider than the adder, shifted from one input bit to the next."""
    area, bit, leakage = flip_flop(core.node)
    width = core.reading.adc_bits + 1
    conversions = core.reading.converted(read.used_columns) * read.reads
    return Component(
        "shift_registers",
        energy_joule=bit * width * conversions / 2,
        area_m2=area * width * core.converters,
        leakage_watt=leakage * width * core.converters,
    )


def charges(line_charge: LineCharge, columns: int) -> int:
    """Times that rows and word lines are charged in a pulse: once, or once for each of the columns, as NeuroSim counts."""
    return columns if line_charge == "column" else 1


def layer_cost(work: LayerWork, k: Mapping[str, float], node: Node, *, line_charge: LineCharge = "read") -> Component:
    """A layer on its arrays: energy and delay of one image, area and leakage of one copy; its reads are pulses of one bit."""
    core = Core(k, node, *work.tile, work.r_on, relaxed=False, reading=work.reading)
    trees = []
    for rows, columns, count in work.tiles_used():
        driven = work.driven_rows * rows / work.rows / work.phases
        groups, times = work.reading.groups(rows), charges(line_charge, columns)
        read = Read(columns, work.cycles, driven, 0.0, work.volt, groups, times)
        one = array_cost(core, read)
        many = work.positions * work.phases
        trees.append(scaled(one, energy_joule=many * count, area_m2=count, leakage_watt=count, latency_seconds=many))
    slowest = max(tree.latency_seconds for tree in trees)
    parts = list(merged(work.name, trees).children)
    longest = max(trees, key=lambda tree: tree.latency_seconds)
    times = {part.name: part.latency_seconds for part in longest.children}
    parts = [replace(part, latency_seconds=times[part.name]) for part in parts]
    seconds = core.integration_seconds * work.positions
    parts[0] = replace(parts[0], energy_joule=work.watt["cells"] * seconds)
    lost = [Component(name, watt * seconds) for name, watt in work.watt.items() if name != "cells"]
    return group(work.name, [*parts, *lost], latency_seconds=slowest)
