"""`xbar characterize`: SPICE sweep of a 1T-1R cell, its linear range, its certified surrogate, figures.

What is needed only after the simulation is imported while the simulator's process works; neither JAX nor xarray is.
"""

import importlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.cell.tables import Tables, cell_tables
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.load import write_toml
from xbar_cli.errors import ModelError
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.spice.pool import workers_kept

if TYPE_CHECKING:
    from xbar_cli.cell.results import Fields
    from xbar_cli.cell.surrogates import Miss, Surrogates

LATER = ("results", "figures")
"""The modules of `cell` that come after the simulation."""
LISTED = {"vg_volt": "vg", "g_lo_siemens": "g_lo", "g_cut_siemens": "g_cut", "w_cut_over_w_max": "w_cut_over_w_max"}
SUPPLY = {"vdd_volt": "vdd", "supply_g_lo_siemens": "supply_g_lo", "supply_g_cut_siemens": "supply_g_cut"}
LEAKAGE = {
    "line_leakage_ampere": "line_leakage", "leakage_g_lo_siemens": "leakage_g_lo", "leakage_g_cut_siemens": "leakage_g_cut",
}  # fmt: skip
"""Keys of the summary, and the fields of results.nc that they list."""


@dataclass(frozen=True)
class Attempt:
    """A table, at every gate voltage the best surrogate that was found, and where that is not good enough (`missed`)."""

    config: CharacterizeConfig
    tables: Tables
    surrogates: "Surrogates"
    missed: "list[Miss]"

    def fields(self) -> "Fields":
        """Ranges and surrogates, as results.nc holds them."""
        from xbar_cli.cell.results import results

        return results(self.config, self.tables.table, self.surrogates, [miss.index for miss in self.missed])


def run(config: CharacterizeConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Characterise the cell of `config` into `run`; returns the summary."""
    preparation = threading.Thread(target=prepare, daemon=True)
    preparation.start()
    with workers_kept():
        tables = cell_tables(config, reporter=reporter)
        preparation.join()
        found = characterised(config, tables, reporter=reporter)
        config, tables = found.config, found.tables
        fields = found.fields() | mismatched(config)
    write_toml(run.path / CONFIG, config)
    from xbar_cli.cell.figures import draw
    from xbar_cli.cell.results import KIND
    from xbar_cli.runs.results import RESULTS, write_fields

    write_fields(run.path / RESULTS, fields, attributes=KIND)
    draw(config, run, fields)
    environment.write(
        run.path / "env.json", environment.describe(seed=config.seed, simulator=tables.table.simulator or None)
    )
    return summary(config, tables, fields, run)


def prepare() -> None:
    """Import what the simulation does not need."""
    for name in LATER:
        importlib.import_module(f"xbar_cli.cell.{name}")


def characterised(config: CharacterizeConfig, tables: Tables, *, reporter: Reporter = SILENT) -> Attempt:
    """The surrogates of a table, on evenly spaced logarithms of the conductance where even spacing serves fewer gate voltages.

    Close to its threshold the transistor bends the current at small conductances, where even spacing has few points.
    ModelError where no gate voltage has a surrogate that is good enough.
    """
    found = attempt(config, tables, reporter=reporter)
    if found.missed and config.cell.table is None and config.sweep.g_spacing is None and not config.log_spaced:
        spaced = config.model_copy(update={"sweep": config.sweep.model_copy(update={"g_spacing": "log"})})
        other = attempt(spaced, cell_tables(spaced, reporter=reporter), reporter=reporter)
        if len(other.missed) < len(found.missed):
            gates = ", ".join(f"{miss.vg:g}" for miss in found.missed)
            reporter.note(
                f"conductances are spaced by their logarithms (sweep.g_spacing = log): V_g {gates} V needs them"
            )
            found = other
    if len(found.missed) == found.tables.table.vg_volt.size:
        raise ModelError(found.missed[0].describe(found.config))
    for miss in found.missed:
        reporter.note(
            f"{miss.describe(found.config)}. V_g {miss.vg:g} V is marked: no array takes it; the others and all ranges stand"
        )
    return found


def attempt(config: CharacterizeConfig, tables: Tables, *, reporter: Reporter) -> Attempt:
    """The surrogates of a table, and where they are not good enough."""
    from xbar_cli.cell.surrogates import fit, misses

    reporter.progress("fit", 0, 1)
    surrogates = fit(config, tables)
    reporter.progress("fit", 1, 1)
    return Attempt(config, tables, surrogates, misses(config, surrogates, tables.table.vg_volt))


def mismatched(config: CharacterizeConfig) -> "Fields":
    """The sampled transistors, as results.nc holds them; nothing where none are asked for."""
    from xbar_cli.cell.mismatch import mismatch
    from xbar_cli.cell.results import mismatch_fields

    found = mismatch(config)
    return {} if found is None else mismatch_fields(found)


def summary(config: CharacterizeConfig, tables: Tables, fields: "Fields", run: Run) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    table = tables.table
    found = {"command": "characterize"}
    found |= {key: finite(fields[name].values) for key, name in LISTED.items()} | surrogate_summary(fields)
    if config.range.vdd:
        found |= {key: finite(fields[name].values) for key, name in SUPPLY.items()}
    if config.range.leakage_limit_ampere is not None:
        found |= {key: finite(fields[name].values) for key, name in LEAKAGE.items()}
        found["leakage_vg_volt"] = fields["vg"].values[np.isfinite(fields["leakage_g_cut"].values)].tolist()
    if "vth_shift" in fields:
        found |= mismatch_summary(fields)
    return found | {
        "points": int(table.points),
        "points_per_second": table.points / table.seconds if table.seconds > 0 else None,
        "cached": tables.cached,
        "simulator": table.simulator or None,
        "out": str(run.final),
    }


def surrogate_summary(fields: "Fields") -> dict[str, Any]:
    """Ranks and errors of the surrogates, null at marked gate voltages."""
    fits = fields["surrogate_fits"].values == 1

    def figures(name: str, quantity: str) -> dict[str, list[Any]]:
        return {
            f"{name}_{figure}": [
                value if fit else None
                for value, fit in zip(fields[f"{quantity}_{figure}"].values.tolist(), fits, strict=True)
            ]
            for figure in ("rank", "max_error", "rms_error", "full_scale_error")
        }

    found = figures("surrogate", "current") | {"without_surrogate_vg_volt": fields["vg"].values[~fits].tolist()}
    if "bit_line_rank" in fields:
        found |= {"bit_line_volt_max": float(fields["line_max"].values), **figures("bit_line", "bit_line")}
    return found


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
