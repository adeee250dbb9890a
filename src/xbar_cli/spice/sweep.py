"""The 1T-1R cell's current over memristor conductance, input, gate and bit-line voltage, from ngspice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xbar_cli.spice.backends import BackendName
from xbar_cli.spice.jobs import Analysis, Grid, Simulation, Solution
from xbar_cli.spice.messages import about
from xbar_cli.spice.netlist import (
    CellCircuit,
    Topology,
    bench_lines,
    cell_lines,
    option_lines,
    save_lines,
    speed_commands,
)
from xbar_cli.spice.ngspice import number
from xbar_cli.spice.pool import Pool

__all__ = ["CellTable", "Grid", "sweep_cell"]

POINT_LIMIT = 200_000_000
"""Points that one table may have: more would not fit in memory."""


@dataclass(frozen=True)
class CellTable:
    """Currents of the cell, float64. `current_ampere` is what the cell delivers *into* the bit line, sensed there.

    Attributes:
        g_siemens: memristor conductances `[g]` [S].
        vin_volt: input voltages `[vin]` [V].
        vg_volt: gate voltages `[vg]` [V].
        bit_line_volt: bit-line voltages `[vbl]` [V].
        current_ampere: into the bit line, `[vbl vg g vin]` [A].
        input_current_ampere: drawn from the input driver, `[vbl vg g vin]` [A]; gate and body take the rest.
        leakage_ampere: into the bit line at an input of exactly 0 V, `[vbl vg g]` [A].
        input_leakage_ampere: from the input driver at 0 V, `[vbl vg g]` [A].
        rest_ampere: into the bit line at an input of exactly the bit line's voltage, `[vbl vg g]` [A].
        seconds: time of the analyses, added over the workers, start-up left out [s].
        points: solutions computed, those at 0 V included; every cell counts.
        simulator: version of the simulator.
    """

    g_siemens: np.ndarray
    vin_volt: np.ndarray
    vg_volt: np.ndarray
    bit_line_volt: np.ndarray
    current_ampere: np.ndarray
    input_current_ampere: np.ndarray
    leakage_ampere: np.ndarray
    input_leakage_ampere: np.ndarray
    rest_ampere: np.ndarray
    seconds: float
    points: int
    simulator: str

    @property
    def grounded(self) -> int:
        """Position of the bit-line voltage 0 V."""
        return int(np.flatnonzero(self.bit_line_volt == 0.0)[0])

    @property
    def plain_current(self) -> np.ndarray:
        """The current into a bit line at 0 V, `[vg g vin]` [A]."""
        return self.current_ampere[self.grounded]

    @property
    def plain_leakage(self) -> np.ndarray:
        """The current into a bit line at 0 V, at an input of 0 V, `[vg g]` [A]."""
        return self.leakage_ampere[self.grounded]


def sweep_cell(
    cell: CellCircuit,
    *,
    g_siemens: np.ndarray,
    vin: Grid,
    vg: Grid,
    jobs: int,
    timeout_s: float,
    backend: BackendName,
    bit_line_volt: Sequence[float] = (0.0,),
    vth_shift_volt: np.ndarray | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> CellTable:
    """Simulate the cell at every G, V_in, V_g and V_bl.

    All cells stand side by side in one netlist. Each V_g is a sweep of its own (no slower than nesting them), so the
    table is the same to the bit however many workers share it.

    Args:
        cell: as a circuit.
        g_siemens: memristor conductances `[g]` [S], above 0; repetitions are allowed.
        vin: input voltages [V].
        vg: gate voltages [V].
        jobs: worker processes that share the list of V_g.
        timeout_s: longest time that one worker's share may take [s].
        backend: auto, ctypes or ngspyce.
        bit_line_volt: voltages of the bit line [V].
        vth_shift_volt: shift of each cell's threshold voltage `[g]` [V] (`delvto`), or None.
        on_progress: called with the analyses done and the analyses there are.

    Raises:
        ValueError: an argument is outside its domain.
        SpiceError: the simulator is missing, refused the circuit, did not converge, or took too long.

    Accuracy: currents are within 1.0e-6 of those at a thousand times tighter tolerances, over G 3.3e-7…5.8e-5 S, V_in
        ±0.01…±0.5 V and V_g 0.5…1.3 V, for all built-in cards and both topologies.
    """
    g = np.asarray(g_siemens, dtype=np.float64)
    shifts = None if vth_shift_volt is None else np.asarray(vth_shift_volt, dtype=np.float64)
    lines = np.array([float(volt) for volt in bit_line_volt])
    _check(g, shifts, lines, vin=vin, vg=vg, jobs=jobs)
    circuit, vectors = _circuit(cell, g, shifts)
    work = _share_out(circuit, vectors, vin, vg, lines, setup=speed_commands(cell.card), jobs=jobs)
    with about(cell.card, circuit), Pool(len(work), backend=backend) as pool:
        found = pool.run(work, timeout_s=timeout_s, on_outcome=on_progress)
        return _table(found, g, lines, vin, vg, topology=cell.topology, simulator=pool.version())


def _share_out(
    circuit: tuple[str, ...],
    vectors: tuple[str, ...],
    vin: Grid,
    vg: Grid,
    lines: np.ndarray,
    *,
    setup: tuple[str, ...],
    jobs: int,
) -> list[Simulation]:
    """The work of each worker: its share of the V_g; the first does the sweeps at V_in = 0 and V_in = V_bl before it."""
    work = []
    for k, share in enumerate(np.array_split(np.arange(vg.count), min(jobs, vg.count))):
        analyses = (*(_leakage(vg, lines, vectors) if k == 0 else ()), *_sweeps(vin, vg, share, lines, vectors))
        work.append(Simulation(circuit, analyses, setup=setup))
    return work


def _table(
    found: list[list[Solution]],
    g: np.ndarray,
    lines: np.ndarray,
    vin: Grid,
    vg: Grid,
    *,
    topology: Topology,
    simulator: str,
) -> CellTable:
    """The table from what the workers' analyses gave, in the order of `_share_out`."""
    n_bl, n_rest = lines.size, lines.size + int(np.count_nonzero(lines))
    zero = _currents(_stacked(found[0][:n_bl]), g, lines, topology)
    rest = zero[0].copy()
    if n_rest > n_bl:
        rest[lines != 0] = _currents(_stacked(found[0][n_bl:n_rest]), g, lines[lines != 0], topology)[0]
    mains = [outcomes[n_rest:] if k == 0 else outcomes for k, outcomes in enumerate(found)]
    swept = [_stacked(outcomes).reshape(n_bl, -1, 2 * g.size + 1, vin.count) for outcomes in mains]
    current, drawn = _currents(np.concatenate(swept, axis=1), g, lines, topology)
    return CellTable(
        g_siemens=g,
        vin_volt=vin.values(),
        vg_volt=vg.values(),
        bit_line_volt=lines,
        current_ampere=current,
        input_current_ampere=drawn,
        leakage_ampere=np.ascontiguousarray(zero[0].transpose(0, 2, 1)),
        input_leakage_ampere=np.ascontiguousarray(zero[1].transpose(0, 2, 1)),
        rest_ampere=np.ascontiguousarray(rest.transpose(0, 2, 1)),
        seconds=sum(outcome.seconds for outcomes in found for outcome in outcomes),
        points=g.size * vg.count * (n_bl * vin.count + n_rest),
        simulator=simulator,
    )


def _stacked(outcomes: list[Solution]) -> np.ndarray:
    return np.stack([outcome.values for outcome in outcomes])


def _check(g: np.ndarray, shifts: np.ndarray | None, lines: np.ndarray, *, vin: Grid, vg: Grid, jobs: int) -> None:
    if g.ndim != 1 or g.size == 0 or not np.all(np.isfinite(g)) or not np.all(g > 0):
        raise ValueError("g_siemens must be a list of at least one finite conductance above 0")
    if shifts is not None and (shifts.shape != g.shape or not np.all(np.isfinite(shifts))):
        raise ValueError(f"vth_shift_volt must be finite and have the shape of g_siemens {g.shape}, got {shifts.shape}")
    if lines.size == 0 or not np.all(np.isfinite(lines)):
        raise ValueError("bit_line_volt must hold at least one voltage, all finite")
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    points = g.size * lines.size * vg.count * (vin.count + 1)
    if points > POINT_LIMIT:
        raise ValueError(f"the table would have {points} points, at most {POINT_LIMIT} are allowed")


def _circuit(cell: CellCircuit, g: np.ndarray, shifts: np.ndarray | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The netlist, and the vectors to keep: V_in, the ammeter of each cell, the inner node of each cell."""
    text = [*cell.card.text, *bench_lines(), *option_lines(temperature_celsius=cell.temperature_celsius)]
    for k, value in enumerate(g):
        top, bottom = ("in", f"a{k}") if cell.topology == "drain" else (f"a{k}", "bl")
        text.append(f"Va{k} a{k} bl dc 0" if cell.topology == "drain" else f"Va{k} in a{k} dc 0")
        shift = None if shifts is None else float(shifts[k])
        text += cell_lines(cell, name=str(k), g_siemens=float(value), top=top, bottom=bottom, vth_shift_volt=shift)
    vectors = ("v(in)", *(f"i(va{k})" for k in range(g.size)), *(f"v(x{k})" for k in range(g.size)))
    return (*text, *save_lines(vectors)), vectors


def _leakage(vg: Grid, lines: np.ndarray, vectors: tuple[str, ...]) -> tuple[Analysis, ...]:
    """Sweeps over all V_g: the input at 0 V for each V_bl, then at V_bl for each V_bl that is not 0."""
    pairs = [*((0.0, volt) for volt in lines), *((volt, volt) for volt in lines[lines != 0])]
    return tuple(
        Analysis((("vg", vg),), vectors, (f"alter vbl dc = {number(line)}", f"alter vin dc = {number(volt)}"))
        for volt, line in pairs
    )


def _sweeps(
    vin: Grid, vg: Grid, share: np.ndarray, lines: np.ndarray, vectors: tuple[str, ...]
) -> tuple[Analysis, ...]:
    """One sweep over V_in for each V_bl and each V_g of the share."""
    gates = [Grid(float(value), float(value), 1) for value in vg.values()[share]]
    return tuple(
        Analysis((("vin", vin), ("vg", gate)), vectors, (f"alter vbl dc = {number(volt)}",))
        for volt in lines
        for gate in gates
    )


def _currents(
    values: np.ndarray, g: np.ndarray, lines: np.ndarray, topology: Topology
) -> tuple[np.ndarray, np.ndarray]:
    """Currents into the bit line and from the driver, `[vbl … g vin]`, from vectors `[vbl … vectors vin]`.

    One of the two is an ammeter's; the other is the memristor's, G times its voltage.
    """
    n = g.size
    v_in, metered, inner = values[..., :1, :], values[..., 1 : n + 1, :], values[..., n + 1 :, :]
    v_bl = lines.reshape(-1, *(1,) * (values.ndim - 1))
    if topology == "drain":
        return metered, (v_in - inner) * g[:, None]
    return (inner - v_bl) * g[:, None], metered
