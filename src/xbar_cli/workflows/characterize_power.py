"""`xbar characterize power`: Monte Carlo of the power per synapse against gate voltage (neat, II-A, Fig. 2)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from xbar_cli.cell.figures import caption
from xbar_cli.cell.file import cell_of
from xbar_cli.cell.surrogates import power_samples, surrogate_knots
from xbar_cli.cell.tables import cell_tables
from xbar_cli.config.characterize import PowerConfig, weight_distribution
from xbar_cli.config.load import write_toml
from xbar_cli.config.ranges import parse_tile
from xbar_cli.device.cell import Cell
from xbar_cli.device.surrogate import Samples
from xbar_cli.figures import kinds
from xbar_cli.mapping.window import cell_window, program
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.spice.pool import workers_kept
from xbar_cli.statistics import Estimate, estimate
from xbar_cli.workflows.characterize import Attempt, characterised


def run(config: PowerConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Characterise the cell, draw arrays and inputs, and average their power; returns the summary, null where V_g is marked.

    A synapse is one 1T-1R cell. Its weight's magnitude is mapped to the effective conductance as everywhere
    (`mapping.window`), its input is uniform over the table's V_in (0 V included), its power is V_in I_in + V_g I_g. All gate
    voltages see the same weights and inputs. Open in the paper, so named here: the distribution's parameters, the weight
    at the top of the scale (|MU| + 3 SIGMA), ideal wires.
    """
    write_toml(run.path / CONFIG, config)
    with workers_kept():
        found = characterised(config, cell_tables(config, reporter=reporter), reporter=reporter)
    fields, simulator = found.fields(), found.tables.table.simulator
    cell = cell_of(xr.Dataset(fields))
    samples = sampled(config, found, cell, reporter=reporter)
    powers = [None if k in cell.marked else estimate(samples[k].tolist()) for k in range(len(cell.vg))]
    write_dataset(run.path / RESULTS, results(cell, samples))
    draw(config, run, cell, powers, of_cell=caption(config, fields))
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, simulator=simulator or None))
    return {
        "command": "characterize power",
        "vg_volt": cell.vg.tolist(),
        "power_per_synapse_watt": [power and power.mean for power in powers],
        "power_std_watt": [power and power.std for power in powers],
        "power_ci95_watt": [power and list(power.ci95 or ()) for power in powers],
        "array": list(parse_tile(config.power.array)),
        "weights": config.power.weights,
        "w_max": top_weight(config),
        "samples": config.power.samples,
        "cached": found.tables.cached,
        "out": str(run.final),
    }


def sampled(config: PowerConfig, found: Attempt, cell: Cell, *, reporter: Reporter) -> NDArray[np.float64]:
    """Mean power of the synapses of each array [vg sample] [W], NaN where V_g is marked."""
    table, (rows, cols) = found.tables.table, parse_tile(config.power.array)
    weights, inputs = draws(config, rows, cols, low=min(0.0, float(table.vin_volt[0])), high=float(table.vin_volt[-1]))
    knots = surrogate_knots(found.config, table)
    samples = np.full((len(cell.vg), config.power.samples), np.nan)
    for index, vg in enumerate(cell.vg):
        if index in cell.marked:
            continue
        g = programmed(config, cell, weights, vg=float(vg))
        power = interpolated(power_samples(config, table, index, knots))
        samples[index] = power.ev(g, np.broadcast_to(inputs[:, :, None], g.shape)).mean(axis=(1, 2))
        reporter.progress("power", index + 1, len(cell.vg))
    return samples


def interpolated(known: Samples) -> RectBivariateSpline:
    """The power of a cell [W] over memristor conductance [S] and input [V], its points at 0 V with it."""
    volts = np.append(known.v, 0.0)
    order = np.argsort(volts)
    value = np.column_stack([known.value, known.value_at_zero])[:, order]
    volts, first = np.unique(volts[order], return_index=True)
    return RectBivariateSpline(known.g, volts, value[:, first])


def draw(config: PowerConfig, run: Run, cell: Cell, powers: Sequence[Estimate | None], *, of_cell: str) -> None:
    """The figure: mean power against gate voltage."""
    shown = [(vg, power.mean, power.ci95) for vg, power in zip(cell.vg, powers, strict=True) if power is not None]
    vg, mean, intervals = ([one[k] for one in shown] for k in range(3))
    low, high = np.array(intervals, dtype=np.float64).T * 1e6
    rows, cols = parse_tile(config.power.array)
    distribution = f"weights {config.power.weights}, {config.power.samples} arrays {rows}×{cols}, inputs uniform"
    kinds.estimates(
        run.figures / "power.png", x=np.array(vg), mean=np.array(mean) * 1e6, low=low, high=high,
        x_label=r"gate voltage $V_\mathrm{g}$ (V)", y_label="mean power per synapse (µW)",
        label="mean and its 95 % confidence interval",
        caption=f"{of_cell}\n{distribution}",
    )  # fmt: skip


def draws(config: PowerConfig, rows: int, cols: int, *, low: float, high: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights [sample rows cols] and inputs [sample rows] [V]: sample i depends on (seed, i) alone."""
    mean, sigma = weight_distribution(config.power.weights)
    generators = [np.random.default_rng((config.seed, i)) for i in range(config.power.samples)]
    weights = np.stack([generator.normal(mean, sigma, (rows, cols)) for generator in generators])
    return weights, np.stack([generator.uniform(low, high, rows) for generator in generators])


def top_weight(config: PowerConfig) -> float:
    """The |weight| at the top of the scale."""
    mean, sigma = weight_distribution(config.power.weights)
    return config.power.w_max if config.power.w_max is not None else abs(mean) + 3 * sigma


def programmed(config: PowerConfig, cell: Cell, weights: NDArray[Any], *, vg: float) -> NDArray[Any]:
    """Memristor conductances of the weights [S]."""
    window = cell_window(cell, vg=vg, w_max=top_weight(config), volt=None)
    wanted = window.bottom + np.abs(weights) * window.slope
    return program(cell, wanted, vg=vg, target="effective", volt=None).g


def results(cell: Cell, samples: NDArray[Any]) -> xr.Dataset:
    """What results.nc holds."""
    data = {"power": variable(("vg", "sample"), samples, unit="W", long_name="mean power per synapse of each array")}
    return xr.Dataset(data, coords={"vg": variable(("vg",), cell.vg, unit="V", long_name="gate voltage")})
