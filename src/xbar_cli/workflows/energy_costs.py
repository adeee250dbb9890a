"""From a mapped network and its activity to the costs of its layers, under each of the models."""

import numpy as np

from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy import isaac, neurosim, resparc
from xbar_cli.energy.constants import Constants
from xbar_cli.energy.dissipation import Resistances
from xbar_cli.energy.gates import Node
from xbar_cli.energy.plan import Plan, plan
from xbar_cli.energy.tree import Component
from xbar_cli.energy.work import LayerWork
from xbar_cli.errors import ConfigError
from xbar_cli.workflows.activity import LayerActivity
from xbar_cli.workflows.energy_activity import Coding
from xbar_cli.workflows.energy_opening import Opened
from xbar_cli.workflows.energy_power import layer_watt
from xbar_cli.workflows.energy_presets import NODE_NM
from xbar_cli.workflows.energy_wires import ideal_shares, wire_shares
from xbar_cli.workflows.mapped import MappedNetwork
from xbar_cli.workflows.reporter import Reporter

Layers = dict[str, Component]


def volt_of(constants: Constants, network: MappedNetwork) -> float:
    """Voltage of full drive [V]: the cell's largest input, or the model's constant."""
    return network.cell.v_max if network.cell is not None else constants["read.volt"]


def works_of(
    config: EnergyConfig,
    constants: Constants,
    opened: Opened,
    network: MappedNetwork,
    coding: Coding,
    activity: dict[str, LayerActivity],
    resistances: Resistances,
    *,
    reporter: Reporter,
) -> tuple[list[LayerWork], float | None]:
    """What every layer asks of its arrays, and the largest relative gap in the balance of power of solved arrays."""
    volt, gap = volt_of(constants, network), None
    shares = {name: ideal_shares() for name in network.layers}
    if resistances.any:
        shares, gap = wire_shares(
            opened.trained, network, resistances, reads=config.array.reads, bits=coding.bits, volt=volt, seed=config.seed,
            reporter=reporter,
        )  # fmt: skip
    works = []
    for name, layer in network.layers.items():
        phases, seen = 2 if layer.signed else 1, activity[name]
        watt = layer_watt(
            layer.conductance, seen, power=coding.powers.get(name), coding=coding, phases=phases, volt=volt
        )
        works.append(
            LayerWork(
                name=name, rows=layer.conductance.shape[0], columns=layer.conductance.shape[1], outputs=layer.kernel[-1],
                positions=seen.positions, phases=phases, cycles=coding.cycles, tile=network.tile,
                r_on=1 / network.g_on, volt=volt, driven_rows=float(seen.driven(coding.bits).sum()),
                watt={part: share * watt for part, share in shares[name].items()}, vg=layer.vg,
            )
        )  # fmt: skip
    return works, gap


def costs(config: EnergyConfig, constants: Constants, works: list[LayerWork], network: MappedNetwork) -> Layers:
    """Every layer under the model."""
    match config.model:
        case "resparc":
            gate, area = cell_figures(constants, network)
            bits = config.adc_bits or round(constants["adc.bits"])
            return {
                w.name: resparc.layer_cost(w, constants, gate_farad=gate, cell_area_m2=area, adc_bits=bits)
                for w in works
            }
        case "neurosim":
            node = Node(constants.node(config.node_nm or NODE_NM), constants)
            bits = config.adc_bits or round(constants["adc.bits"])
            return {w.name: neurosim.layer_cost(w, constants, node, adc_bits=bits) for w in works}
        case "isaac":
            bits = config.adc_bits or isaac.adc_bits(
                rows=network.tile[0], device_bits=device_bits(constants, network), dac_bits=round(constants["dac.bits"])
            )
            return {w.name: isaac.layer_cost(w, constants, adc_bits=bits, measured=config.images != 0) for w in works}


def cell_figures(constants: Constants, network: MappedNetwork) -> tuple[float, float]:
    """Capacitance of a cell's gate line [F] and area of a cell [m²]; resistive arrays are crosspoints without gates."""
    feature, cell = constants["cell.feature_m"], network.cell
    if cell is None:
        return 0.0, constants["cell.crosspoint_features2"] * feature**2
    area = resparc.cell_area(width_m=cell.width_m, length_m=cell.length_m, feature_m=feature)
    gate = resparc.gate_capacitance(
        width_m=cell.width_m, length_m=cell.length_m, pitch_m=float(np.sqrt(area)), oxide=constants["gate.oxide_farad_per_m2"],
        overlap=constants["gate.overlap_farad_per_m"], wire=constants["wire.farad_per_m"],
    )  # fmt: skip
    return gate, area


def device_bits(constants: Constants, network: MappedNetwork) -> int:
    """Bits of a device: those of the slices, else the model's."""
    return sliced_bits(network) or round(constants["crossbar.device_bits"])


def sliced_bits(network: MappedNetwork) -> int | None:
    """Bits of a device that holds slices; None with other schemes."""
    formats = [layer.readout.fmt for layer in network.layers.values() if layer.readout.fmt is not None]
    return formats[0].device_bits if formats else None


def chip_of(config: EnergyConfig, works: list[LayerWork], layers: Layers) -> Plan:
    """Copies of layers on the arrays that there are.

    Raises:
        ConfigError: the weights do not fit.
    """
    tiles = [work.tiles for work in works]
    if config.tiles is not None and config.tiles < sum(tiles):
        size = "x".join(map(str, works[0].tile))
        raise ConfigError(f"--tiles {config.tiles}: the weights take {sum(tiles)} arrays of {size}")
    return plan(
        [layers[work.name].latency_seconds for work in works], tiles, [work.positions for work in works],
        available=config.tiles, pipelined=config.pipeline,
    )  # fmt: skip
