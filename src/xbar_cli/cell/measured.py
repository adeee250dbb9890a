"""Tables of measured currents: a CSV file with the columns G [S], V [V], I [A] and perhaps V_g [V]."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar_cli.errors import ConfigError
from xbar_cli.outside import at_home, quoted, read_text
from xbar_cli.spice.sweep import CellTable
from xbar_cli.tables import check_point, header_cells, row_cells

COLUMNS = ("g", "v", "i")
LARGEST = {"g": 1e6, "v": 1e6, "i": 1e9, "v_g": 1e6}
"""Of each column, whatever its sign and unit: what is more is no measurement, and squares of it end in single precision."""
LEAST = 8
"""Fewest conductances, and fewest voltages that are not 0."""
MOST, FEWEST = 10.0, 1 / 500
"""Of G V, what a current may be: a memristor in series lets no more than G V through (what leaks besides is small at the largest
G and V), and below the other at the smallest G the transistor hides the memristor: none of its states could be told."""
Key = tuple[float, float, float]


def read_cell_table(
    path: Path, *, gates: tuple[float, float, int], g_off: float, g_on: float, vin_min: float
) -> tuple[CellTable, bool]:
    """The measured table in `path`, and whether it has rows at V = 0 (the leakage; else that is 0 A).

    Every conductance must stand there with every voltage at every gate voltage, in any order; `#` starts a comment.

    Args:
        path: the CSV file.
        gates: start, stop and count of the gate voltage, used where there is no column V_g: one voltage.
        g_off: smallest conductance that the table must reach [S].
        g_on: largest conductance that the table must reach [S].
        vin_min: least |V| at which I / V is read [V]; LEAST voltages must be there.

    Raises:
        ConfigError: not readable, or not such a table; the message names file and line.
    """
    rows = _rows(path, gates)
    vg, g, v = (np.array(sorted({key[axis] for key in rows})) for axis in range(3))
    for gate in vg:
        for conductance in g:
            for volt in v:
                if (gate, conductance, volt) not in rows:
                    raise ConfigError(
                        f"{path}: no row for G = {conductance:g} S, V = {volt:g} V at V_g = {gate:g} V; every G needs every V"
                    )
    usable = int(np.sum(np.abs(v) >= vin_min * (1 - 1e-9)))
    if g.size < LEAST or usable < LEAST or not v[-1] > 0:
        raise ConfigError(
            f"{path}: {g.size} conductances and {usable} voltages of at least {vin_min:g} V; {LEAST} of each are needed, "
            "some of them above 0 V"
        )
    if g[0] > g_off * (1 + 1e-6) or g[-1] < g_on * (1 - 1e-6):
        raise ConfigError(
            f"{path}: G spans {g[0]:.4g} to {g[-1]:.4g} S, and G_off = {g_off:.4g} S to G_on = {g_on:.4g} S is outside; "
            "set cell.r_off_ohm and cell.r_on_ohm"
        )
    current = np.array([[[rows[gate, c, volt][0] for volt in v] for c in g] for gate in vg])[None]
    _plausible(path, vg, g, v, current[0])
    has_zero = bool(np.any(v == 0))
    leakage = current[..., v == 0][..., 0] if has_zero else np.zeros(current.shape[:-1])
    current = np.ascontiguousarray(current[..., v != 0])
    table = CellTable(
        g_siemens=g, vin_volt=v[v != 0], vg_volt=vg, bit_line_volt=np.zeros(1), current_ampere=current,
        input_current_ampere=current, leakage_ampere=leakage, input_leakage_ampere=leakage, rest_ampere=leakage,
        seconds=0.0, points=len(rows), simulator="",
    )  # fmt: skip
    return table, has_zero


def _plausible(
    path: Path, vg: NDArray[np.float64], g: NDArray[np.float64], v: NDArray[np.float64], current: NDArray[np.float64]
) -> None:
    """Refuse currents `[vg g v]` whose sign or size is none of a memristor with a transistor: units slip easily."""
    tops = [-1] if v[0] >= 0 else [0, -1]
    for gate, at in zip(vg, current[:, -1], strict=True):
        for k in tops:
            share = at[k] / (g[-1] * v[k])
            row = f"G = {g[-1]:g} S, V = {v[k]:g} V, I = {at[k]:g} A at V_g = {gate:g} V"
            if share < -FEWEST:
                raise ConfigError(f"{path}: {row}: I must have the sign of V, into the bit line")
            if share > MOST:
                raise ConfigError(
                    f"{path}: {row} is {share:.3g} times G·V, which a memristor does not let through: G, V and I must be in "
                    "S, V and A"
                )
    dark = np.argwhere((current[:, :, v != 0] == 0).all(axis=-1))
    if dark.size:
        gate, conductance = vg[dark[0, 0]], g[dark[0, 1]]
        raise ConfigError(
            f"{path}: every I at G = {conductance:g} S, V_g = {gate:g} V is 0, which has no effective conductance; leave that "
            "gate voltage out"
        )
    largest = float((current[:, :, -1] / (g * v[-1])).max())
    if largest < FEWEST:
        raise ConfigError(
            f"{path}: no I at V = {v[-1]:g} V is more than {largest:.2g} of G·V, so no conductance could be told from another: "
            "G, V and I must be in S, V and A"
        )


def _rows(path: Path, gates: tuple[float, float, int]) -> dict[Key, tuple[float, int]]:
    """Current and line of each (V_g, G, V)."""
    rows: dict[Key, tuple[float, int]] = {}
    names: list[str] = []
    for line, cells in _lines(path):
        if not names:
            names = _header(path, line, cells, gates)
            continue
        if len(cells) != len(names):
            raise ConfigError(f"{path}, line {line}: {len(cells)} values, {len(names)} columns")
        values = dict(
            zip(names, (_number(path, line, name, cell) for name, cell in zip(names, cells, strict=True)), strict=True)
        )
        if values["g"] <= 0:
            raise ConfigError(f"{path}, line {line}: G = {values['g']:g} S must be above 0")
        key = (values.get("v_g", gates[0]), values["g"], values["v"])
        if key in rows:
            raise ConfigError(f"{path}, line {line}: the same G, V and V_g as in line {rows[key][1]}")
        rows[key] = (values["i"], line)
    if not rows:
        raise ConfigError(f"{path}: no rows; a header G,V,I[,V_g] and one line a measurement are wanted")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold something, in cells; the first names the columns."""
    text = read_text(at_home(path))
    columns = 0
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if content:
            where = f"{path}, line {number}"
            cells = row_cells(where, content, columns=columns) if columns else header_cells(where, content)
            columns = columns or len(cells)
            yield number, cells


def _header(path: Path, line: int, cells: list[str], gates: tuple[float, float, int]) -> list[str]:
    names = [cell.lower().replace("vg", "v_g") for cell in cells]
    if len(cells) == 1 and any(mark in cells[0] for mark in ";\t"):
        raise ConfigError(
            f"{path}, line {line}: columns are separated by commas, and numbers have a decimal point, not a comma"
        )
    if sorted(names) not in (sorted(COLUMNS), sorted((*COLUMNS, "v_g"))):
        raise ConfigError(f"{path}, line {line}: the columns are {','.join(cells)}; wanted are G,V,I or G,V,I,V_g")
    if "v_g" not in names and gates[2] != 1:
        raise ConfigError(f"{path}, line {line}: there is no column V_g; name the one gate voltage with sweep.vg_range")
    return names


def _number(path: Path, line: int, name: str, cell: str) -> float:
    check_point(f"{path}, line {line}", cell)
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{path}, line {line}: {name.upper()} = {quoted(cell)} is not a finite number")
    if abs(value) > LARGEST[name]:
        raise ConfigError(
            f"{path}, line {line}: {name.upper()} = {value:g} is out of bounds: at most {LARGEST[name]:g}"
        )
    return value
