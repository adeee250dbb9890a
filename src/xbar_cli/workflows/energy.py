"""`xbar energy`: energy, area and latency of a mapped network from its activity, or of a preset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.load import write_toml
from xbar_cli.energy import digital
from xbar_cli.energy import presets as energy_presets
from xbar_cli.energy.agreement import wires_of
from xbar_cli.energy.constants import Constants, load
from xbar_cli.energy.costs import chip_of, costs, repaired_costs, works_of
from xbar_cli.energy.gain import gain
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.opening import CALIBRATION, WORST, Opened, activity_of
from xbar_cli.energy.operation import coding_of, operation, own_columns, reading_of
from xbar_cli.energy.presets import CONSTANTS
from xbar_cli.energy.results import Costed, draw, summarise, write_results
from xbar_cli.energy.source import Source, driven, source_of, usable
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run


def run(config: EnergyConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Cost the mapped run or the preset of `config` into `run`; returns the summary."""
    if config.preset is not None:
        return energy_presets.run(config, run, reporter=reporter)
    opened = Opened(Path(config.run), use="xbar energy", data_dir=config.data_dir)
    constants = load(
        config.model, file=Path(config.constants) if config.constants else None, overrides=config.overrides
    )
    source = source_of(config, opened)
    stated, network = source.stated, driven(opened.network, source.scales)
    wires = wires_of(stated)
    reading = reading_of(config, constants, network, stated, device_bits=opened.device_bits)
    coding = coding_of(constants, network, reading, stated)
    stored = usable(config, source, network, coding)
    if stored is not None:
        activity, kind = stored, f"stored in {config.activity}"
    else:
        activity, kind = activity_of(config, opened.network, lambda: opened.trained, network, coding, reporter=reporter)
    images = next(iter(activity.values())).images
    works, gap = works_of(
        config, constants, lambda: opened.trained, network, coding, reading, activity, wires, reporter=reporter
    )
    costed = costed_of(config, constants, works, network, source.repair, macs=opened.digital_macs)
    write_toml(run.path / CONFIG, config)
    (run.path / CONSTANTS).write_text(tomli_w.dumps(constants.as_toml()), encoding="utf-8")
    write_results(run.path, costed.every, activity)
    mapped = opened.summary
    title = f"{mapped['network']} on {mapped['dataset']}, {config.model}, {activity_note(kind, images)}"
    draw(run.figures, costed.every, caption=title)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    note = opened.origin.get("dataset_note")
    summary = summarise(config, mapped, opened.path, costed, trained_note=note, device_bits=opened.device_bits)
    own = own_columns(constants, network, config.model)
    summary |= {
        "images": images,
        "activity": kind,
        "operation": operation(opened, network, reading, coding, stated, own=own),
        "stated": dict(stated.values),
        "resistances_ohm": {f"r_{name}": ohm for name, ohm in vars(wires).items()} if wires.any else None,
        "conservation_gap": gap,
    }
    if source.repair is not None:
        summary |= {"repair": dict(source.repair), "devices": source.repair["devices"]}
    summary |= correct(summary, source)
    if config.baseline is not None:
        summary["gain"] = gain(config, constants, costed, network, source, reporter=reporter)
    return summary | {"out": str(run.final)}


def costed_of(
    config: EnergyConfig, constants: Constants, works: list[LayerWork], network: MappedNetwork,
    repair: Mapping[str, Any] | None, *, macs: dict[str, int],
) -> Costed:  # fmt: skip
    """The layers on arrays, the digital ones of so many multiply-accumulates, and the chip."""
    layers = repaired_costs(costs(config, constants, works, network), repair)
    sums = any(part.name == digital.PART for layer in layers.values() for part in layer.children)
    return Costed(
        works=works,
        layers=layers,
        digital={name: digital.layer_cost(name, count, constants) for name, count in macs.items()},
        unit=digital.unit(constants) if macs or sums else None,
        macs=macs,
        chip=chip_of(config, works, layers, ensemble=1 if repair is None else repair["ensemble"]),
        pipelined=config.pipeline,
    )


def activity_note(kind: str, images: int) -> str:
    """Where the activity is from, for captions."""
    if kind == WORST:
        return "worst case: every row at full drive"
    return f"mean of {images} {'calibration ' if kind == CALIBRATION else ''}images"


def correct(summary: dict[str, Any], source: Source) -> dict[str, Any]:
    """Accuracy, and the right ones of the operations of a joule; an operation is a multiplication or an addition.

    All operations are counted, and all were paid for: those of digital layers too. `accuracy_converters` says which converters
    the accuracy knows of; where it is None the costs are of converters that it does not.
    """
    per_joule = None
    if source.accuracy is not None and summary["energy_joule"]:
        per_joule = source.accuracy * summary["operations"] / summary["energy_joule"]
    return {
        "accuracy": source.accuracy,
        "accuracy_ci95": source.interval,
        "accuracy_from": source.origin if source.accuracy is not None else None,
        "accuracy_converters": source.converters if source.accuracy is not None else None,
        "correct_ops_per_joule": per_joule,
    }
