"""Energy, area and latency of 1T-1R arrays from the cell's SPICE table and measured activity (neat, Section IV-C).

One read of a layer applies one input vector, or one bit of it, to all of its arrays at once, for `read.seconds`; a whole pulse
lasts as long. Each cell then draws `P(G, V) = V I_in + V_g I_g` from its input and its gate line, and each gate line is charged
once, `C V_g²`. A layer reads once for each output position of an image and for each bit of bit-serial inputs, twice where its
activations have both signs. Every row of every array has a driver, with a converter to voltages or pulse widths in front of
it, every column is converted once a read, and inputs and codes pass a buffer. Where only so many rows are read at once, their
gates alone are opened: each row is driven and charged as often, but each group of rows is converted.

References:
    Ankit et al., RESPARC, arXiv 1702.06064 (the breakdown; its constants are not given in neat).
    Dong et al., NVSim, IEEE TCAD 31 (2012) 994, eq. (1): area of a MOS-accessed cell, 3 (W/L + 1) F².
"""

import math
from collections.abc import Mapping

from xbar_cli.energy.models.tree import Component, group
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.reading import Reading
from xbar_cli.vectors import Figure


def cell_figures(k: Mapping[str, float], *, width_m: float, length_m: float) -> tuple[float, float]:
    """Capacitance of a gate line, one cell's share [F], and area of one 1T-1R cell [m²], of its transistor's size [m].

    Area: 3 (W/L + 1) F² (NVSim, eq. 1). Capacitance: oxide over the channel, gate-source and gate-drain overlaps over the
    width, wire over the pitch, which is the square root of the area.
    """
    area = 3 * (width_m / length_m + 1) * k["cell.feature_m"] ** 2
    gate = k["gate.oxide_farad_per_m2"] * width_m * length_m + k["gate.overlap_farad_per_m"] * width_m
    return gate + k["wire.farad_per_m"] * math.sqrt(area), area


def driver_cost(reading: Reading, k: Mapping[str, float]) -> tuple[float, float]:
    """Energy of driving one row in one read [J], and area of what drives it [m²].

    A row driver alone for the pulses of bit-serial inputs, which are whole or none; a converter to voltages or to pulse
    widths in front of it otherwise, whose cost doubles with every bit.
    """
    energy, area = k["driver.energy_joule"], k["driver.area_m2"]
    name = {"amplitude": "dac", "pwm": "dtc"}.get(reading.coding)
    if name is None:
        return energy, area
    scale = 2.0 ** (reading.input_bits - k[f"{name}.energy_bits"])
    return energy + k[f"{name}.energy_joule"] * scale, area + k[f"{name}.area_m2"] * scale


def layer_cost(work: LayerWork, k: Mapping[str, float], *, gate_farad: float, cell_area_m2: Figure) -> Component:
    """A layer on its arrays: energy and latency of one image, area of one copy.

    A cell has the `cell_figures` [F] and [m²]; on resistive arrays, which have no gates, no capacitance.
    """
    reading, seconds = work.reading, k["read.seconds"]
    tile_rows, tile_columns = work.tile
    rows, conversions = work.rows * work.bands[1], work.sensed
    scale = 2.0 ** (reading.adc_bits - k["adc.energy_bits"])
    drive, drive_area = driver_cost(reading, k)
    inputs = work.positions * work.phases * rows * reading.input_bits
    bits = inputs + work.drives * conversions * reading.adc_bits
    stored = work.tiles * tile_rows * reading.input_bits + work.converting * tile_columns * reading.adc_bits
    converters = reading.converters(tile_columns, own=tile_columns)
    steps = reading.steps(tile_columns, own=tile_columns)
    parts = [
        Component("cells", work.watt["cells"] * seconds * work.positions, work.tiles * tile_rows * tile_columns * cell_area_m2),
        Component("gate_lines", work.drives * work.devices * gate_farad * (0.0 if work.vg is None else work.vg) ** 2),
        Component("drivers", work.drives * rows * drive, work.tiles * tile_rows * drive_area),
        Component(
            "converters", work.drives * conversions * k["adc.energy_joule"] * scale,
            work.converting * converters * k["adc.area_m2"] * scale,
        ),
        Component(
            "buffers", bits * k["buffer.energy_joule_per_bit"], stored * k["buffer.area_m2_per_bit"]
        ),
    ]  # fmt: skip
    lost = (item for item in work.watt.items() if item[0] != "cells")
    parts += [Component(name, watt * seconds * work.positions) for name, watt in lost]
    return group(work.name, parts, latency_seconds=work.seconds(seconds, steps / k["adc.samples_per_second"]))
