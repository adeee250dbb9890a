"""`xbar characterize`: SPICE sweep of a 1T-1R cell, its linear range, its certified surrogate, figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.load import write_toml
from xbar_cli.config.ranges import gate_voltages, input_voltages
from xbar_cli.device.linear_range import linear_range, tolerance_metric
from xbar_cli.device.surrogate import Certificate, Fit, Samples, choose_surrogate
from xbar_cli.errors import ModelError
from xbar_cli.runs import environment, figures
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.spice.cards import load_card
from xbar_cli.spice.sweep import CellTable, Grid, sweep_cell
from xbar_cli.workflows.cells import surrogate_variables
from xbar_cli.workflows.reporter import SILENT, Reporter

BELOW_OFF, ABOVE_ON = 0.1, 1.75
"""The table spans BELOW_OFF · G_off to ABOVE_ON · G_on, so that varied devices stay on it."""
POWER_ERROR = 1e-2
"""Relative error asked of the power surrogate: energy constants are known far worse than that."""


@dataclass(frozen=True)
class Fitted:
    """One quantity's surrogates at every gate voltage, with their certificates."""

    fits: list[Fit]
    certificates: list[Certificate]


def run(config: CharacterizeConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Characterise the cell of `config` into `run`; returns the summary."""
    write_toml(run.path / CONFIG, config)
    reporter.progress("simulate", 0, 4)
    table = simulate(config, off_grid=False)
    reporter.progress("simulate", 1, 4)
    fresh = simulate(config, off_grid=True)
    reporter.progress("fit", 2, 4)
    current = fit(bit_line_samples(table), bit_line_samples(fresh), config.surrogate.error, config.surrogate.max_rank)
    power = fit(power_samples(table), power_samples(fresh), POWER_ERROR, config.surrogate.max_rank)
    judge(current, table.vg_volt, error=config.surrogate.error, max_rank=config.surrogate.max_rank)
    dataset = results(config, table, current, power)
    reporter.progress("draw", 3, 4)
    write_dataset(run.path / RESULTS, dataset)
    draw(config, run, dataset)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, simulator=table.simulator))
    reporter.progress("draw", 4, 4)
    return summary(table, dataset, run)


def simulate(config: CharacterizeConfig, *, off_grid: bool) -> CellTable:
    """The SPICE table of the configured grid, or of the points half-way between its points."""
    cell, sweep = config.cell, config.sweep
    low, high = BELOW_OFF / cell.r_off_ohm, ABOVE_ON / cell.r_on_ohm
    g = np.linspace(low, high, sweep.g_points)
    start, stop, count = input_voltages(sweep.vin_range)
    if off_grid:
        half = (stop - start) / (count - 1) / 2
        g, start, stop, count = (g[1:] + g[:-1]) / 2, start + half, stop - half, count - 1
    return sweep_cell(
        load_card(cell.card, cell.model),
        g_siemens=g,
        vin=Grid(start, stop, count),
        vg=Grid(*gate_voltages(sweep.vg_range)),
        width_m=cell.width_m,
        length_m=cell.length_m,
        temperature_celsius=cell.temperature_celsius,
        topology=cell.topology,
        jobs=sweep.jobs,
        timeout_s=sweep.timeout_seconds,
        backend=sweep.backend,
    )


def bit_line_samples(table: CellTable) -> list[Samples]:
    """The current into the bit line [A], for each gate voltage."""
    return [
        Samples(
            g=table.g_siemens,
            v=table.vin_volt,
            value=table.current_ampere[0, i],
            value_at_zero=table.leakage_ampere[0, i],
        )
        for i in range(table.vg_volt.size)
    ]


def power_samples(table: CellTable) -> list[Samples]:
    """The power drawn from input and gate [W]: V_in I_in + V_g I_g, I_g what leaves the cell and did not enter at the input."""
    vin = table.vin_volt
    samples: list[Samples] = []
    for i, vg in enumerate(table.vg_volt):
        out, into = table.current_ampere[0, i], table.input_current_ampere[0, i]
        gate_at_zero = table.leakage_ampere[0, i] - table.input_leakage_ampere[0, i]
        samples.append(
            Samples(g=table.g_siemens, v=vin, value=vin * into + vg * (out - into), value_at_zero=vg * gate_at_zero)
        )
    return samples


def fit(tables: list[Samples], fresh: list[Samples], error: float, max_rank: int) -> Fitted:
    """The surrogates of one quantity."""
    chosen = [choose_surrogate(t, f, error=error, max_rank=max_rank) for t, f in zip(tables, fresh, strict=True)]
    return Fitted(fits=[c[0] for c in chosen], certificates=[c[1] for c in chosen])


def judge(current: Fitted, vg: NDArray[np.float64], *, error: float, max_rank: int) -> None:
    """Raise ModelError where the surrogate of the current misses its target."""
    for gate, certificate in zip(vg, current.certificates, strict=True):
        if not certificate.max_error <= error:
            raise ModelError(
                f"no surrogate of rank up to {max_rank} reaches error {error:g} at V_g {gate:g} V: the best has "
                f"{certificate.max_error:.2g}; allow more with --surrogate-error, or take more --g-points"
            )


def results(config: CharacterizeConfig, table: CellTable, current: Fitted, power: Fitted) -> xr.Dataset:
    """Everything of results.nc."""
    g, vg = table.g_siemens, np.round(table.vg_volt, 9)
    g_off, g_on = 1 / config.cell.r_off_ohm, 1 / config.cell.r_on_ohm
    g_eff = table.current_ampere[0] / table.vin_volt
    tm = tolerance_metric(g_eff, metric=config.range.metric)
    ranges = [linear_range(g, t, tolerance=config.range.tolerance, g_off=g_off, g_on=g_on) for t in tm]
    grid = ("vg", "g", "vin")
    data = {
        "current": variable(grid, table.current_ampere[0], unit="A", long_name="current into the bit line"),
        "input_current": variable(grid, table.input_current_ampere[0], unit="A", long_name="current drawn from the input"),
        "effective_conductance": variable(grid, g_eff, unit="S", long_name="current into the bit line over V_in"),
        "leakage": variable(("vg", "g"), table.leakage_ampere[0], unit="A", long_name="current into the bit line at V_in = 0"),
        "mean_effective_conductance": variable(("vg", "g"), g_eff.mean(axis=-1), unit="S", long_name="mean of G_eff over V_in"),
        "tolerance_metric": variable(("vg", "g"), tm, unit="1", long_name=f"{config.range.metric} of G_eff over V_in"),
        "g_lo": variable(("vg",), [r.g_lo if r else np.nan for r in ranges], unit="S", long_name="linear range, lower edge"),
        "g_cut": variable(("vg",), [r.g_cut if r else np.nan for r in ranges], unit="S", long_name="linear range, upper edge"),
        "g_off": variable((), g_off, unit="S", long_name="conductance of the high-resistance state"),
        "g_on": variable((), g_on, unit="S", long_name="conductance of the low-resistance state"),
        "width": variable((), config.cell.width_m, unit="m", long_name="width of the transistor"),
        "length": variable((), config.cell.length_m, unit="m", long_name="length of the transistor"),
        **surrogate_variables("current", current.fits),
        **surrogate_variables("power", power.fits),
    }  # fmt: skip
    for name, fitted in (("current", current), ("power", power)):
        for kind in ("max_error", "rms_error", "full_scale_error"):
            data[f"{name}_{kind}"] = variable(
                ("vg",), [getattr(c, kind) for c in fitted.certificates], unit="1",
                long_name=f"{kind.replace('_', ' ')} of the {name} surrogate between the grid's points",
            )  # fmt: skip
    coordinates = {
        "vg": variable(("vg",), vg, unit="V", long_name="gate voltage"),
        "g": variable(("g",), g, unit="S", long_name="memristor conductance"),
        "vin": variable(("vin",), table.vin_volt, unit="V", long_name="input voltage"),
    }
    return xr.Dataset(data, coords=coordinates, attrs={"xbar_kind": "cell"})


def draw(config: CharacterizeConfig, run: Run, dataset: xr.Dataset) -> None:
    """The three figures of neat's Section II."""
    cell = config.cell
    caption = (
        f"{cell.card}, W {cell.width_m * 1e9:g} nm, L {cell.length_m * 1e9:g} nm, {cell.temperature_celsius:g} °C, "
        f"R {cell.r_on_ohm / 1e3:g}k…{cell.r_off_ohm / 1e3:g}k, V_in {config.sweep.vin_range}"
    )
    vg, g, vin = (dataset[name].values for name in ("vg", "g", "vin"))
    g_on, g_off = float(dataset["g_on"]), float(dataset["g_off"])
    panels = sorted({0, len(vg) // 3, 2 * len(vg) // 3, len(vg) - 1})
    lines = [int(np.argmin(np.abs(g - want))) for want in np.linspace(g_off, g_on, 6)]
    g_eff = dataset["effective_conductance"].values
    figures.effective_conductance(
        run.figures / "effective_conductance.png", vin=vin, g=g[lines], vg=vg[panels], g_eff=g_eff[panels][:, lines],
        caption=caption,
    )  # fmt: skip
    inside = (g >= g_off / 2) & (g <= 1.05 * g_on)
    figures.tolerance(
        run.figures / "tolerance.png", g=g[inside], vg=vg, tm=dataset["tolerance_metric"].values[:, inside],
        bound=config.range.tolerance, metric=config.range.metric, caption=caption,
    )  # fmt: skip
    figures.linear_range(
        run.figures / "linear_range.png", vg=vg, g_lo=dataset["g_lo"].values, g_cut=dataset["g_cut"].values,
        g_off=g_off, g_on=g_on, caption=f"{caption}; {config.range.metric} ≤ {config.range.tolerance * 100:g} %",
    )  # fmt: skip


def summary(table: CellTable, dataset: xr.Dataset, run: Run) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    return {
        "command": "characterize",
        "vg_volt": dataset["vg"].values.tolist(),
        "g_lo_siemens": finite(dataset["g_lo"].values),
        "g_cut_siemens": finite(dataset["g_cut"].values),
        "surrogate_rank": dataset["current_rank"].values.tolist(),
        "surrogate_max_error": dataset["current_max_error"].values.tolist(),
        "points": int(table.points),
        "points_per_second": table.points / table.seconds,
        "simulator": table.simulator,
        "out": str(run.final),
    }


def finite(values: NDArray[np.float64]) -> list[float | None]:
    """A list with None where a value is not finite."""
    return [float(v) if np.isfinite(v) else None for v in values]
