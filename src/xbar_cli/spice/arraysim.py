"""Whole arrays with their wires in ngspice: the oracle of the project's own array models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xbar_cli.spice.jobs import Analysis, Grid, Simulation
from xbar_cli.spice.messages import about
from xbar_cli.spice.netlist import CellCircuit, cell_lines, option_lines, save_lines, speed_commands
from xbar_cli.spice.ngspice import number
from xbar_cli.spice.pool import Pool

Nodes = list[list[str]]
"""Names of the nodes of every cell `[rows][cols]`."""
ROOM_CELSIUS = 27.0
"""What resistors are simulated at, whose current does not depend on it."""


@dataclass(frozen=True)
class ArrayResult:
    """Currents of an array for a batch of inputs.

    Attributes:
        current_ampere: current of each column into ground `[batch cols]` [A].
        seconds_first: time of the first input, found from nothing [s].
        seconds_per_point: mean time of each further input, found from the one before [s]; 0 when there is none.
    """

    current_ampere: np.ndarray
    seconds_first: float
    seconds_per_point: float


def simulate_array(
    cell: CellCircuit | None,
    *,
    g_siemens: np.ndarray,
    v_volt: np.ndarray,
    vg_volt: float | None,
    r_word: float,
    r_bit: float,
    r_source: float,
    r_neuron: float,
    timeout_s: float,
) -> ArrayResult:
    """Solve an array of 1T-1R cells, or of bare resistors when `cell` is None, with all its wires.

    Word line i is driven at its left end through `r_source + r_word`; every further device is one `r_word` on. Bit line
    j runs down with `r_bit` a segment and ends after its last device in `r_bit + r_neuron` to ground. Body at 0 V.

    Args:
        cell: at every place of the array; None for an array of resistors.
        g_siemens: memristor conductances `[rows cols]` [S]; 0 is no device.
        v_volt: row voltages `[batch rows]` [V].
        vg_volt: gate voltage of every cell [V]; None without a cell.
        r_word: resistance of a word-line segment [ohm].
        r_bit: resistance of a bit-line segment [ohm].
        r_source: resistance of each driver [ohm].
        r_neuron: resistance of each sense circuit [ohm].
        timeout_s: longest time of all analyses together [s].

    Raises:
        ValueError: an argument is outside its domain.
        SpiceError: the simulator is missing, did not converge, or took too long.
    """
    g = np.asarray(g_siemens, dtype=np.float64)
    v = np.asarray(v_volt, dtype=np.float64)
    _check(g, v, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron)
    if (cell is None) != (vg_volt is None):
        raise ValueError("vg_volt must be given with a cell, and be None without one: resistors have no gate")
    tops, bottoms, wires = _wires(g.shape, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron)
    celsius = ROOM_CELSIUS if cell is None else cell.temperature_celsius
    text = [*wires, *_drivers(v), *option_lines(temperature_celsius=celsius)]
    size = {"batch": v.shape[0], "cols": g.shape[1], "timeout_s": timeout_s}
    if cell is None or vg_volt is None:
        return _solve([*text, *_resistors(g, tops, bottoms)], (), **size)
    text += [*cell.card.text, f"Vg gate 0 dc {number(vg_volt)}", *_cells(cell, g, tops, bottoms)]
    with about(cell.card, text):
        return _solve(text, speed_commands(cell.card), **size)


def _resistors(g: np.ndarray, tops: Nodes, bottoms: Nodes) -> list[str]:
    return [f"Rc{i}_{j} {tops[i][j]} {bottoms[i][j]} {number(float(1.0 / g[i, j]))}" for i, j in np.argwhere(g > 0)]


def _cells(cell: CellCircuit, g: np.ndarray, tops: Nodes, bottoms: Nodes) -> list[str]:
    return [
        line
        for i, j in np.argwhere(g > 0)
        for line in cell_lines(cell, name=f"{i}_{j}", g_siemens=float(g[i, j]), top=tops[i][j], bottom=bottoms[i][j])
    ]


def _solve(text: Sequence[str], commands: tuple[str, ...], *, batch: int, cols: int, timeout_s: float) -> ArrayResult:
    vectors = tuple(f"i(vout{j})" for j in range(cols))
    sweep = Grid(0.0, float(batch - 1), batch)
    job = Simulation((*text, *save_lines(vectors)), (Analysis((("vsel", sweep),), vectors),), setup=commands)
    with Pool(1, backend="ctypes", time_points=True) as pool:
        ((outcome,),) = pool.run([job], timeout_s=timeout_s)
    first = outcome.first_seconds if outcome.first_seconds is not None and batch > 1 else outcome.seconds
    return ArrayResult(
        current_ampere=np.ascontiguousarray(outcome.values.T),
        seconds_first=first,
        seconds_per_point=(outcome.seconds - first) / (batch - 1) if batch > 1 else 0.0,
    )


def _check(g: np.ndarray, v: np.ndarray, **resistances: float) -> None:
    if g.ndim != 2 or g.size == 0 or not np.all(np.isfinite(g)) or np.any(g < 0):
        raise ValueError("g_siemens must be a matrix [rows cols] of finite conductances of at least 0")
    if v.ndim != 2 or v.shape[0] == 0 or v.shape[1] != g.shape[0] or not np.all(np.isfinite(v)):
        raise ValueError(f"v_volt must be a finite matrix [batch rows] with {g.shape[0]} rows, got shape {v.shape}")
    for name, value in resistances.items():
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a finite resistance of at least 0 ohm, got {value}")


def _drivers(v: np.ndarray) -> list[str]:
    """One source a row whose voltage is looked up by the number of the input: a dc sweep of `vsel` runs the batch."""
    lines = ["Vsel sel 0 dc 0"]
    columns: Any = v.T.tolist()
    for i, column in enumerate(columns):
        if v.shape[0] == 1:
            lines.append(f"Vd{i} d{i} 0 dc {number(column[0])}")
        else:
            knots = ", ".join(f"{k}, {number(value)}" for k, value in enumerate(column))
            lines.append(f"Bd{i} d{i} 0 v=pwl(v(sel), {knots})")
    return lines


def _line(prefix: str, end: str, *, count: int, segment: float, last: float) -> tuple[list[str], list[str]]:
    """One word or bit line: its nodes, the one nearest to `end` first, and its resistors. 0 ohm merges nodes."""
    if segment > 0:
        nodes = [f"{prefix}_{k}" for k in range(count)]
    else:
        nodes = [prefix if last > 0 else end] * count
    chain = [end, *nodes] if segment > 0 else [end, nodes[0]]
    ohms = [segment + last, *[segment] * (len(chain) - 2)]
    wires = zip(chain[:-1], chain[1:], ohms, strict=True)
    return nodes, [f"R{start}-{stop} {start} {stop} {number(ohm)}" for start, stop, ohm in wires if ohm > 0]


def _wires(
    shape: tuple[int, int], *, r_word: float, r_bit: float, r_source: float, r_neuron: float
) -> tuple[Nodes, Nodes, list[str]]:
    """The word-line and the bit-line node of every cell `[rows][cols]`, and the netlist of wires and ammeters."""
    rows, cols = shape
    word = [_line(f"w{i}", f"d{i}", count=cols, segment=r_word, last=r_source) for i in range(rows)]
    bit = [_line(f"b{j}", f"o{j}", count=rows, segment=r_bit, last=r_neuron) for j in range(cols)]
    text = [line for _, lines in (*word, *bit) for line in lines]
    text += [f"Vout{j} o{j} 0 dc 0" for j in range(cols)]
    bottoms = [[bit[j][0][rows - 1 - i] for j in range(cols)] for i in range(rows)]
    return [nodes for nodes, _ in word], bottoms, text
