"""Energy, area and latency of 1T-1R arrays from the cell's SPICE table and measured activity (neat, Section IV-C).

One read of a layer applies one input vector to all of its arrays at once, for `read.seconds`. Each cell then draws
`P(G, V) = V I_in + V_g I_g` from its input and its gate line, and each gate line is charged once, `C V_g²`. A layer reads once
for each output position of an image, twice where its activations have both signs. Every row of every array has a driver,
every column is converted once a read, and inputs and codes pass a buffer.

References:
    Ankit et al., RESPARC, arXiv 1702.06064 (the breakdown; its constants are not given in neat).
    Dong et al., NVSim, IEEE TCAD 31 (2012) 994, eq. (1): area of a MOS-accessed cell, 3 (W/L + 1) F².
"""

from collections.abc import Mapping

from .tree import Component, group
from .work import LayerWork


def cell_area(*, width_m: float, length_m: float, feature_m: float) -> float:
    """Area of one 1T-1R cell [m²]: 3 (W/L + 1) F² (NVSim, eq. 1)."""
    return 3 * (width_m / length_m + 1) * feature_m**2


def gate_capacitance(
    *, width_m: float, length_m: float, pitch_m: float, oxide: float, overlap: float, wire: float
) -> float:
    """Capacitance of a gate line, one cell's share [F]: oxide over the channel, overlaps over the width, wire over the pitch.

    Args:
        width_m: gate width [m].
        length_m: gate length [m].
        pitch_m: length of gate line to each cell [m].
        oxide: oxide capacitance [F/m²].
        overlap: gate-source and gate-drain overlap capacitance [F/m].
        wire: wire capacitance [F/m].
    """
    return oxide * width_m * length_m + overlap * width_m + wire * pitch_m


def layer_cost(
    work: LayerWork, k: Mapping[str, float], *, gate_farad: float, cell_area_m2: float, adc_bits: int
) -> Component:
    """A layer on its arrays: energy and latency of one image, area of one copy.

    Args:
        work: what the layer asks of its arrays; inputs are amplitudes, one read each.
        k: the model's constants.
        gate_farad: `gate_capacitance` [F]; 0 on resistive arrays, which have no gates.
        cell_area_m2: `cell_area` [m²].
        adc_bits: of the converters.
    """
    reads = work.positions * work.phases
    down, across = work.bands
    rows, columns = work.rows * across, work.columns * down
    bits = rows * k["activation.bits"] + columns * adc_bits
    scale = 2.0 ** (adc_bits - k["adc.energy_bits"])
    seconds = k["read.seconds"]
    tile_rows, tile_columns = work.tile
    tile_bits = tile_rows * k["activation.bits"] + tile_columns * adc_bits
    parts = [
        Component("cells", work.watt["cells"] * seconds * work.positions, work.tiles * tile_rows * tile_columns * cell_area_m2),
        Component("gate_lines", reads * work.devices * gate_farad * (work.vg or 0.0) ** 2),
        Component("drivers", reads * rows * k["driver.energy_joule"], work.tiles * tile_rows * k["driver.area_m2"]),
        Component("converters", reads * columns * k["adc.energy_joule"] * scale, work.tiles * k["adc.area_m2"] * scale),
        Component(
            "buffers", reads * bits * k["buffer.energy_joule_per_bit"], work.tiles * tile_bits * k["buffer.area_m2_per_bit"]
        ),
    ]  # fmt: skip
    lost = (item for item in work.watt.items() if item[0] != "cells")
    parts += [Component(name, watt * seconds * work.positions) for name, watt in lost]
    return group(work.name, parts, latency_seconds=reads * max(seconds, tile_columns / k["adc.samples_per_second"]))
