"""From a mapped network and its activity to the costs of its layers, under each of the models."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.array.wires import Wires
from xbar_cli.chip.activity import LayerActivity
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.activity import Coding, sampled_reads
from xbar_cli.energy.constants import Constants
from xbar_cli.energy.digital import with_sums
from xbar_cli.energy.models import isaac, neurosim, resparc
from xbar_cli.energy.models.gates import Node
from xbar_cli.energy.models.tree import Component, scaled
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.plan import ChipPlan, plan
from xbar_cli.energy.power import layer_watt
from xbar_cli.energy.presets import NODE_NM
from xbar_cli.energy.reading import Reading
from xbar_cli.energy.wires import wire_shares
from xbar_cli.errors import ConfigError
from xbar_cli.reporter import Reporter
from xbar_cli.trained.opening import Trained

LayerCosts = dict[str, Component]


def works_of(
    config: EnergyConfig,
    constants: Constants,
    trained: Callable[[], Trained],
    network: MappedNetwork,
    coding: Coding,
    reading: Reading,
    activity: dict[str, LayerActivity],
    wires: Wires,
    *,
    reporter: Reporter,
) -> tuple[list[LayerWork], float | None]:
    """What every layer asks of its arrays, and the largest relative gap in the balance of power of solved arrays."""
    gap = None
    cells = {name: conducting(config, constants, network, name) for name in network.layers}
    shares = {name: {"cells": 1.0} for name in network.layers}
    if wires.any:
        reads = config.array.reads
        volts = sampled_reads(trained(), network, coding, reading, reads=reads, seed=config.seed)
        shares, gap = wire_shares(network, cells, volts, wires, reporter=reporter)
    works = []
    for name, layer in network.layers.items():
        phases, seen = 2 if layer.signed else 1, activity[name]
        watt = layer_watt(cells[name], seen, coding=coding, name=name, phases=phases)
        works.append(
            LayerWork(
                name=name, rows=layer.conductance.shape[0], columns=layer.stacked.shape[1], outputs=layer.kernel[-1],
                groups=layer.groups,
                positions=seen.positions, phases=phases, reading=reading, tile=network.tile, r_on=1 / network.g_on,
                volt=coding.volt, driven_rows=float(seen.driven(coding.kind, coding.bits).sum()),
                watt={part: share * watt for part, share in shares[name].items()}, vg=layer.vg,
            )
        )  # fmt: skip
    return works, gap


def conducting(config: EnergyConfig, constants: Constants, network: MappedNetwork, name: str) -> NDArray[np.float32]:
    """Conductances of a layer's devices [S]; neurosim's resistive ones are in series with the access transistors of its cells."""
    g = network.layers[name].stacked
    if config.model != "neurosim" or network.cell is not None:
        return g
    return (g / (1 + g.astype(np.float64) * constants["array.access_ohm"])).astype(np.float32)


def costs(config: EnergyConfig, constants: Constants, works: list[LayerWork], network: MappedNetwork) -> LayerCosts:
    """Every layer on arrays under the model, with the digital sums that its outputs take."""
    layers = {work.name: cost_of(config, constants, work, network) for work in works}
    return {
        work.name: with_sums(layers[work.name], work.positions * digital_weights(network, work.name), constants)
        for work in works
    }


def cost_of(config: EnergyConfig, constants: Constants, work: LayerWork, network: MappedNetwork) -> Component:
    """A layer under the model."""
    match config.model:
        case "resparc":
            gate, area = cell_figures(constants, network)
            return resparc.layer_cost(work, constants, gate_farad=gate, cell_area_m2=area)
        case "neurosim":
            node = Node(constants.node(config.node_nm or NODE_NM), constants)
            return neurosim.layer_cost(work, constants, node, line_charge=config.line_charge)
        case "isaac":
            return isaac.layer_cost(work, constants, measured=config.images != 0)


def digital_weights(network: MappedNetwork, name: str) -> int:
    """Weights of a layer that the digital side adds for themselves, a product each: those of negative sign of wide slices."""
    digital = network.layers[name].digital
    return int(np.count_nonzero(digital)) if digital.ndim == 2 else 0


def cell_figures(constants: Constants, network: MappedNetwork) -> tuple[float, float]:
    """Capacitance of a cell's gate line [F] and area of a cell [m²]; resistive arrays are crosspoints without gates."""
    cell = network.cell
    if cell is None:
        return 0.0, constants["cell.crosspoint_features2"] * constants["cell.feature_m"] ** 2
    return resparc.cell_figures(constants, width_m=cell.width_m, length_m=cell.length_m)


def repaired_costs(layers: LayerCosts, repair: Mapping[str, Any] | None) -> LayerCosts:
    """The costs of layers of repaired chips: every copy of an ensemble is read, at once; spare lines take area and leak.

    Flips, averages and the test of the chip are not in it.
    """
    if repair is None:
        return layers
    ensemble, devices = repair["ensemble"], repair["devices_factor"]
    factors = {"energy_joule": ensemble, "area_m2": devices, "leakage_watt": devices}
    return {name: scaled(layer, **factors) for name, layer in layers.items()}


def chip_of(config: EnergyConfig, works: list[LayerWork], layers: LayerCosts, *, ensemble: int = 1) -> ChipPlan:
    """Copies of layers on the arrays that there are, `ensemble` of each. Raises ConfigError where the weights do not fit."""
    tiles = [ensemble * work.tiles for work in works]
    if config.tiles is not None and config.tiles < sum(tiles):
        size = "x".join(map(str, works[0].tile))
        raise ConfigError(f"tiles = {config.tiles}: the weights take {sum(tiles)} arrays of {size}")
    return plan(
        [layers[work.name].latency_seconds for work in works], tiles, [work.positions for work in works],
        available=config.tiles, pipelined=config.pipeline,
    )  # fmt: skip
