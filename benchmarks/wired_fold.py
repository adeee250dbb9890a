"""1T-1R arrays with wires as products and by sweeps: error and time of a read against Newton's method.

    OPENBLAS_NUM_THREADS=1 NPROC=1 python benchmarks/wired_fold.py [--json] [--size 64] [--repeats 5]

Random devices of the linear range (`lp`, W 90 nm), 60 % of the rows driven, sources and neurons of 4 segments. The currents must
agree to 1e-3 of full scale at 1 ohm a segment and 2e-3 at 2.5 ohm, and a read takes at most 3 (K + 1) products of its size, K
being the rank of the cell without wires. Sweeps must agree to 1e-6 and take at most 1/50 of the time of Newton's method.
Newton's method computes 8 reads in float64, products 256 and sweeps 64 at once in float32.
"""

import argparse
import os
import sys
from dataclasses import replace
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp
import numpy as np
from _timing import measure

from xbar_cli.array.wired.fold import bands_of, fold_wired
from xbar_cli.array.wired.newton import gated_wired, require_solved
from xbar_cli.array.wired.sweep import require_swept, sweepable, swept
from xbar_cli.array.wires import Wires
from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.config.verify import VerifyConfig
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.reporter import SILENT
from xbar_cli.verify.cases import CellKind
from xbar_cli.verify.models import characterise

V_MAX, DRIVEN, READS, MANY, SWEPT = 0.5, 0.6, 8, 256, 64
SWEEP_LIMIT, SWEEP_FASTER = 1e-6, 50
LIMITS = {1.0: 1e-3, 2.5: 2e-3}
G_CUT = {0.8: 12.37e-6, 0.9: 20e-6, 1.0: 28.88e-6}
"""Ends of the linear ranges [S]."""
CELL = CellKind(card="lp", width_m=90e-9, length_m=45e-9, vg_volt=1.0, topology="drain", temperature_celsius=27.0)


def drives(rng: np.random.Generator, reads: int, size: int) -> np.ndarray:
    """Source voltages [reads rows] [V]."""
    return rng.uniform(0, V_MAX, (reads, size)) * (rng.uniform(size=(reads, size)) < DRIVEN)


def one(vg: float, r_wire: float, *, size: int, repeats: int) -> dict[str, Any]:
    """One gate voltage and one wire."""
    rng = np.random.default_rng(1)
    wires = Wires(word=r_wire, bit=r_wire, source=4 * r_wire, neuron=4 * r_wire)
    g, v = rng.uniform(1 / 300e3, G_CUT[vg], (size, size)), drives(rng, READS, size)
    with jax.enable_x64(True):
        cell, _ = characterise(replace(CELL, vg_volt=vg), g, v, wires, sweep=VerifyConfig().sweep, reporter=SILENT)
        newton, solved = measure(lambda v: gated_wired(cell, jnp.asarray(g), v, wires), jnp.asarray(v), repeats=repeats)
        require_solved(solved, tile="benchmark", surrogate=cell)
        free = np.abs(np.asarray(gated_wired(cell, jnp.asarray(g), jnp.asarray(v), Wires()).current))
        fold = lambda g: fold_wired({"fc": cell}, {"fc": g[None]}, wires, jnp.asarray(V_MAX), tile=(size, size))["fc"]  # noqa: E731
        folding, (basis, products) = measure(fold, jnp.asarray(g), repeats=repeats)
        band = bands_of(jax.tree.map(lambda leaf: leaf[0], products), height=size)[0]
        apart = np.abs(np.asarray(band(*basis.at(jnp.asarray(v)))) - np.asarray(solved.current)) / free.max()
        change = np.abs(free - np.asarray(solved.current)).max() / free.max()
    basis, band, many = (
        jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float32), tree)
        for tree in (basis, band, drives(rng, MANY, size))
    )
    ours, _ = measure(lambda v: band(*basis.at(v)), many, repeats=20 * repeats)
    matrix = jnp.asarray(g / g.max(), jnp.float32)
    product, _ = measure(lambda v: v @ matrix, many, repeats=20 * repeats)
    swept_error, swept_residual, sweeping = by_sweeps(cell, g, v, np.asarray(solved.current), wires, repeats=repeats)
    each = lambda timing, reads: timing["best_seconds"] / reads  # noqa: E731
    return {
        "vg_volt": vg, "r_wire_ohm": r_wire, "rank": cell.rank, "wires_change": float(change), "largest": float(apart.max()),
        "mean": float(apart.mean()), "limit": LIMITS[r_wire], "products": each(ours, MANY) / each(product, MANY),
        "allowed_products": 3 * (cell.rank + 1), "of_newton": each(ours, MANY) / each(newton, READS),
        "newton_read_ms": 1e3 * each(newton, READS), "fold_seconds": folding["best_seconds"],
        "sweep_largest": swept_error, "sweep_residual": swept_residual, "sweep_read_ms": 1e3 * each(sweeping, SWEPT),
        "newton_of_sweep": each(newton, READS) / each(sweeping, SWEPT),
    }  # fmt: skip


def by_sweeps(
    cell: BitLineSeparable, g: np.ndarray, v: np.ndarray, wanted: np.ndarray, wires: Wires, *, repeats: int
) -> tuple[float, float, dict[str, float]]:
    """Largest error over full scale, largest residual, and the timing of SWEPT reads, in float32."""
    ready = sweepable(cell, jnp.asarray(g, jnp.float32), wires, there=jnp.ones(g.shape, jnp.float32))
    found = jax.jit(swept)(ready, jnp.asarray(v, jnp.float32))
    require_swept(found, tile="benchmark", surrogate=cell)
    apart = np.abs(np.asarray(found.current, np.float64) - wanted).max() / wanted.max()
    reads = jnp.asarray(drives(np.random.default_rng(2), SWEPT, len(g)), jnp.float32)
    timing, _ = measure(lambda v: swept(ready, v).current, reads, repeats=4 * repeats)
    return float(apart), float(np.max(found.residual)), timing


def show(cases: list[dict[str, Any]]) -> None:
    """The same numbers as a table."""
    columns = ("V_g [V]", "r [Ω]", "wires change", "largest error", "mean", "allowed", "products", "allowed", "Newton over it",
               "fold [ms]", "sweeps: error", "Newton over them")  # fmt: skip
    rows = [
        (case["vg_volt"], case["r_wire_ohm"], f"{case['wires_change']:.1%}", f"{case['largest']:.1e}", f"{case['mean']:.1e}",
         case["limit"], f"{case['products']:.1f}", case["allowed_products"], f"{1 / case['of_newton']:.0f}",
         f"{1e3 * case['fold_seconds']:.0f}", f"{case['sweep_largest']:.1e}", f"{case['newton_of_sweep']:.0f}")
        for case in cases
    ]  # fmt: skip
    print_table("1T-1R arrays with wires as products: errors over full scale, times of a read", columns, rows)


def main() -> int:
    """Measure and print; 1 where an error or a time is larger than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--size", type=int, default=64, help="side of the square array")
    parser.add_argument("--repeats", type=int, default=5, help="timed repetitions")
    options = parser.parse_args()
    cases = [one(vg, r, size=options.size, repeats=options.repeats) for vg in G_CUT for r in LIMITS]
    print_json({"cases": cases}) if options.json else show(cases)
    return int(any(
        case["largest"] > case["limit"] or case["products"] > case["allowed_products"]
        or case["sweep_largest"] > SWEEP_LIMIT or case["newton_of_sweep"] < SWEEP_FASTER
        for case in cases
    ))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
