"""Repair as it is asked for: what goes with which layers and arrays, and the fabricator that does it."""

import math

import numpy as np

from xbar_cli.chip.fabricate import Fabricator
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.chip.repair.curve import curve_of
from xbar_cli.chip.repair.fabricator import LayerRepair, RepairedFabricator
from xbar_cli.chip.repair.grid import TileGrid
from xbar_cli.chip.repair.lines import Resistances
from xbar_cli.chip.repair.retrain import retraining
from xbar_cli.chip.repair.units import Units, units_of
from xbar_cli.config.chips.repair import Remedies
from xbar_cli.config.chips.stuck import Stuck
from xbar_cli.config.variation import VariationSection
from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.trained.opening import Trained


def repairing(
    plain: Fabricator, hardware: Hardware, remedies: Remedies, trained: Trained | None = None
) -> Fabricator | RepairedFabricator:
    """The fabricator of repaired chips; `plain` itself where nothing is done. Retraining needs the `trained` network."""
    if not remedies.any:
        return plain
    retrain = None
    if remedies.retrain and trained is not None:
        scales = {name: layer.scale for name, layer in hardware.network.layers.items()}
        retrain = retraining(trained, scales, epochs=remedies.retrain)
    wires = hardware.wires.floats() if hardware.fold is not None else (0.0, 0.0)
    return RepairedFabricator(
        plain=plain,
        layers={
            name: layer_repair(hardware.network, layer, remedies) for name, layer in hardware.network.layers.items()
        },
        remedies=remedies,
        wires=Resistances(*wires[:2]),
        retrain=retrain,
    )


def layer_repair(network: MappedNetwork, layer: LayerMapping, remedies: Remedies) -> LayerRepair:
    """What repairing a layer needs to know of it."""
    grid, units = grid_of(network, layer, remedies), layer_units(network, layer, remedies)
    return LayerRepair(grid, units, curve_of(network, layer), unused=network.g_off)


def grid_of(network: MappedNetwork, layer: LayerMapping, remedies: Remedies) -> TileGrid:
    """The tiles of a layer."""
    rows, columns = layer.conductance.shape
    spare_rows, spare_columns = spare_lines(network, remedies)
    return TileGrid(rows, columns, layer.groups, network.tile, spare_rows, spare_columns)


def layer_units(network: MappedNetwork, layer: LayerMapping, remedies: Remedies) -> Units:
    """The devices of a row of a layer that belong together."""
    across = min(network.tile[1], layer.conductance.shape[1] // layer.groups)
    return units_of(
        layer.readout, low=layer.bottom, high=layer.top, tile_columns=across, compensates=remedies.differential
    )


def spare_lines(network: MappedNetwork, remedies: Remedies) -> tuple[int, int]:
    """Spare rows and spare columns of a tile: columns for as many outputs as rows, where columns can change places at all."""
    if not remedies.spares:
        return 0, 0
    units = [layer_units(network, layer, remedies) for layer in network.layers.values()]
    sizes = [found.size for found in units if found.movable]
    return remedies.spares, remedies.spares * math.lcm(*sizes) if sizes else 0


FEW = 256
"""So many conductances in a layer, or fewer, are levels."""


def check_repair(
    remedies: Remedies, hardware: Hardware, variation: VariationSection, *, reporter: Reporter = SILENT
) -> None:
    """Raise ConfigError where faults or a remedy do not go with the layers, their arrays or their devices; note what matters."""
    network = hardware.network
    lines_of_tiles = any(isinstance(effect, Stuck) and effect.lines for effect in variation.effects)
    grouped = [name for name, layer in network.layers.items() if layer.groups > 1]
    if lines_of_tiles and grouped:
        raise ConfigError(
            f"effect stuck: row and column take layers whose outputs see the same inputs; {quoted(grouped[0])} has "
            f"{network.layers[grouped[0]].groups} groups"
        )
    leveled = any(
        len(np.unique(layer.conductance)) <= FEW for layer in network.layers.values() if layer.conductance.size > FEW
    )
    if leveled and (remedies.differential or remedies.retrain):
        reporter.note("repair programs devices to any conductance between the lowest and the highest, not to levels")
    paired = [name for name in ("sign_flip", "differential", "code", "retrain") if getattr(remedies, name)]
    if paired and network.scheme != "de":
        raise ConfigError(
            f"repair.remedies = {paired[0].replace('_', '-')} takes pairs of devices: mapping.scheme = de, not {network.scheme}"
        )
    if paired and network.tile[1] % 2:
        raise ConfigError(
            f"repair.remedies = {paired[0].replace('_', '-')}: tiles of {network.tile[1]} columns cut through pairs"
        )
    if remedies.retrain and any(layer.bottom == 0 for layer in network.layers.values()):
        raise ConfigError(
            "repair.remedies = retrain: the lowest level is an absent device, which no weight can come to"
        )
    if remedies.code:
        check_code(hardware)
    lines = min(network.tile)
    if remedies.spares > lines:
        raise ConfigError(f"repair.remedies = spares={remedies.spares}: a tile has {lines} lines; at most as many")
    if remedies.moving and hardware.wired:
        raise ConfigError(
            f"repair.remedies = {', '.join(remedies.knowing)} on array.model = gated with resistances: devices cannot be moved "
            "there; use differential or ensemble"
        )
    if remedies.moving and hardware.mismatch:
        raise ConfigError(
            f"repair.remedies = {', '.join(remedies.knowing)} and effect mismatch: transistors do not move with their devices"
        )


def check_code(hardware: Hardware) -> None:
    """Raise ConfigError where outputs cannot be computed from a checksum as this does it."""
    network = hardware.network
    if hardware.fold is not None or network.cell is not None or hardware.noises or hardware.converters.path == "tiled":
        raise ConfigError(
            "repair.remedies = code takes ideal resistive arrays: leave out resistances, cells, read noise and "
            "converters.adc_bits"
        )
    for name, layer in network.layers.items():
        grid = grid_of(network, layer, Remedies())
        if min(len(own) for own, _ in grid.strips) < 4:
            raise ConfigError(
                f"repair.remedies = code: a tile of layer {quoted(name)} has one output, whose checksum is a copy of it: use "
                "ensemble"
            )
