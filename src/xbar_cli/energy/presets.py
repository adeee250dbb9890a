"""The presets of `xbar energy`: what the papers report, from the models and cited constants. No network, no JAX."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.load import write_toml
from xbar_cli.energy.constants import Constants, load, preset
from xbar_cli.energy.models import isaac, neurosim
from xbar_cli.energy.models.gates import Node
from xbar_cli.energy.models.tree import Component, as_json, group, scaled
from xbar_cli.energy.neat import neat
from xbar_cli.energy.reading import Reading
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run

CONSTANTS = "constants.toml"
"""Every constant that was used, with its source."""
NODE_NM = 14
"""Technology node of neurosim unless given [nm]."""
FLOATING_POINT = "train run, floating point"
"""Where an accuracy is from that knows nothing of arrays."""


def run(config: EnergyConfig, run: Run, **_: Any) -> dict[str, Any]:
    """Compute the preset of `config` into `run`; returns the summary."""
    assert config.preset is not None
    constants = load(
        config.model, file=Path(config.constants) if config.constants else None, overrides=config.overrides
    )
    compute = {"acm-table1": acm_table1, "biased-table1": biased_table1, "neat": neat}[config.preset]
    summary = compute(config, constants, preset(config.preset))
    write_toml(run.path / CONFIG, config)
    (run.path / CONSTANTS).write_text(tomli_w.dumps(constants.as_toml()), encoding="utf-8")
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    head = {"command": "energy", "model": config.model, "preset": config.preset}
    return head | summary | {"out": str(run.final)}


def columns_of(scheme: str, outputs: int) -> int:
    """Columns of a mapping scheme: two an output (de), or one more than outputs."""
    return 2 * outputs if scheme == "de" else outputs + 1


def columns_without_reference(scheme: str, outputs: int) -> int:
    """Columns without the one that outputs share (bc, acm): NeuroSim's own perceptron has none."""
    return 2 * outputs if scheme == "de" else outputs


def multiplexed(columns: list[int], own: int) -> list[int]:
    """Columns of one converter in each array, as NeuroSim V3.0 has them.

    One number for all arrays, which the narrowest lowers to its own columns; arrays spread their columns evenly over the
    converters that they need.
    """
    shared = min(own, *columns)
    return [math.ceil(each / math.ceil(each / shared)) for each in columns]


def acm_table1(config: EnergyConfig, k: Constants, p: dict[str, Any]) -> dict[str, Any]:
    """Table I of acm: area, read energy and read delay of a two-layer perceptron under three mapping schemes."""
    node_nm = config.node_nm or p["node_nm"]
    node = Node(k.node(node_nm), k)
    adc_bits = config.adc_bits or round(k["adc.bits"])

    def trees_of(line_charge: neurosim.LineCharge, *, as_released: bool = False) -> dict[str, Component]:
        given = {"adc_bits": adc_bits, "line_charge": line_charge, "as_released": as_released}
        return {scheme: perceptron(scheme, k, node, p, **given) for scheme in p["schemes"]}

    trees = trees_of(config.line_charge)
    table = {scheme: figures_of(tree) for scheme, tree in trees.items()}
    acm = trees["acm"]
    others = {
        "line_charge_read": trees_of("read"),
        "line_charge_column": trees_of("column"),
        "as_released": trees_of("column", as_released=True),
    }
    return {
        "source": p["source"],
        "node_nm": node_nm,
        "scheme": "acm",
        "table": table,
        "paper": p["paper"],
        "ratio": {s: {name: table[s][name] / value for name, value in p["paper"][s].items()} for s in table},
        "de_over_acm": {name: table["de"][name] / value for name, value in table["acm"].items()},
        "paper_de_over_acm": {name: p["paper"]["de"][name] / value for name, value in p["paper"]["acm"].items()},
        "line_charge": config.line_charge,
        "readings": {name: both_of(found) for name, found in others.items()},
        "energy_joule": acm.energy_joule,
        "area_m2": acm.area_m2,
        "latency_seconds": acm.latency_seconds,
        "leakage_watt": acm.leakage_watt,
        "breakdown": {scheme: as_json(tree) for scheme, tree in trees.items()},
    }


def both_of(trees: dict[str, Component]) -> dict[str, float]:
    """Read energy and delay under a reading of the table: of double elements, of adjacent connection, and their ratios."""
    found = {s: figures_of(trees[s]) for s in ("de", "acm")}
    figures = {f"{s}_{name}": found[s][name] for s in found for name in ("read_energy_joule", "read_delay_seconds")}
    return figures | {
        "energy_de_over_acm": figures["de_read_energy_joule"] / figures["acm_read_energy_joule"],
        "delay_de_over_acm": figures["de_read_delay_seconds"] / figures["acm_read_delay_seconds"],
    }


def perceptron(
    scheme: str,
    k: Constants,
    node: Node,
    p: dict[str, Any],
    *,
    adc_bits: int,
    line_charge: neurosim.LineCharge = "read",
    as_released: bool = False,
) -> Component:
    """The arrays of all layers, each read once for every image.

    `as_released`: by NeuroSim's rule of its multiplexers, and without the column that outputs of bc and acm share.
    """
    r_on, volt = 1 / k["device.g_on_siemens"], k["read.volt"]
    mean = (r_on + 1 / k["device.g_off_siemens"]) / 2 + k["array.access_ohm"]
    arrays, rule = [], columns_without_reference if as_released else columns_of
    every = [rule(scheme, outputs) for _, outputs in p["layers"]]
    shared = multiplexed(every, round(k["mux.columns"])) if as_released else [None] * len(every)
    for number, ((rows, _), relaxed) in enumerate(zip(p["layers"], p["relaxed"], strict=True), start=1):
        columns = every[number - 1]
        reading = Reading("bitserial", p["input_bits"], adc_bits, shared[number - 1])
        core = neurosim.Core(k, node, rows, columns, r_on, relaxed=relaxed, reading=reading)
        driven = rows * p["active_rows"] * p["input_bits"]
        times = neurosim.charges(line_charge, columns)
        read = neurosim.Read(columns, p["input_bits"], driven, volt**2 / mean * driven * columns, volt, charges=times)
        one = neurosim.array_cost(core, read)
        arrays.append(
            scaled(replace(one, name=f"layer{number}"), energy_joule=p["images"], latency_seconds=p["images"])
        )
    return group(scheme, arrays)


def figures_of(tree: Component) -> dict[str, float]:
    """The four figures of a column of the table."""
    crossbar = sum(part.area_m2 for part in tree.leaves() if part.name in neurosim.CROSSBAR)
    return {
        "crossbar_area_m2": crossbar,
        "periphery_area_m2": tree.area_m2 - crossbar,
        "read_energy_joule": tree.energy_joule,
        "read_delay_seconds": tree.latency_seconds,
    }


def biased_table1(config: EnergyConfig, k: Constants, p: dict[str, Any]) -> dict[str, Any]:
    """Table I of biased: correct operations per joule of one unit, beside what ISAAC's component table gives for one."""

    def per_joule(accuracy: float) -> float:
        return accuracy * p["operations"] / p["energy_joule"]

    computed = {name: per_joule(value) for name, value in p["accuracy"].items()}
    unit = isaac.unit(k)
    accuracy = p["accuracy"]["biased"] if config.accuracy is None else config.accuracy
    return {
        "source": p["source"],
        "accuracy": accuracy,
        "operations": p["operations"],
        "correct_ops_per_joule": per_joule(accuracy),
        "energy_joule": p["energy_joule"],
        "area_m2": p["area_m2"],
        "latency_seconds": None,
        "table": {name: {"accuracy": p["accuracy"][name], "correct_ops_per_joule": v} for name, v in computed.items()},
        "paper": p["paper"],
        "ratio": {name: value / p["paper"][name] for name, value in computed.items()},
        "component_table": {
            "source": "Shafiee et al., ISAAC, ISCA 2016, Table I: one unit, one cycle",
            "energy_joule": unit.energy_joule,
            "area_m2": unit.area_m2,
            "latency_seconds": unit.latency_seconds,
        },
        "breakdown": as_json(unit),
    }
