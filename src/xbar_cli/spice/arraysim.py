"""Whole arrays with their wires in ngspice: the oracle of the project's own array models."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from xbar_cli.spice.cards import Card
from xbar_cli.spice.jobs import Analysis, Grid, Job
from xbar_cli.spice.messages import about
from xbar_cli.spice.netlist import Topology, cell_lines, option_lines, save_lines, speed_commands
from xbar_cli.spice.ngspice import number
from xbar_cli.spice.pool import Pool


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
    card: Card | None,
    *,
    g_siemens: np.ndarray,
    v_volt: np.ndarray,
    vg_volt: float | None,
    r_word: float,
    r_bit: float,
    r_source: float,
    r_neuron: float,
    width_m: float | None,
    length_m: float | None,
    temperature_celsius: float,
    timeout_s: float,
    topology: Topology = "drain",
) -> ArrayResult:
    """Solve an array of 1T-1R cells, or of bare resistors when `card` is None, with all its wires.

    Word line i is driven at its left end through `r_source + r_word`; every further device is one `r_word` on. Bit line
    j runs down with `r_bit` a segment and ends after its last device in `r_bit + r_neuron` to ground. Body at 0 V.

    Args:
        card: the transistor; None for an array of resistors.
        g_siemens: memristor conductances `[rows cols]` [S]; 0 is no device.
        v_volt: row voltages `[batch rows]` [V].
        vg_volt: gate voltage of every cell [V]; None without a card, as are width_m and length_m.
        r_word: resistance of a word-line segment [ohm].
        r_bit: resistance of a bit-line segment [ohm].
        r_source: resistance of each driver [ohm].
        r_neuron: resistance of each sense circuit [ohm].
        width_m: transistor width [m].
        length_m: transistor length [m].
        temperature_celsius: temperature [°C].
        timeout_s: longest time of all analyses together [s].
        topology: the memristor's place, `drain` (input side) or `source` (bit-line side).

    Raises:
        ValueError: an argument is outside its domain.
        SpiceError: the simulator is missing, did not converge, or took too long.
    """
    g = np.asarray(g_siemens, dtype=np.float64)
    v = np.asarray(v_volt, dtype=np.float64)
    _check(g, v, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron)
    tops, bottoms, text = _wires(g.shape, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron)
    text += _drivers(v)
    text += option_lines(temperature_celsius=temperature_celsius)
    commands: tuple[str, ...] = ()
    if card is None:
        if (vg_volt, width_m, length_m) != (None, None, None):
            raise ValueError("vg_volt, width_m and length_m must be None without a card: resistors have none")
        text += [
            f"Rc{i}_{j} {tops[i][j]} {bottoms[i][j]} {number(float(1.0 / g[i, j]))}" for i, j in np.argwhere(g > 0)
        ]
    else:
        if vg_volt is None or width_m is None or length_m is None or not (width_m > 0 and length_m > 0):
            raise ValueError("vg_volt must be given, width_m and length_m be above 0, with a card")
        commands = speed_commands(card)
        text += [*card.text, f"Vg gate 0 dc {number(vg_volt)}"]
        for i, j in np.argwhere(g > 0):
            text += cell_lines(
                card,
                name=f"{i}_{j}",
                g_siemens=float(g[i, j]),
                top=tops[i][j],
                gate="gate",
                bottom=bottoms[i][j],
                topology=topology,
                width_m=width_m,
                length_m=length_m,
            )
    with nullcontext() if card is None else about(card, text):
        return _solve(text, commands, batch=v.shape[0], cols=g.shape[1], timeout_s=timeout_s)


def _solve(text: Sequence[str], commands: tuple[str, ...], *, batch: int, cols: int, timeout_s: float) -> ArrayResult:
    vectors = tuple(f"i(vout{j})" for j in range(cols))
    sweep = Grid(0.0, float(batch - 1), batch)
    job = Job((*text, *save_lines(vectors)), (Analysis((("vsel", sweep),), vectors),), setup=commands)
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
) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """The word-line and the bit-line node of every cell `[rows][cols]`, and the netlist of wires and ammeters."""
    rows, cols = shape
    word = [_line(f"w{i}", f"d{i}", count=cols, segment=r_word, last=r_source) for i in range(rows)]
    bit = [_line(f"b{j}", f"o{j}", count=rows, segment=r_bit, last=r_neuron) for j in range(cols)]
    text = [line for _, lines in (*word, *bit) for line in lines]
    text += [f"Vout{j} o{j} 0 dc 0" for j in range(cols)]
    bottoms = [[bit[j][0][rows - 1 - i] for j in range(cols)] for i in range(rows)]
    return [nodes for nodes, _ in word], bottoms, text
