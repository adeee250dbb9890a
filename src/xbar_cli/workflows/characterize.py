"""`xbar characterize`: SPICE sweep of a 1T-1R cell, its linear range, its certified surrogate, figures.

What is needed only after the simulation is imported while the simulator's process works; neither JAX nor xarray is.
"""

import importlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.load import write_toml
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.spice.pool import workers_kept
from xbar_cli.workflows.cell_tables import Tables, cell_tables
from xbar_cli.workflows.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from xbar_cli.workflows.cell_results import Fields

LATER = ("cell_results", "cell_figures")
"""The workflows' modules that come after the simulation."""


def run(config: CharacterizeConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Characterise the cell of `config` into `run`; returns the summary."""
    write_toml(run.path / CONFIG, config)
    preparation = threading.Thread(target=prepare, daemon=True)
    preparation.start()
    with workers_kept():
        tables = cell_tables(config, reporter=reporter)
        preparation.join()
        fields = characterised(config, tables, reporter=reporter) | mismatched(config)
    from xbar_cli.runs.results import RESULTS, write_fields
    from xbar_cli.workflows.cell_figures import draw
    from xbar_cli.workflows.cell_results import KIND

    write_fields(run.path / RESULTS, fields, attributes=KIND)
    draw(config, run, fields)
    environment.write(
        run.path / "env.json", environment.describe(seed=config.seed, simulator=tables.table.simulator or None)
    )
    return summary(config, tables, fields, run)


def prepare() -> None:
    """Import what the simulation does not need."""
    for name in LATER:
        importlib.import_module(f"xbar_cli.workflows.{name}")


def characterised(config: CharacterizeConfig, tables: Tables, *, reporter: Reporter = SILENT) -> "Fields":
    """The surrogates and ranges of a table, as results.nc holds them. Raises ModelError where a surrogate is not good enough."""
    from xbar_cli.workflows.cell_results import results
    from xbar_cli.workflows.cell_surrogates import fit, judge

    reporter.progress("fit", 0, 1)
    surrogates = fit(config, tables)
    judge(config, surrogates, tables.table.vg_volt)
    reporter.progress("fit", 1, 1)
    return results(config, tables.table, surrogates)


def mismatched(config: CharacterizeConfig) -> "Fields":
    """The sampled transistors, as results.nc holds them; nothing where none are asked for."""
    from xbar_cli.workflows.cell_mismatch import mismatch
    from xbar_cli.workflows.cell_results import mismatch_fields

    found = mismatch(config)
    return {} if found is None else mismatch_fields(found)


def summary(config: CharacterizeConfig, tables: Tables, fields: "Fields", run: Run) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    table = tables.table

    def listed(name: str) -> list[Any]:
        return finite(fields[name].values)

    found = {
        "command": "characterize",
        "vg_volt": listed("vg"),
        "g_lo_siemens": listed("g_lo"),
        "g_cut_siemens": listed("g_cut"),
        "w_cut_over_w_max": listed("w_cut_over_w_max"),
        "surrogate_rank": fields["current_rank"].values.tolist(),
        "surrogate_max_error": listed("current_max_error"),
        "surrogate_rms_error": listed("current_rms_error"),
        "surrogate_full_scale_error": listed("current_full_scale_error"),
    }
    if "bit_line_rank" in fields:
        found["bit_line_volt_max"] = float(fields["line_max"].values)
        found["bit_line_rank"] = fields["bit_line_rank"].values.tolist()
        for kind in ("max_error", "rms_error", "full_scale_error"):
            found[f"bit_line_{kind}"] = listed(f"bit_line_{kind}")
    if config.range.vdd:
        found |= {
            "vdd_volt": listed("vdd"),
            "supply_g_lo_siemens": listed("supply_g_lo"),
            "supply_g_cut_siemens": listed("supply_g_cut"),
        }
    if config.range.leakage_limit_ampere is not None:
        cut = fields["leakage_g_cut"].values
        found |= {
            "line_leakage_ampere": listed("line_leakage"),
            "leakage_g_lo_siemens": listed("leakage_g_lo"),
            "leakage_g_cut_siemens": listed("leakage_g_cut"),
            "leakage_vg_volt": fields["vg"].values[np.isfinite(cut)].tolist(),
        }
    if "vth_shift" in fields:
        found |= mismatch_summary(fields)
    return found | {
        "points": int(table.points),
        "points_per_second": table.points / table.seconds if table.seconds > 0 else None,
        "cached": tables.cached,
        "simulator": table.simulator or None,
        "out": str(run.final),
    }


def mismatch_summary(fields: "Fields") -> dict[str, Any]:
    """Spread of G_eff at G_off and G_on, and of G_cut, over the sampled transistors."""
    g, g_eff = fields["mismatch_g"].values, fields["mismatch_g_eff"].values
    relative = {}
    for name in ("g_off", "g_on"):
        at = np.apply_along_axis(lambda row, x=float(fields[name].values): np.interp(x, g, row), -1, g_eff)
        relative[f"mismatch_g_eff_at_{name}_relative_std"] = finite(at.std(axis=1, ddof=1) / at.mean(axis=1))
    cut = fields["mismatch_g_cut"].values
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
