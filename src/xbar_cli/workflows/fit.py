"""`xbar fit`: measured devices become statistics that evaluations draw from, or a model of how they switch."""

from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from xbar_cli.config.devices import FitConfig
from xbar_cli.config.load import write_toml
from xbar_cli.device.fitting import described
from xbar_cli.device.fitting.components import Components, components
from xbar_cli.device.fitting.curves import pulse_curves
from xbar_cli.device.fitting.moments import PulseMoments
from xbar_cli.device.fitting.pulses import fit_switching
from xbar_cli.device.fitting.trains import read_trains
from xbar_cli.device.measured import distinct, fit_smooth, fit_states, read_measurements
from xbar_cli.device.statistics import Statistics
from xbar_cli.device.switching.presets import SWITCHING
from xbar_cli.device.technologies import STATISTICS, TECHNOLOGY
from xbar_cli.figures.measured import missed_targets, pulse_trains
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, field, write_fields


def run(config: FitConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Fit the measurements of `config` into `run`; returns the summary."""
    summary = fit_pulses(config, run, reporter) if config.kind == "pulses" else fit_statistics(config, run, reporter)
    write_toml(run.path / CONFIG, config)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    return {"command": "fit", "kind": config.kind, **summary, "out": str(run.final)}


def fit_pulses(config: FitConfig, run: Run, reporter: Reporter) -> dict[str, Any]:
    """How devices switch, from trains of pulses."""
    trains = read_trains(config.file)
    sizes = config.pulses.sizes(volts=trains.volts, seconds=trains.seconds)
    reporter.doing("drawing trains of the model")
    found = fit_switching(trains.reads, trains.plan, names=trains.names, seed=config.seed)
    for remark in described.remarks(found):
        reporter.note(remark)
    source = f"xbar fit {Path(config.file).name}"
    table = described.switching_table(found, sizes, source=source)
    (run.path / SWITCHING).write_text(tomli_w.dumps(table), encoding="utf-8")
    technology = write_technology(run.path, source, described.window_of(found))
    write_fields(run.path / RESULTS, device_fields(trains.names, found.raw), attributes={"xbar_kind": "switching"})
    curves = pulse_curves(trains.reads, trains.plan, found)
    pulse_trains(run.figures / "pulses.png", curves=curves, caption=f"{Path(config.file).name}, pulses up and down")
    counts = {
        "measurements": int(np.isfinite(trains.reads).sum()),
        "devices": len(trains.names),
        "trains": len(trains.reads),
    }
    return {**counts, **described.summary_of(found), **sizes, "technology": technology}


def fit_statistics(config: FitConfig, run: Run, reporter: Reporter) -> dict[str, Any]:
    """Where devices ended up that were programmed to targets."""
    target, measured, device = read_measurements(config.file)
    apart = None
    if config.kind == "states":
        found = fit_states(target, measured, min_count=config.min_count)
        apart = parted(target, measured, device, reporter)
        if apart is not None:
            found = found._replace(sigma=np.hypot(apart.device, apart.cycle))
    else:
        found = fit_smooth(target, measured, degree=config.degree, knots=config.knots)
    table = {f"{name}_siemens": [float(value) for value in getattr(found, name)] for name in found._fields}
    parts = {f"sigma_{name}_siemens": values.tolist() for name, values in (apart._asdict() if apart else {}).items()}
    (run.path / STATISTICS).write_text(tomli_w.dumps(table | parts), encoding="utf-8")
    more = {"states": table, "levels_siemens": table["target_siemens"]} if config.kind == "states" else {}
    present = found.target[found.target > 0]  # a target of 0, an absent device, is a level and no end of the range
    ends = (float(present[0]), float(present[-1])) if len(present) > 1 else None
    technology = write_technology(run.path, f"xbar fit {Path(config.file).name}", ends, **more)
    write_fields(run.path / RESULTS, fields(found), attributes={"xbar_kind": "statistics", "kind": config.kind})
    missed_targets(
        run.figures / "statistics.png", target=target, measured=measured, knots=found.target, mean=found.mean,
        sigma=found.sigma, caption=f"{Path(config.file).name}, {config.kind}",
    )  # fmt: skip
    return {
        "measurements": int(target.size),
        "points": int(found.target.size),
        "devices": None if device is None else int(device.max()) + 1,
        **table,
        **parts,
        "technology": technology,
        "largest_bias_siemens": float(np.abs(found.mean - found.target).max()),
        "largest_sigma_siemens": float(found.sigma.max()),
    }


def parted(
    target: np.ndarray, measured: np.ndarray, device: np.ndarray | None, reporter: Reporter
) -> Components | None:
    """The spread between devices and between the writes of one, where the table says which device is which."""
    if device is None:
        return None
    found = components(measured, distinct(target)[1], device)
    if found is None:
        reporter.note(
            "some state has no device that was written twice, or has one device: its spread is told as a whole, not that between "
            "devices and that between writes apart"
        )
    return found


def write_technology(folder: Path, source: str, ends: tuple[float, float] | None, **more: Any) -> bool:
    """The technology that measured devices are: their range [S], and what is known `more`; False without a range."""
    if ends is not None:
        described = {"source": source, "r_on_ohm": 1 / ends[1], "r_off_ohm": 1 / ends[0], **more}
        (folder / TECHNOLOGY).write_text(tomli_w.dumps(described), encoding="utf-8")
    return ends is not None


def fields(found: Statistics) -> dict[str, Any]:
    """results.nc: mean and spread over the target conductance."""
    names = {"mean": "mean measured conductance", "sigma": "standard deviation"}
    return {
        "target": field(("target",), found.target, unit="S", long_name="target conductance"),
        **{n: field(("target",), getattr(found, n), unit="S", long_name=text) for n, text in names.items()},
    }


def device_fields(names: list[str], raw: PulseMoments) -> dict[str, Any]:
    """results.nc of pulses: the window and the steps of every device, at first sight."""
    found = {
        "low": (raw.low, "S", "lowest conductance"),
        "high": (raw.high, "S", "highest conductance"),
        "steps_up": (raw.factor[0], "1", "steps up over those of all devices"),
        "steps_down": (raw.factor[1], "1", "steps down over those of all devices"),
    }
    each = {name: field(("device",), values, unit=unit, long_name=text) for name, (values, unit, text) in found.items()}
    return {"device": field(("device",), names, unit="1", long_name="device"), **each}
