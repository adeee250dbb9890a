"""`xbar fit`: measured devices become statistics that evaluations draw from."""

from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from matplotlib.figure import Figure

from xbar_cli.config.devices import FitConfig
from xbar_cli.config.load import write_toml
from xbar_cli.device.measured import fit_smooth, fit_states, read_measurements
from xbar_cli.device.statistics import Statistics
from xbar_cli.device.technologies import STATISTICS
from xbar_cli.figures import drawing
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, field, write_fields


def run(config: FitConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Fit the measurements of `config` into `run`; returns the summary."""
    del reporter
    target, measured = read_measurements(config.file)
    if config.kind == "states":
        found = fit_states(target, measured, min_count=config.min_count)
    else:
        found = fit_smooth(target, measured, degree=config.degree, knots=config.knots)
    table = {f"{name}_siemens": [float(value) for value in getattr(found, name)] for name in found._fields}
    (run.path / STATISTICS).write_text(tomli_w.dumps(table), encoding="utf-8")
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
        **table,
        "largest_bias_siemens": float(np.abs(bias).max()),
        "largest_sigma_siemens": float(spread.max()),
        "out": str(run.final),
    }


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
