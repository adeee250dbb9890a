"""From a design to what can be built, and what the ordinary commands say of that."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.config.chips.evaluate import EvaluateConfig, changed
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import CellReference, MapConfig, MappingSection
from xbar_cli.config.load import write_toml
from xbar_cli.reporter import Reporter
from xbar_cli.runs.directory import Run, new_run
from xbar_cli.workflows import energy, evaluate
from xbar_cli.workflows import map as mapping

from .costs import COSTS
from .objective import Objective

CROSSPOINT = "cell.crosspoint_features2"
"""Area of a resistive cell in units of F²: it grows with the square of the width of wires."""


def keys_of(values: Mapping[str, float], base: EvaluateConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of an evaluation that parameters stand for, and the constants of the cost model."""
    keys: dict[str, Any] = {}
    constants: dict[str, Any] = {}
    layers: list[dict[str, Any]] = []
    for name, value in values.items():
        kind, _, layer = name.partition(":")
        match kind:
            case "vg" if layer or base.cell.run is None:
                layers.append({"layers": layer or "all", "vg_volt": value})
            case "vg":
                keys["cell.vg"] = f"{value:g}"
            case "v_read":
                keys["converters.v_read_volt"] = value
            case "r_on" | "r_off":
                keys[f"mapping.{kind}_ohm"] = value
            case "r_source" | "r_neuron":
                keys[f"array.{kind}_ohm"] = value
            case "wire_width":
                array = base.array
                given = ("r_wire_ohm", "r_wire_word_ohm", "r_wire_bit_ohm")
                keys |= {f"array.{key}": getattr(array, key) / value for key in given if getattr(array, key)}
                constants[CROSSPOINT] = value**2
            case "weight_limit":
                keys["mapping.weight_limit"] = f"{100 * value:g}%"
            case "adc_bits":
                keys["converters.adc_bits"] = round(value)
            case "adc_range":
                keys["converters.adc_range"] = f"{value:g}"
            case _:
                keys["mapping.tile"] = f"{value:.0f}x{value:.0f}"
    if layers:
        keys["mapping.per_layer"] = layers
    return keys, constants


@dataclass(frozen=True)
class BuiltDesign:
    """What the ordinary commands say of a design.

    Attributes:
        evaluation: its configuration, of the train run.
        constants: of the cost model that are not its own.
        summary: of the evaluation.
        costs: of an image, and the arrays' area.
    """

    evaluation: EvaluateConfig
    constants: Mapping[str, Any]
    summary: Mapping[str, Any]
    costs: Mapping[str, float]


def checked(
    objective: Objective, values: Mapping[str, float], folder: Path, *, reporter: Reporter, network: Path | None = None
) -> BuiltDesign:
    """Map, evaluate and cost a design by the ordinary workflows, in a folder that does not stay.

    Args:
        objective: of the design.
        values: its parameters.
        folder: for the runs.
        reporter: of progress.
        network: the train run with its weights, where they are not those of the start.
    """
    base = objective.bench.config
    if network is not None:
        base = base.model_copy(update={"run": str(network)})
    keys, factors = keys_of(values, base)
    constants = {key: objective.costing.constants[key] * factor for key, factor in factors.items()}
    evaluation = changed(base, keys)
    mapped, on_devices = folder / "mapped", mapping_of(evaluation)
    of_mapped = evaluation.model_copy(update={"run": str(mapped), "mapping": MappingSection(), "cell": CellReference()})
    if not evaluation.observes:
        of_mapped = of_mapped.model_copy(update={"calibration": type(evaluation.calibration)()})
    done(mapping.run, on_devices, mapped, reporter)
    summary = done(evaluate.run, of_mapped, folder / "evaluated", reporter)
    own = costing_of(objective, constants, mapped, activity=folder / "evaluated")
    found = done(energy.run, own, folder / "cost", reporter)
    shutil.rmtree(folder)
    return BuiltDesign(evaluation, constants, summary, {name: found[name] for name in COSTS})


def mapping_of(evaluation: EvaluateConfig) -> MapConfig:
    """The mapping of an evaluation's network, programmed for the reads of the evaluation."""
    section = evaluation.converters.read
    read = {key: getattr(section, key) for key in type(section).model_fields}
    return MapConfig.model_validate(
        {"run": evaluation.run, "mapping": evaluation.mapping, "cell": evaluation.cell, "read": read,
         "calibration": evaluation.calibration, "seed": evaluation.seed, "data_dir": evaluation.data_dir}
    )  # fmt: skip


def costing_of(
    objective: Objective, constants: Mapping[str, Any], mapped: Path | str, *, activity: Path | None = None,
    read: EvaluateConfig | None = None,
) -> EnergyConfig:  # fmt: skip
    """The ordinary costing of a mapped design, read as its evaluation `activity` says, or else as `read` does."""
    tree: dict[str, Any] = {}
    for key, value in constants.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    known = None if activity is None else str(activity)
    asked: dict[str, Any] = {"run": str(mapped), "model": objective.costing.model, "activity": known, "energy": tree}
    if read is not None:
        c, wires = read.converters, ("r_wire_ohm", "r_wire_word_ohm", "r_wire_bit_ohm", "r_source_ohm", "r_neuron_ohm")
        asked["array"] = {key: getattr(read.array, key) for key in wires}
        asked["input_bits"] = c.dac_bits
        if c.adc_bits is not None:
            keys = ("adc_bits", "columns_per_adc", "rows_at_once", "adc_input", "accumulate")
            asked |= {key: getattr(c, key) for key in keys}
    return EnergyConfig.model_validate(asked | {"data_dir": objective.bench.config.data_dir})


def done(workflow: Any, config: Any, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """The summary of a workflow in a folder."""
    config.check()
    with new_run(folder, overwrite=True) as run:
        summary = workflow(config, run, reporter=reporter)
        run.finish(summary, overwrite=True)
    return summary


def write_configs(objective: Objective, found: BuiltDesign, run: Run, *, network: str) -> None:
    """The configurations of the design: of an evaluation of the train run `network`, a mapping, and a costing of that."""
    evaluation = found.evaluation.model_copy(update={"run": network})
    write_toml(run.path / "evaluate.toml", evaluation)
    write_toml(run.path / "map.toml", mapping_of(evaluation))
    write_toml(run.path / "energy.toml", costing_of(objective, found.constants, "", read=found.evaluation))
