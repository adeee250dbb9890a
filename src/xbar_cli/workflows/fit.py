"""`xbar fit`: measured devices become statistics that evaluations draw from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from matplotlib.figure import Figure

from xbar_cli.config.devices import FitConfig
from xbar_cli.config.load import write_toml
from xbar_cli.device.fitting.components import Components, components
from xbar_cli.device.measured import distinct, fit_smooth, fit_states, read_measurements
from xbar_cli.device.statistics import Statistics
from xbar_cli.device.technologies import STATISTICS, TECHNOLOGY
from xbar_cli.figures import drawing
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, field, write_fields


def run(config: FitConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Fit the measurements of `config` into `run`; returns the summary."""
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
    described = technology_of_fit(found, config, table)
    if described is not None:
        (run.path / TECHNOLOGY).write_text(tomli_w.dumps(described), encoding="utf-8")
    write_toml(run.path / CONFIG, config)
    write_fields(run.path / RESULTS, fields(found), attributes={"xbar_kind": "statistics", "kind": config.kind})
    draw(run.figures / "statistics.png", target, measured, found, caption=f"{Path(config.file).name}, {config.kind}")
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    bias, spread = found.mean - found.target, found.sigma
    return {
        "command": "fit",
        "kind": config.kind,
        "measurements": int(target.size),
        "points": int(found.target.size),
        "devices": None if device is None else int(device.max()) + 1,
        **table,
        **parts,
        "technology": described is not None,
        "largest_bias_siemens": float(np.abs(bias).max()),
        "largest_sigma_siemens": float(spread.max()),
        "out": str(run.final),
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


def technology_of_fit(found: Statistics, config: FitConfig, table: Mapping[str, Any]) -> dict[str, Any] | None:
    """The technology that measured devices are: the range of their targets, and of states the levels; None for no range.

    A target of 0, an absent device, is a level and no end of the range.
    """
    present = found.target[found.target > 0]
    if len(present) < 2:
        return None
    described: dict[str, Any] = {
        "source": f"xbar fit {Path(config.file).name}",
        "r_on_ohm": float(1 / present[-1]),
        "r_off_ohm": float(1 / present[0]),
    }
    if config.kind == "states":
        described |= {"states": dict(table), "levels_siemens": table["target_siemens"]}
    return described


def fields(found: Statistics) -> dict[str, Any]:
    """results.nc: mean and spread over the target conductance."""
    names = {"mean": "mean measured conductance", "sigma": "standard deviation"}
    return {
        "target": field(("target",), found.target, unit="S", long_name="target conductance"),
        **{n: field(("target",), getattr(found, n), unit="S", long_name=text) for n, text in names.items()},
    }


def draw(path: Path, target: np.ndarray, measured: np.ndarray, found: Statistics, *, caption: str) -> None:
    """Measurements about their targets, with the mean and one standard deviation to each side."""

    def panel(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(target * 1e6, (measured - target) * 1e6, ".", color="0.6", markersize=3, label="measured")
        bias = (found.mean - found.target) * 1e6
        axes.errorbar(found.target * 1e6, bias, yerr=found.sigma * 1e6, fmt="o-", markersize=3, label="mean ± σ")
        axes.set(xlabel="target conductance (µS)", ylabel="measured − target (µS)")
        drawing.legend_above(figure, axes)

    drawing.save(path, panel, caption=caption)
