"""What the key `activity` names: an evaluate run, or an earlier energy run, and what it says of accuracy and hardware."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xbar_cli.chip.activity import LayerActivity
from xbar_cli.chip.full_scales import with_drive_range
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import ReadSection
from xbar_cli.config.energy import GIVEN, EnergyConfig
from xbar_cli.config.load import stored
from xbar_cli.energy.activity import Coding
from xbar_cli.energy.agreement import (
    Statement,
    converters_of,
    of_energy,
    of_evaluation,
    of_request,
    programmed_alike,
)
from xbar_cli.energy.opening import Opened, scaled_alike
from xbar_cli.energy.presets import FLOATING_POINT
from xbar_cli.energy.results import read_activity
from xbar_cli.errors import ConfigError
from xbar_cli.runs.opening import open_run


@dataclass(frozen=True)
class Source:
    """Where activity and accuracy come from, and what they are of.

    Attributes:
        stated: how arrays are read, as runs and options fix it.
        stored: activity of an earlier energy run; None where it is computed.
        scales: activation of the full drive of each layer; empty where it is the mapping's.
        accuracy: share of right answers; None where nothing says.
        interval: its 95 % confidence interval over chips; None for a single figure.
        origin: what says so.
        converters: that the accuracy was evaluated with; None without any.
        repair: what the summary of an evaluation of repaired chips says of them; None without.
    """

    stated: Statement
    stored: dict[str, LayerActivity] | None
    scales: Mapping[str, float]
    accuracy: float | None
    interval: list[float] | None
    origin: str | None
    converters: dict[str, Any] | None
    repair: Mapping[str, Any] | None = None


def source_of(config: EnergyConfig, opened: Opened) -> Source:
    """What `activity` names, or nothing but the training run's own accuracy; with what options ask for.

    It must be of the same mapped run and of the hardware that is asked for, else ConfigError.
    """
    request = of_request(config)
    if config.activity is None:
        found = Source(
            opened.stated.joined(request), None, {}, opened.origin.get("test_accuracy"), None, FLOATING_POINT, None
        )
    else:
        path = Path(config.activity)
        _, summary = open_run(path, commands=("energy", "evaluate"), use="`activity`")
        other = stored(EnergyConfig if summary["command"] == "energy" else EvaluateConfig, path)
        if Path(other.run).resolve() != Path(config.run).resolve():
            raise ConfigError(
                f"activity = {path}: it is of {other.run or 'a preset'}, not of {config.run}; evaluate {config.run}"
            )
        named = (
            of_eval(path, other, summary, opened)
            if isinstance(other, EvaluateConfig)
            else of_energy_run(path, summary, opened)
        )
        found = replace(named, stated=named.stated.joined(request))
    if config.accuracy is not None:
        return replace(found, accuracy=config.accuracy, interval=None, origin=GIVEN, converters=None)
    return found


def of_energy_run(path: Path, summary: Mapping[str, Any], opened: Opened) -> Source:
    """Activity, accuracy and hardware of an earlier energy run."""
    stated = of_energy(path, summary)
    stored = read_activity(path, {name: len(layer.stacked) for name, layer in opened.network.layers.items()})
    scales = {name: seen.full_scale for name, seen in stored.items() if seen.full_scale is not None}
    accuracy, interval, origin = summary["accuracy"], summary["accuracy_ci95"], summary["accuracy_from"]
    return Source(
        stated, stored, scales, accuracy, interval, origin, summary["accuracy_converters"], summary.get("repair")
    )


def of_eval(path: Path, config: EvaluateConfig, summary: Mapping[str, Any], opened: Opened) -> Source:
    """Accuracy and hardware of an evaluate run, the range of its row drive with it."""
    stated = of_evaluation(path, config, summary)
    if opened.network.cell is not None:
        mapped = f"map run {opened.path}", opened.network.read_volt
        programmed_alike(mapped, (stated.by, stated.values.get("v_read_volt")))
    read, scales = ReadSection(dac_bits=stated.values["dac_bits"], dac_range=stated.values["dac_range"]), {}
    if read.dac_range not in (None, opened.config.read.dac_range) or opened.trained.fixed.learned is not None:
        ranged = with_drive_range(opened.trained, opened.network, read, images=config.calibration.images)
        scales = {name: layer.full_scale for name, layer in ranged.layers.items()}
    return Source(
        stated,
        None,
        scales,
        summary.get("accuracy_mean"),
        summary.get("accuracy_ci95"),
        stated.by,
        converters_of(stated),
        summary.get("repair"),
    )


def driven(network: MappedNetwork, scales: Mapping[str, float]) -> MappedNetwork:
    """The network whose layers' full drive is at these activations, where they are given."""
    layers = {n: replace(layer, full_scale=scales.get(n, layer.full_scale)) for n, layer in network.layers.items()}
    return replace(network, layers=layers) if scales else network


def usable(
    config: EnergyConfig, source: Source, network: MappedNetwork, coding: Coding
) -> dict[str, LayerActivity] | None:
    """The activity of an earlier energy run, which must be of such inputs, else ConfigError; None where there is none."""
    if source.stored is None:
        return None
    own = {name: layer.full_scale for name, layer in network.layers.items()}
    if not coding.covered(source.stored) or not scaled_alike(source.stored, network, own=own):
        raise ConfigError(
            f"activity = {config.activity}: that energy run has inputs as {described(source.stored)}, here they are {coding}; "
            "leave it out to compute the activity anew"
        )
    return source.stored


def described(activity: Mapping[str, LayerActivity]) -> str:
    """The inputs that stored activity is of."""
    seen = next(iter(activity.values()))
    if seen.pulses:
        return f"bitserial of {' and '.join(map(str, seen.pulses))} bits"
    return "amplitude or pwm" if seen.steps is None else f"amplitude or pwm of {seen.steps} bits"
