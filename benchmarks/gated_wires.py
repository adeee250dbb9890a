"""Time per input of a 1T-1R array with wires against ngspice inside one dc sweep on the same array: at most a tenth.

    OPENBLAS_NUM_THREADS=1 NPROC=1 python benchmarks/gated_wires.py [--json] [--sizes 16 32 64] [--repeats 5]

Both solve the same random array (`lp`, V_g 1.0 V, 2.5 ohm a wire segment) for the same random inputs, in float64, on one
thread. ngspice's time is the mean over all inputs but the first, which it finds from nothing; the currents must agree to
1e-3 of the largest. Compile time is stated apart.
"""

import argparse
import os
import sys
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp
import numpy as np
from _timing import measure, statistics

from xbar_cli.array.wired.newton import gated_wired, require_solved
from xbar_cli.array.wires import Wires
from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.config.verify import VerifyConfig
from xbar_cli.reporter import SILENT
from xbar_cli.spice.arraysim import simulate_array
from xbar_cli.spice.backends import find_library
from xbar_cli.verify.cases import CellKind
from xbar_cli.verify.models import characterise, full_scale_error

WANTED, WANTED_SIZE, ALLOWED = 0.1, 64, 1e-3
INPUTS = 8
WIRES = Wires(word=2.5, bit=2.5)
CELL = CellKind(card="lp", width_m=90e-9, length_m=45e-9, vg_volt=1.0, topology="drain", temperature_celsius=27.0)


def ours(g: np.ndarray, v: np.ndarray, repeats: int) -> tuple[dict[str, float], dict[str, float], np.ndarray]:
    """Times per input of the batch and of one input alone, and the currents."""
    surrogate, _ = characterise(CELL, g, v, WIRES, sweep=VerifyConfig().sweep, reporter=SILENT)

    def per_input(inputs: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        solve = lambda v: gated_wired(surrogate, jnp.asarray(g), v, WIRES)  # noqa: E731
        timing, found = measure(solve, jnp.asarray(inputs), repeats=repeats)
        require_solved(found, tile="benchmark", surrogate=surrogate)
        share = {name: timing[name] / len(inputs) for name in timing if name not in ("n", "compile_seconds")}
        return timing | share, np.asarray(found.current)

    batch, currents = per_input(v)
    return batch, per_input(v[:1])[0], currents


def ngspice(g: np.ndarray, v: np.ndarray, repeats: int) -> tuple[dict[str, float], np.ndarray]:
    """Time per further input, and the currents."""
    r_word, r_bit, r_source, r_neuron = WIRES.floats()
    runs = [
        simulate_array(
            CELL.circuit(), g_siemens=g, v_volt=v, vg_volt=CELL.vg_volt, timeout_s=600.0,
            r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron,
        )
        for _ in range(repeats)
    ]  # fmt: skip
    return statistics([run.seconds_per_point for run in runs]), runs[0].current_ampere


def one_size(size: int, repeats: int) -> dict[str, Any]:
    """Both on one array."""
    rng = np.random.default_rng(size)
    g, v = 1 / rng.uniform(30e3, 300e3, (size, size)), rng.uniform(0.0, 0.5, (INPUTS, size))
    with jax.enable_x64(True):
        batch, single, currents = ours(g, v, repeats)
    oracle, reference = ngspice(g, v, min(repeats, 3))
    return {
        "size": size,
        "inputs": INPUTS,
        "ngspice": oracle,
        "batch": batch,
        "single": single,
        "ratio": batch["mean_seconds"] / oracle["mean_seconds"],
        "single_ratio": single["mean_seconds"] / oracle["mean_seconds"],
        "max_full_scale_error": full_scale_error(currents, reference),
    }


def show(summary: dict[str, Any]) -> None:
    """The same numbers as a table."""
    columns = ("array", "what", "n", "best [ms]", "mean [ms]", "std [ms]", "ratio", "compile [s]")
    rows = []
    for case in summary["sizes"]:
        ratios = {"ngspice": None, "batch": case["ratio"], "single": case["single_ratio"]}
        for what, ratio in ratios.items():
            timing = case[what]
            times = (f"{1e3 * timing[key]:.3g}" for key in ("best_seconds", "mean_seconds", "std_seconds"))
            compiled = f"{timing['compile_seconds']:.1f}" if "compile_seconds" in timing else None
            name = {"batch": f"xbar, batch of {case['inputs']}", "single": "xbar, one input"}.get(what, what)
            shown = None if ratio is None else f"{ratio:.3f}"
            rows.append((f"{case['size']}×{case['size']}", name, timing["n"], *times, shown, compiled))
    print_table("1T-1R arrays with wires, time per input, one thread", columns, rows)
    for case in summary["sizes"]:
        print(f"{case['size']}×{case['size']}: largest difference {case['max_full_scale_error']:.1e} of full scale")


def main() -> int:
    """Measure and print; 1 where the ratio at 64×64 or an error is larger than wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32, 64], help="sides of the square arrays")
    parser.add_argument("--repeats", type=int, default=5, help="timed repetitions (ngspice: 3 at most)")
    options = parser.parse_args()
    if find_library() is None:
        print("ngspice is not installed: no ratio (see xbar doctor)")
        return 0
    sizes = [one_size(size, options.repeats) for size in options.sizes]
    summary = {"jax": jax.__version__, "threads": os.environ["NPROC"], "wanted_ratio": WANTED, "sizes": sizes}
    (print_json if options.json else show)(summary)
    slow = any(case["size"] == WANTED_SIZE and case["ratio"] > WANTED for case in sizes)
    return int(slow or any(case["max_full_scale_error"] > ALLOWED for case in sizes))


if __name__ == "__main__":
    sys.exit(main())
