"""`xbar energy`: energy, area and latency of a mapped network from its activity, or of a preset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.load import read_toml, write_toml
from xbar_cli.energy.constants import load
from xbar_cli.energy.dissipation import Resistances
from xbar_cli.errors import ConfigError
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.workflows import energy_presets
from xbar_cli.workflows.activity import LayerActivity
from xbar_cli.workflows.energy_activity import Coding
from xbar_cli.workflows.energy_costs import chip_of, costs, sliced_bits, works_of
from xbar_cli.workflows.energy_gain import gain
from xbar_cli.workflows.energy_opening import CALIBRATION, WORST, Opened, activity_of, coding_of
from xbar_cli.workflows.energy_presets import CONSTANTS, FLOATING_POINT
from xbar_cli.workflows.energy_results import draw, read_activity, summarise, write_results
from xbar_cli.workflows.energy_wires import resistances_of
from xbar_cli.workflows.reporter import SILENT, Reporter


@dataclass(frozen=True)
class Source:
    """Where activity and accuracy come from.

    Attributes:
        stored: activity of an earlier energy run; None where it is computed.
        resistances: of the arrays [ohm].
        accuracy: share of right answers; None where nothing says.
        interval: its 95 % confidence interval over chips; None for a single figure.
        origin: what says so.
    """

    stored: dict[str, LayerActivity] | None
    resistances: Resistances
    accuracy: float | None
    interval: list[float] | None
    origin: str | None


def run(config: EnergyConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Cost the mapped run or the preset of `config` into `run`; returns the summary."""
    if config.preset is not None:
        return energy_presets.run(config, run, reporter=reporter)
    opened = Opened(Path(config.run), use="xbar energy", data_dir=config.data_dir)
    constants = load(
        config.model, file=Path(config.constants) if config.constants else None, overrides=config.overrides
    )
    network, mapped, origin = opened.network, opened.summary, opened.origin
    coding = coding_of(config, constants, network)
    source = source_of(config, opened, coding)
    if source.stored is not None:
        activity, kind = source.stored, f"stored in {config.activity}"
    else:
        activity, kind = activity_of(config, opened, coding, reporter=reporter)
    images = next(iter(activity.values())).images
    works, gap = works_of(config, constants, opened, network, coding, activity, source.resistances, reporter=reporter)
    layers = costs(config, constants, works, network)
    chip = chip_of(config, works, layers)
    write_toml(run.path / CONFIG, config)
    (run.path / CONSTANTS).write_text(tomli_w.dumps(constants.as_toml()), encoding="utf-8")
    write_results(run.path, layers, activity)
    title = f"{mapped['network']} on {mapped['dataset']}, {config.model}, {activity_note(kind, images)}"
    draw(run.figures, layers, caption=title)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    note, sliced = origin.get("dataset_note"), sliced_bits(network)
    summary = summarise(config, mapped, opened.path, works, layers, chip, trained_note=note, sliced=sliced)
    summary |= {
        "images": images,
        "activity": kind,
        "resistances_ohm": source.resistances._asdict() if source.resistances.any else None,
        "conservation_gap": gap,
    }
    summary |= correct(summary, source)
    if config.baseline is not None:
        summary["gain"] = gain(config, constants, works, layers, network, reporter=reporter)
    return summary | {"out": str(run.final)}


def activity_note(kind: str, images: int) -> str:
    """Where the activity is from, for captions."""
    if kind == WORST:
        return "worst case: every row at full drive"
    return f"mean of {images} {'calibration ' if kind == CALIBRATION else ''}images"


def source_of(config: EnergyConfig, opened: Opened, coding: Coding) -> Source:
    """What `--activity` names, or nothing but the training run's own accuracy.

    Raises:
        ConfigError: it is of another mapped run, or of another way to drive rows.
    """
    resistances = resistances_of(config.array.model_dump())
    accuracy, interval, origin = opened.origin.get("test_accuracy"), None, FLOATING_POINT
    stored = None
    if config.activity is not None:
        path = Path(config.activity)
        _, summary = open_run(path, commands=("energy", "evaluate"), use="--activity")
        other = read_toml(path / CONFIG)
        if Path(other.get("run", "")).resolve() != Path(config.run).resolve():
            raise ConfigError(f"--activity {path}: it is of {other.get('run') or 'a preset'}, not of {config.run}")
        if summary["command"] == "energy":
            rows = {name: len(layer.conductance) for name, layer in opened.network.layers.items()}
            stored = read_activity(path, coding, rows)
            accuracy, interval, origin = summary["accuracy"], summary["accuracy_ci95"], summary["accuracy_from"]
        else:
            if other.get("array", {}).get("model") == "published":
                raise ConfigError(f"--activity {path}: the published closed form is no circuit and conserves no power")
            if other.get("array", {}).get("neuron") == "shared":
                raise ConfigError(f"--activity {path}: its columns share neurons, which xbar energy does not solve")
            if not config.array.wired:
                resistances = resistances_of(other.get("array", {}))
            accuracy, interval, origin = summary["accuracy_mean"], summary["accuracy_ci95"], f"evaluate run {path}"
    if config.accuracy is not None:
        accuracy, interval, origin = config.accuracy, None, "--accuracy"
    return Source(stored, resistances, accuracy, interval, origin)


def correct(summary: dict[str, Any], source: Source) -> dict[str, Any]:
    """Accuracy, and the right ones of the operations of a joule; an operation is a multiplication or an addition."""
    per_joule = None
    if source.accuracy is not None and summary["energy_joule"]:
        per_joule = source.accuracy * summary["operations"] / summary["energy_joule"]
    return {
        "accuracy": source.accuracy,
        "accuracy_ci95": source.interval,
        "accuracy_from": source.origin if source.accuracy is not None else None,
        "correct_ops_per_joule": per_joule,
    }
