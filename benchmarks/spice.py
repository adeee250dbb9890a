"""Points per second of the cell sweep against the same netlist in the `ngspice -b` program (start-up excluded); at least 0.8."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from xbar_cli.spice.cards import load_card
from xbar_cli.spice.netlist import CellCircuit, speed_commands
from xbar_cli.spice.ngspice import number
from xbar_cli.spice.sweep import Grid, _circuit, sweep_cell

G = np.linspace(0.1 / 300e3, 1.75 / 30e3, 64)
VIN, VG = Grid(0.01, 0.5, 51), Grid(0.7, 1.4, 15)
CELL = CellCircuit(card=load_card("lp"), width_m=90e-9, length_m=45e-9, temperature_celsius=27.0, topology="drain")
WANTED, ROUNDS = 0.8, 9


def ours() -> float:
    table = sweep_cell(CELL, g_siemens=G, vin=VIN, vg=VG, jobs=1, timeout_s=300.0, backend="ctypes")
    return table.points / table.seconds


def batch(program: str) -> float:
    """The same circuit and sweep in the program; the time of an empty run of it is taken off."""
    circuit, _ = _circuit(CELL, G, None)
    sweeps = " ".join(f"{name} {number(g.start)} {number(g.stop + 1e-6 * g.step)} {number(g.step)}" for name, g in
                      (("vin", VIN), ("vg", VG)))  # fmt: skip
    control = [
        ".control",
        "set num_threads=1",
        *speed_commands(CELL.card),
        f"dc {sweeps}",
        "write out.raw",
        "quit",
        ".endc",
        ".end",
    ]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for name, commands in (
            ("full", control),
            ("empty", [c for c in control if c[:2] != "dc" and c[:5] != "write"]),
        ):
            path = Path(folder) / f"{name}.cir"
            path.write_text("\n".join(["* bench", *circuit, *commands]) + "\n", encoding="ascii")
            start = time.perf_counter()
            subprocess.run([program, "-b", path.name], cwd=folder, check=True, capture_output=True, timeout=300)
            seconds.append(time.perf_counter() - start)
    return G.size * VIN.count * VG.count / (seconds[0] - seconds[1])


def main() -> int:
    program = shutil.which("ngspice")
    rounds = [(ours(), batch(program) if program else float("nan")) for _ in range(ROUNDS)]
    print(f"cell sweep 64 × 51 × 15: {max(found for found, _ in rounds):.3g} points/s")
    if program is None:
        print("the program ngspice is not installed: no ratio (apt install ngspice)")
        return 0
    ratio = statistics.median(
        found / other for found, other in rounds
    )  # of neighbours: what else runs meets both alike
    print(f"ngspice -b: {max(other for _, other in rounds):.3g} points/s; ratio {ratio:.2f} (at least {WANTED})")
    return int(ratio < WANTED)


if __name__ == "__main__":
    sys.exit(main())
