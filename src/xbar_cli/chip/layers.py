"""One layer of a chip: its conductances as what computes it, folded, tiled or solved at every read; converters, noise."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.array.tiling import RowGroups, row_groups
from xbar_cli.chip.hardware import Hardware, baseline, full_voltage
from xbar_cli.chip.mapped import LayerMapping, drive_of
from xbar_cli.device.mismatch import AnyCell
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.nn.noise import ColumnNoise, gated_noise, linear_noise
from xbar_cli.nn.program import DrivenLayer, MeanCell, Scale, gated_layer, linear_layer
from xbar_cli.nn.tiled import TiledLayer
from xbar_cli.nn.wired.converted import ConvertedWiredLayer
from xbar_cli.nn.wired.folded import FoldedWiredLayer
from xbar_cli.nn.wired.solved import WiredLayer
from xbar_cli.nn.wired.swept import SweptWiredLayer

ReadWired = WiredLayer | SweptWiredLayer | FoldedWiredLayer
"""A layer of cells with wires: solved, swept or folded."""


def folded_layer(
    hardware: Hardware, layer: LayerMapping, scale: Scale, wanted: Array, g: Array, cell: AnyCell | None
) -> Any:
    """A layer whose tiles' currents add up exactly.

    `scale` decodes its columns, `wanted` are effective conductances of a linear array [S], `g` those of its memristors [S];
    without a cell it is resistive.
    """
    driven = hardware.converters.dac_bits is not None or hardware.converters.dac_range is not None
    if hardware.curved and cell is not None:
        curved = gated_layer(g, scale=scale, surrogate=cell, drive=drive_of(layer))
        return DrivenLayer(curved, hardware.dac(layer)) if driven else curved
    straight = linear_layer(wanted, scale=scale)
    leakage = None
    if hardware.model == "gated" and cell is not None and not layer.signed:
        leakage = scale.weights(cell.at_zero(g)).sum(axis=0) * (layer.full_scale / hardware.v_read)
    return DrivenLayer(straight, hardware.dac(layer), leakage, hardware.serial) if driven else straight


def solved_layer(hardware: Hardware, layer: LayerMapping, scale: Scale, g: Array, cell: BitLineSeparable) -> WiredLayer:
    """A layer of 1T-1R cells whose arrays are solved at every read; arguments as for `folded_layer`."""
    network = hardware.network
    assert network.cell is not None
    v_max = jnp.asarray(hardware.v_read if hardware.single else network.cell.v_max, jnp.float32)
    return WiredLayer(
        g, cell, scale, drive_of(layer), v_max, signed=layer.signed, tile=network.tile, wires=hardware.wires
    )


def tiled_layer(
    hardware: Hardware, layer: LayerMapping, scale: Scale, wanted: Array, g: Array, cell: AnyCell | None
) -> TiledLayer:
    """A layer with converters at every tile; arguments as for `folded_layer`."""
    rows = groups_of(hardware, layer)
    factors, leakage = wanted[None], jnp.zeros((rows.count, g.shape[1]), g.dtype)
    if hardware.model == "gated" and cell is not None:
        if hardware.curved:
            factors = jnp.moveaxis(cell.in_g(g), -1, 0)
        leakage = rows.split(cell.at_zero(g)[None]).sum(axis=(1, 2)) / full_voltage(hardware, cell)
    surrogate = cell if hardware.curved else None
    return TiledLayer(rows.split(factors), leakage, surrogate=surrogate, **_behind(hardware, layer, scale, rows))


def driven_wired_layer(hardware: Hardware, layer: LayerMapping, scale: Scale, wired: ReadWired) -> Any:
    """A layer of cells with wires behind what drives its rows, and in front of converters where there are some."""
    if hardware.converters.path == "folded":
        return wired if hardware.converters.dac_bits is None else DrivenLayer(wired, hardware.dac(layer))
    assert isinstance(wired, FoldedWiredLayer)
    rows, columns = groups_of(hardware, layer), layer.conductance.shape[1]
    none = jnp.zeros((rows.count, 0, rows.each, columns), jnp.float32)
    idle = jnp.zeros((rows.count, columns), jnp.float32)
    return ConvertedWiredLayer(none, idle, wired=wired, **_behind(hardware, layer, scale, rows))


def _behind(hardware: Hardware, layer: LayerMapping, scale: Scale, rows: RowGroups) -> dict[str, Any]:
    """How tiles with converters are driven, read and decoded, whatever their currents are."""
    return {
        "scale": scale,
        "dac": hardware.dac(layer),
        "rows": rows,
        "serial": hardware.serial,
        "pairs": hardware.converters.adc_input == "pair",
        "analog": hardware.converters.analog,
    }


def groups_of(hardware: Hardware, layer: LayerMapping) -> RowGroups:
    """The rows of a layer that are driven at once."""
    height, at_once = hardware.network.tile[0], hardware.converters.rows_at_once
    return row_groups(layer.conductance.shape[0], height=height, at_once=at_once)


def rows_at_once(hardware: Hardware, layer: LayerMapping) -> int:
    """Rows whose currents one conversion sees: of a group, or all where charges of the groups are added."""
    rows = groups_of(hardware, layer)
    return rows.rows if hardware.converters.analog else rows.each


def read_scale(hardware: Hardware, layer: LayerMapping) -> Scale:
    """How what a layer's columns give is decoded: what the baseline of converters took off is added digitally."""
    base = baseline(hardware, layer) if hardware.converters.path == "tiled" else 0.0
    if base == 0:
        return layer.scale
    columns = np.full((1, layer.conductance.shape[1]), base)
    digital = layer.digital + np.asarray(layer.readout.combine(columns)) / layer.slope
    return Scale(layer.readout, layer.kernel, jnp.asarray(layer.slope, jnp.float32), jnp.asarray(digital, jnp.float32))


def read_noise(
    hardware: Hardware,
    layer: LayerMapping,
    scale: Scale,
    g: Array,
    target: Array,
    cell: AnyCell | None,
    linear: MeanCell | None,
) -> ColumnNoise:
    """Read noise of a layer of memristors at conductances `g`, aimed at `target` [S].

    `linear` is the cell as a linear conductance, where there is one; without a cell the array is resistive.
    """
    sigma = jnp.sqrt(sum(jnp.square(spread(g, target)) for spread in hardware.noises))  # of independent noises
    if hardware.curved and cell is not None:
        return gated_noise(g, sigma, scale=scale, surrogate=cell, drive=drive_of(layer))
    if linear is not None:  # the spread of the cell that its memristor's spread makes
        _, slope = jax.jvp(linear, (g,), (jnp.ones_like(g),))
        sigma = jnp.abs(slope) * sigma
    return linear_noise(sigma, scale=scale)
