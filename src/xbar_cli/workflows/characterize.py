"""`xbar characterize`: SPICE sweep of a 1T-1R cell, its linear range, its certified surrogate, figures."""

import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.load import write_toml
from xbar_cli.device.bit_line import LineFit, LineSamples, choose_line
from xbar_cli.device.linear_range import tolerance_metric
from xbar_cli.device.surrogate import Certificate, Fit, Knots, Samples, choose_surrogate
from xbar_cli.errors import ModelError
from xbar_cli.mapping.window import cell_window
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, variable, warm_up, write_dataset
from xbar_cli.spice.sweep import CellTable
from xbar_cli.workflows.cell_mismatch import Mismatch, mismatch
from xbar_cli.workflows.cell_range import effective_conductance, leakage_ranges, ranges, supply_ranges
from xbar_cli.workflows.cell_tables import Tables, cell_tables
from xbar_cli.workflows.cells import cell_of, domain_variables, surrogate_variables
from xbar_cli.workflows.reporter import SILENT, Reporter

POWER_ERROR = 1e-2
"""Relative error asked of the power surrogate: energy constants are known far worse than that."""


@dataclass(frozen=True)
class Fitted:
    """One quantity's surrogates at every gate voltage, with their certificates."""

    fits: Sequence[Fit | LineFit]
    certificates: list[Certificate]


@dataclass(frozen=True)
class Surrogates:
    """All surrogates of a cell: current into a bit line at 0 V, power, current into a bit line at any voltage."""

    current: Fitted
    power: Fitted
    bit_line: Fitted | None


DRAWING = "xbar_cli.workflows.cell_figures"
"""Imported late: matplotlib is not needed before the simulation has ended."""


def run(config: CharacterizeConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Characterise the cell of `config` into `run`; returns the summary."""
    write_toml(run.path / CONFIG, config)
    preparation = threading.Thread(target=prepare, daemon=True)
    preparation.start()
    tables = cell_tables(config, reporter=reporter)
    preparation.join()
    dataset = characterised(config, tables, reporter=reporter)
    found = mismatch(config)
    if found is not None:
        dataset = dataset.merge(mismatch_results(found))
    write_dataset(run.path / RESULTS, dataset)
    importlib.import_module(DRAWING).draw(config, run, dataset)
    environment.write(
        run.path / "env.json", environment.describe(seed=config.seed, simulator=tables.table.simulator or None)
    )
    return summary(config, tables, dataset, run)


def prepare() -> None:
    """Import, while the simulator's process works, what is needed only after it: two seconds of the whole command."""
    warm_up()
    importlib.import_module(DRAWING)


def characterised(config: CharacterizeConfig, tables: Tables, *, reporter: Reporter = SILENT) -> xr.Dataset:
    """The surrogates and ranges of a table, as results.nc holds them. Raises ModelError where a surrogate is not good enough."""
    reporter.progress("fit", 0, 1)
    surrogates = fit(config, tables)
    judge(config, surrogates, tables.table.vg_volt)
    reporter.progress("fit", 1, 1)
    return results(config, tables.table, surrogates)


def fit(config: CharacterizeConfig, tables: Tables) -> Surrogates:
    """Every surrogate of the smallest rank that reaches its error."""
    error, max_rank = config.surrogate.error, config.surrogate.max_rank
    table, fresh = tables.table, tables.fresh
    knots = surrogate_knots(config, table)

    def plain(samples: Any, error: float) -> Fitted:
        pairs = [
            choose_surrogate(samples(config, table, i, knots), samples(config, fresh, i, knots) if fresh else None,
                             error=error, max_rank=max_rank)
            for i in range(table.vg_volt.size)
        ]  # fmt: skip
        return Fitted([pair[0] for pair in pairs], [pair[1] for pair in pairs])

    line = None
    if fresh is not None and table.bit_line_volt.size > 1:
        pairs = [
            choose_line(line_samples(config, table, i, knots), line_samples(config, fresh, i, knots),
                        error=error, max_rank=max_rank)
            for i in range(table.vg_volt.size)
        ]  # fmt: skip
        line = Fitted([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return Surrogates(current=plain(current_samples, error), power=plain(power_samples, POWER_ERROR), bit_line=line)


def surrogate_knots(config: CharacterizeConfig, table: CellTable) -> Knots:
    """The knots of the surrogate's cubics: the simulated conductances, or as many as `g_points`, evenly over measured ones."""
    log_g, g = config.sweep.g_spacing == "log", table.g_siemens
    if config.cell.table is None:
        return Knots(g, log_g)
    return Knots((np.geomspace if log_g else np.linspace)(g[0], g[-1], max(config.sweep.g_points, 4 * g.size)), log_g)


def current_samples(config: CharacterizeConfig, table: CellTable, index: int, knots: Knots) -> Samples:
    """The current into a bit line at 0 V [A], at one gate voltage."""
    return Samples(
        g=table.g_siemens, v=table.vin_volt, value=table.plain_current[index], value_at_zero=table.plain_leakage[index],
        v_floor=config.range.vin_min_volt, knots=knots,
    )  # fmt: skip


def power_samples(config: CharacterizeConfig, table: CellTable, index: int, knots: Knots) -> Samples:
    """The power drawn from input and gate [W]: V_in I_in + V_g I_g, I_g what leaves the cell and did not enter at the input."""
    at, vg, vin = table.grounded, table.vg_volt[index], table.vin_volt
    out, into = table.current_ampere[at, index], table.input_current_ampere[at, index]
    gate_at_zero = table.leakage_ampere[at, index] - table.input_leakage_ampere[at, index]
    return Samples(
        g=table.g_siemens, v=vin, value=vin * into + vg * (out - into), value_at_zero=vg * gate_at_zero,
        v_floor=config.range.vin_min_volt, knots=knots,
    )  # fmt: skip


def line_samples(config: CharacterizeConfig, table: CellTable, index: int, knots: Knots) -> LineSamples:
    """The current into a bit line at any of its voltages [A], at one gate voltage."""
    return LineSamples(
        u=table.bit_line_volt, g=table.g_siemens, v=table.vin_volt, value=table.current_ampere[:, index],
        at_rest=table.rest_ampere[:, index], v_floor=config.range.vin_min_volt, knots=knots,
    )  # fmt: skip


def judge(config: CharacterizeConfig, surrogates: Surrogates, vg: NDArray[np.float64]) -> None:
    """Raise ModelError where a surrogate of the current misses its target."""
    wanted, more = (
        config.surrogate,
        "measured points" if config.cell.table is not None else "--g-points, or --g-spacing log",
    )
    judged = (
        (surrogates.current, "", wanted.error, "--surrogate-error"),
        (surrogates.bit_line, " with the bit line's voltage (--vbl)", wanted.line_error, "--set surrogate.line_error"),
    )
    for fitted, of, error, option in judged:
        for gate, certificate in zip(vg, fitted.certificates, strict=True) if fitted else ():
            if not certificate.max_error <= error:
                raise ModelError(
                    f"no surrogate{of} of rank up to {wanted.max_rank} reaches error {error:g} at V_g {gate:g} V: the best "
                    f"has {certificate.max_error:.2g}; allow more with {option}, or take more {more}"
                )


def results(config: CharacterizeConfig, table: CellTable, surrogates: Surrogates) -> xr.Dataset:
    """Everything of results.nc but the mismatch."""
    g, vg = table.g_siemens, np.round(table.vg_volt, 9)
    g_off, g_on = 1 / config.cell.r_off_ohm, 1 / config.cell.r_on_ohm
    bounds = config.range
    vin_used, g_eff = effective_conductance(table, bounds.vin_min_volt)
    tm = tolerance_metric(g_eff, metric=bounds.metric)
    linear = ranges(g, tm, tolerance=bounds.tolerance, g_off=g_off, g_on=g_on)
    second = ranges(g, tm, tolerance=bounds.second_tolerance, g_off=g_off, g_on=g_on)
    at, grid = table.grounded, ("vg", "g", "vin")
    data = {
        "current": variable(grid, table.plain_current, unit="A", long_name="current into the bit line"),
        "input_current": variable(grid, table.input_current_ampere[at], unit="A", long_name="current drawn from the input"),
        "effective_conductance": variable(("vg", "g", "vin_used"), g_eff, unit="S", long_name="bit-line current over V_in"),
        "leakage": variable(("vg", "g"), table.plain_leakage, unit="A", long_name="current into the bit line at V_in = 0"),
        "mean_effective_conductance": variable(("vg", "g"), g_eff.mean(axis=-1), unit="S", long_name="mean of G_eff over V_in"),
        "tolerance_metric": variable(("vg", "g"), tm, unit="1", long_name=f"{bounds.metric} of G_eff over V_in"),
        "g_lo": variable(("vg",), linear.g_lo, unit="S", long_name="lower edge of the linear range"),
        "g_cut": variable(("vg",), linear.g_cut, unit="S", long_name="upper edge of the linear range"),
        "g_cut_second": variable(("vg",), second.g_cut, unit="S", long_name="upper edge at the second tolerance"),
        "g_off": variable((), g_off, unit="S", long_name="conductance of the high-resistance state"),
        "g_on": variable((), g_on, unit="S", long_name="conductance of the low-resistance state"),
        "vin_min": variable((), bounds.vin_min_volt, unit="V", long_name="least |V_in| at which G_eff is read"),
        "width": variable((), config.cell.width_m, unit="m", long_name="width of the transistor"),
        "length": variable((), config.cell.length_m, unit="m", long_name="length of the transistor"),
    }  # fmt: skip
    coordinates = {
        "vg": variable(("vg",), vg, unit="V", long_name="gate voltage"),
        "g": variable(("g",), g, unit="S", long_name="memristor conductance"),
        "vin": variable(("vin",), table.vin_volt, unit="V", long_name="input voltage"),
        "vin_used": variable(("vin_used",), vin_used, unit="V", long_name="input voltages at which G_eff is read"),
    }
    if bounds.vdd:
        volts, found, metrics = supply_ranges(config, table)
        coordinates["vdd"] = variable(("vdd",), volts, unit="V", long_name="supply voltage")
        by_supply = ("vdd", "vg")
        data["supply_tolerance_metric"] = variable((*by_supply, "g"), metrics, unit="1", long_name="metric up to V_dd")
        data["supply_g_lo"] = variable(by_supply, [r.g_lo for r in found], unit="S", long_name="lower edge up to V_dd")
        data["supply_g_cut"] = variable(
            by_supply, [r.g_cut for r in found], unit="S", long_name="upper edge up to V_dd"
        )
    if bounds.leakage_limit_ampere is not None:
        left, worst = leakage_ranges(config, table, linear)
        data["line_leakage"] = variable(("vg",), worst, unit="A", long_name="largest current of a bit line at V_in = 0")
        data["leakage_g_lo"] = variable(("vg",), left.g_lo, unit="S", long_name="lower edge within the leakage limit")
        data["leakage_g_cut"] = variable(("vg",), left.g_cut, unit="S", long_name="upper edge within the leakage limit")
    dataset = xr.Dataset(data | surrogate_results(surrogates), coords=coordinates, attrs={"xbar_kind": "cell"})
    cell = cell_of(dataset)
    cut = [cell_window(cell, vg=float(gate), w_max=1.0).w_cut for gate in vg]
    usable = [cell.has_range(i) and cell.has_range(len(vg) - 1) for i in range(len(vg))]
    dataset["w_cut_over_w_max"] = variable(
        ("vg",), np.where(usable, cut, np.nan), unit="1", long_name="largest weight inside the linear range"
    )
    return dataset


def surrogate_results(surrogates: Surrogates) -> dict[str, xr.Variable]:
    """Coefficients and certificates of every surrogate."""
    named = {"current": surrogates.current, "power": surrogates.power, "bit_line": surrogates.bit_line}
    line = surrogates.bit_line.fits[0] if surrogates.bit_line else None
    first = surrogates.current.fits[0]
    assert isinstance(first, Fit)
    assert line is None or isinstance(line, LineFit)
    data = domain_variables(first, line)
    for name, fitted in named.items():
        if fitted is None:
            continue
        data |= surrogate_variables(name, fitted.fits)
        for kind in ("max_error", "rms_error", "full_scale_error"):
            data[f"{name}_{kind}"] = variable(
                ("vg",), [getattr(c, kind) for c in fitted.certificates], unit="1",
                long_name=f"{kind.replace('_', ' ')} of the {name} surrogate between the grid's points",
            )  # fmt: skip
    return data


def mismatch_results(found: Mismatch) -> xr.Dataset:
    """The sampled transistors, as results.nc holds them."""
    by_sample = ("vg", "sample")
    data = {
        "vth_shift": variable(("sample",), found.shift, unit="V", long_name="shift of the threshold voltage"),
        "mismatch_g": variable(
            ("mismatch_point",), found.g, unit="S", long_name="memristor conductance of the samples"
        ),
        "mismatch_g_eff": variable(
            (*by_sample, "mismatch_point"), found.g_eff, unit="S", long_name="mean effective conductance of the samples"
        ),
        "mismatch_g_lo": variable(by_sample, found.g_lo, unit="S", long_name="lower edge of each sample's range"),
        "mismatch_g_cut": variable(by_sample, found.g_cut, unit="S", long_name="upper edge of each sample's range"),
    }
    return xr.Dataset(data)


def summary(config: CharacterizeConfig, tables: Tables, dataset: xr.Dataset, run: Run) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    table = tables.table

    def listed(name: str) -> list[Any]:
        return finite(dataset[name].values)

    found = {
        "command": "characterize",
        "vg_volt": listed("vg"),
        "g_lo_siemens": listed("g_lo"),
        "g_cut_siemens": listed("g_cut"),
        "w_cut_over_w_max": listed("w_cut_over_w_max"),
        "surrogate_rank": dataset["current_rank"].values.tolist(),
        "surrogate_max_error": listed("current_max_error"),
        "surrogate_rms_error": listed("current_rms_error"),
        "surrogate_full_scale_error": listed("current_full_scale_error"),
    }
    if "bit_line_rank" in dataset:
        found["bit_line_volt_max"] = float(dataset["line_max"])
        found["bit_line_rank"] = dataset["bit_line_rank"].values.tolist()
        for kind in ("max_error", "rms_error", "full_scale_error"):
            found[f"bit_line_{kind}"] = listed(f"bit_line_{kind}")
    if config.range.vdd:
        found |= {
            "vdd_volt": listed("vdd"),
            "supply_g_lo_siemens": listed("supply_g_lo"),
            "supply_g_cut_siemens": listed("supply_g_cut"),
        }
    if config.range.leakage_limit_ampere is not None:
        cut = dataset["leakage_g_cut"].values
        found |= {
            "line_leakage_ampere": listed("line_leakage"),
            "leakage_g_lo_siemens": listed("leakage_g_lo"),
            "leakage_g_cut_siemens": listed("leakage_g_cut"),
            "leakage_vg_volt": dataset["vg"].values[np.isfinite(cut)].tolist(),
        }
    if "vth_shift" in dataset:
        found |= mismatch_summary(dataset)
    return found | {
        "points": int(table.points),
        "points_per_second": table.points / table.seconds if table.seconds > 0 else None,
        "cached": tables.cached,
        "simulator": table.simulator or None,
        "out": str(run.final),
    }


def mismatch_summary(dataset: xr.Dataset) -> dict[str, Any]:
    """Spread of G_eff at G_off and G_on, and of G_cut, over the sampled transistors."""
    g, g_eff = dataset["mismatch_g"].values, dataset["mismatch_g_eff"].values
    relative = {}
    for name in ("g_off", "g_on"):
        at = np.apply_along_axis(lambda row, x=float(dataset[name]): np.interp(x, g, row), -1, g_eff)
        relative[f"mismatch_g_eff_at_{name}_relative_std"] = finite(at.std(axis=1, ddof=1) / at.mean(axis=1))
    cut = dataset["mismatch_g_cut"].values
    kept = [row[np.isfinite(row)] for row in cut]
    return relative | {
        "mismatch_g_cut_mean_siemens": [float(row.mean()) if row.size else None for row in kept],
        "mismatch_g_cut_std_siemens": [float(row.std(ddof=1)) if row.size > 1 else None for row in kept],
        "mismatch_with_range": [row.size / cut.shape[1] for row in kept],
        "mismatch_samples": cut.shape[1],
    }


def finite(values: NDArray[np.float64]) -> list[Any]:
    """A list, nested as `values`, with None where a value is not finite."""
    if values.ndim > 1:
        return [finite(row) for row in values]
    return [float(v) if np.isfinite(v) else None for v in values]
