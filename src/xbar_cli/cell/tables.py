"""Tables of a cell's current: grids from the configuration, ngspice or a cache of its tables, measured files."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.caches import cache_folder
from xbar_cli.cell.measured import read_cell_table
from xbar_cli.config.cell import CellSection
from xbar_cli.config.characterize import CharacterizeConfig, bit_line_voltages
from xbar_cli.config.ranges import gate_voltages, input_voltages
from xbar_cli.data.npz import DAMAGED, read_npz, write_npz
from xbar_cli.reporter import Reporter
from xbar_cli.spice.backends import BackendName, resolve
from xbar_cli.spice.cards import load_card, netlist_folder, size_note
from xbar_cli.spice.netlist import CellCircuit, speed_commands
from xbar_cli.spice.pool import version
from xbar_cli.spice.sweep import CellTable, Grid, sweep_cell

BELOW_OFF, ABOVE_ON = 0.1, 1.75
"""The table spans BELOW_OFF · G_off to ABOVE_ON · G_on, so that varied devices stay on it."""
FORMAT = 1
"""Version of the cache's entries."""


@dataclass(frozen=True)
class Tables:
    """What a characterisation starts from.

    Attributes:
        table: the table.
        fresh: points half-way between its points; None for a measured table.
        cached: whether both came from the cache.
    """

    table: CellTable
    fresh: CellTable | None
    cached: bool


def cell_tables(config: CharacterizeConfig, *, reporter: Reporter) -> Tables:
    """The table that `config` asks for and the points that certify it: measured, cached or simulated."""
    if config.cell.table is not None:
        table, has_zero = read_cell_table(
            Path(config.cell.table), gates=gate_voltages(config.sweep.vg_range), g_off=1 / config.cell.r_off_ohm,
            g_on=1 / config.cell.r_on_ohm, vin_min=config.range.vin_min_volt,
        )  # fmt: skip
        if not has_zero:
            reporter.note("the table has no rows at V = 0: the leakage is taken to be 0 A")
        return Tables(table=table, fresh=None, cached=False)
    cell = circuit_of(config.cell)
    note = size_note(cell.card, width_m=cell.width_m, length_m=cell.length_m)
    if note is not None:
        reporter.note(note)
    reporter.progress("simulate", 0, 2)
    table, first = _table(config, off_grid=False, reporter=reporter)
    reporter.progress("simulate", 1, 2)
    fresh, second = _table(config, off_grid=True, reporter=reporter)
    reporter.progress("simulate", 2, 2)
    return Tables(table=table, fresh=fresh, cached=first and second)


def circuit_of(cell: CellSection) -> CellCircuit:
    """The cell as a circuit. Raises ConfigError where its card is missing or holds what no card may."""
    return CellCircuit(
        card=load_card(cell.card, cell.model, section=cell.section, nominal_values=cell.nominal), width_m=cell.width_m,
        length_m=cell.length_m, topology=cell.topology, temperature_celsius=cell.temperature_celsius,
    )  # fmt: skip


def conductances(config: CharacterizeConfig) -> np.ndarray:
    """The conductances of the simulated table [S]."""
    low, high = BELOW_OFF / config.cell.r_off_ohm, ABOVE_ON / config.cell.r_on_ohm
    space = np.geomspace if config.log_spaced else np.linspace
    return space(low, high, config.sweep.g_points)


def arguments(config: CharacterizeConfig, *, off_grid: bool) -> dict[str, Any]:
    """What `sweep_cell` is to simulate: the configured grid, or the points half-way between its points."""
    sweep = config.sweep
    g, lines = conductances(config), np.array(bit_line_voltages(config))
    start, stop, count = input_voltages(sweep.vin_range)
    if off_grid:
        half = (stop - start) / (count - 1) / 2
        start, stop, count = start + half, stop - half, count - 1
        g = np.sqrt(g[1:] * g[:-1]) if config.log_spaced else (g[1:] + g[:-1]) / 2
        lines = np.array([0.0, *((lines[1:] + lines[:-1]) / 2)])
    return {
        "g_siemens": g,
        "vin": Grid(start, stop, count),
        "vg": Grid(*gate_voltages(sweep.vg_range)),
        "bit_line_volt": tuple(lines.tolist()),
    }


def simulated(config: CharacterizeConfig, asked: dict[str, Any]) -> CellTable:
    """One table from ngspice."""
    sweep, circuit = config.sweep, circuit_of(config.cell)
    return sweep_cell(circuit, jobs=sweep.jobs, timeout_s=sweep.timeout_seconds, backend=sweep.backend, **asked)


def _table(config: CharacterizeConfig, *, off_grid: bool, reporter: Reporter) -> tuple[CellTable, bool]:
    """A table, and whether it came from the cache."""
    asked = arguments(config, off_grid=off_grid)
    if not config.sweep.cache:
        return simulated(config, asked), False
    key = digest(circuit_of(config.cell), asked, simulator=simulator(*resolve(config.sweep.backend)))
    path = cache_folder("cells") / f"{key}.npz"
    found = load_table(path)
    if found is not None:
        return found, True
    table = simulated(config, asked)
    try:
        store_table(path, table)
    except OSError as error:
        reporter.note(f"the table is not kept in the cache {path.parent} ({error.strerror or error})")
    return table, False


@cache
def simulator(backend: BackendName, library: str | None) -> str:
    """The version of the simulator that a backend finds in a library. Raises SpiceError where there is none."""
    del library  # what it finds depends on
    return version(backend=backend)


def digest(cell: CellCircuit, asked: dict[str, Any], *, simulator: str) -> str:
    """A hash of everything that determines a table: card, geometry, grids, netlist, engine options, simulator."""
    netlists = {path.name: path.read_text(encoding="ascii") for path in sorted(netlist_folder().glob("*.cir"))}
    geometry = {f.name: getattr(cell, f.name) for f in fields(CellCircuit) if f.name != "card"}
    plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asked.items()}
    determines = {
        "format": FORMAT,
        "card": cell.card.digest,
        "commands": speed_commands(cell.card),
        "netlists": netlists,
        "simulator": simulator,
        **{name: repr(value) for name, value in (plain | geometry).items()},
    }
    return hashlib.sha256(json.dumps(determines, sort_keys=True).encode()).hexdigest()


def load_table(path: Path) -> CellTable | None:
    """The table at `path`; None where there is none or it is damaged."""
    try:
        arrays: dict[str, Any] = read_npz(path, [f.name for f in fields(CellTable)])
    except DAMAGED:
        return None
    return CellTable(**{name: array if array.ndim else array.item() for name, array in arrays.items()})


def store_table(path: Path, table: CellTable) -> None:
    """Write a table into the cache. Raises OSError where there is no place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_npz(path, vars(table))
