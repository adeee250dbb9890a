"""`xbar characterize array`: a whole 1T-1R array with its wires in ngspice, against the project's own models."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from xbar_cli.array.gated import currents
from xbar_cli.array.nodal import nodal
from xbar_cli.array.wires import Wires
from xbar_cli.cell.figures import caption
from xbar_cli.cell.file import cell_of
from xbar_cli.cell.tables import cell_tables, circuit_of
from xbar_cli.config.characterize import ArrayConfig
from xbar_cli.config.load import write_toml
from xbar_cli.config.ranges import parse_tile
from xbar_cli.device.cell import Cell
from xbar_cli.figures import kinds
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.spice.arraysim import simulate_array
from xbar_cli.spice.pool import workers_kept
from xbar_cli.vectors import Floats, Matrix
from xbar_cli.workflows.characterize import characterised


def run(config: ArrayConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Simulate one random array for random inputs, and compute it with every model; returns the summary.

    Memristor conductances are uniform in [G_off, G_on], inputs uniform in [0, V_dd].
    """
    write_toml(run.path / CONFIG, config)
    with workers_kept():
        tables = cell_tables(config.at_its_gate_voltage(), reporter=reporter)
        found = characterised(config.at_its_gate_voltage(), tables, reporter=reporter)
    tables, fields = found.tables, found.fields()
    cell, asked, wires = cell_of(xr.Dataset(fields)), config.array, config.array.wires()
    rows, cols = parse_tile(asked.size)
    g, v = draws(config, cell, rows, cols)
    r_word, r_bit, r_source, r_neuron = wires.floats()
    reporter.progress("array", 0, 1)
    oracle = simulate_array(
        circuit_of(config.cell), g_siemens=g, v_volt=v, vg_volt=asked.vg_volt,
        timeout_s=config.sweep.timeout_seconds, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron,
    )  # fmt: skip
    reporter.progress("array", 1, 1)
    modelled = models(cell, g, v, wires)
    reference = oracle.current_ampere
    write_dataset(run.path / RESULTS, results(g, v, reference, modelled))
    kinds.differences(
        run.figures / "array.png", reference=reference.ravel() * 1e6,
        models={name: values.ravel() * 1e6 for name, values in modelled.items()},
        x_label="column current in ngspice (µA)", y_label="model − ngspice (% of ngspice)",
        caption=f"{caption(config, fields)}\n{rows}×{cols}, V_g {asked.vg_volt:g} V, {wires}, {asked.inputs} inputs",
    )  # fmt: skip
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, simulator=tables.table.simulator))
    return {
        "command": "characterize array",
        "array": [rows, cols],
        "vg_volt": asked.vg_volt,
        "r_wire_ohm": asked.r_wire_ohm,
        "models": {name: distance(values, reference) for name, values in modelled.items()},
        "oracle_seconds": oracle.seconds_first + (asked.inputs - 1) * oracle.seconds_per_point,
        "oracle_seconds_first_input": oracle.seconds_first,
        "oracle_seconds_per_input": oracle.seconds_per_point,
        "inputs": asked.inputs,
        "simulator": tables.table.simulator,
        "out": str(run.final),
    }


def draws(config: ArrayConfig, cell: Cell, rows: int, cols: int) -> tuple[Matrix, Matrix]:
    """Conductances [rows cols] [S] and inputs [batch rows] [V] of the seed."""
    generator = np.random.default_rng(config.seed)
    g = generator.uniform(cell.g_off, cell.g_on, (rows, cols))
    return g, generator.uniform(0.0, cell.v_max, (config.array.inputs, rows))


def models(cell: Cell, g: Matrix, v: Matrix, wires: Wires) -> dict[str, Matrix]:
    """Column currents [batch cols] [A] of each model.

    `gated`: the surrogate of every cell, ideal wires. `linear`: each cell its mean effective conductance, ideal wires.
    `linear with wires`: the same, with the wires solved exactly.
    """
    mean = cell.effective(0, g, volt=None)
    with jax.enable_x64(True):
        gated = jax.jit(currents)(cell.current[0], jnp.asarray(g), jnp.asarray(v))
        folded = jax.jit(lambda a: nodal(a, wires))(jnp.asarray(mean))
        assert float(folded.residual) < 1e-9
        return {
            "gated": np.asarray(gated), "linear": v @ mean, "linear with wires": v @ np.asarray(folded.g_eff),
        }  # fmt: skip


def distance(found: Floats, reference: Floats) -> dict[str, float]:
    """Distances of column currents: NRMSD = root mean square difference / mean |reference|; largest relative; of full scale.

    The NRMSD over the range of the reference, which some take, is there too.
    """
    difference, size = np.abs(found - reference), np.abs(reference)
    return {
        "nrmsd": float(np.sqrt(np.mean(difference**2)) / size.mean()),
        "nrmsd_of_range": float(np.sqrt(np.mean(difference**2)) / np.ptp(reference)),
        "max_relative_error": float((difference / size).max()),
        "max_full_scale_error": float(difference.max() / size.max()),
    }


def results(g: Matrix, v: Matrix, reference: Matrix, found: dict[str, Matrix]) -> xr.Dataset:
    """What results.nc holds."""
    data = {
        "conductance": variable(("row", "col"), g, unit="S", long_name="memristor conductance"),
        "input": variable(("input_vector", "row"), v, unit="V", long_name="row voltage"),
        "current": variable(("input_vector", "col"), reference, unit="A", long_name="column current in ngspice"),
    }
    for name, values in found.items():
        data[f"current_{name.replace(' ', '_')}"] = variable(
            ("input_vector", "col"), values, unit="A", long_name=f"column current of the model: {name}"
        )
    return xr.Dataset(data)
