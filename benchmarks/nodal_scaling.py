"""Time and memory of the exact fold against tile size, and time against number of tiles: a figure, and the exponents.

    OPENBLAS_NUM_THREADS=1 NPROC=1 python benchmarks/nodal_scaling.py [--json] [--figure FILE.png]
        [--sizes 32 64 128 256 512] [--large 1024 2048] [--tiles 1 4 16 64] [--repeats 5]

The exponent is the slope of a straight line through the best times on doubly logarithmic axes, over all sizes and over
the larger half of them; its error is the standard error of that slope. float64, one thread, compile time apart. Memory is
what XLA sets aside. Of the large arrays, once each, 1024×1024 may take 15 s and 2 GiB, 2048×2048 two minutes and 8 GiB; no
residual of Kirchhoff's law may be above 1e-12. `nodal.py` has SciPy beside.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp
import numpy as np
from _timing import measure
from matplotlib.figure import Figure
from scipy.stats import linregress

from xbar_cli.array.nodal import nodal
from xbar_cli.array.wires import Wires, wired_fold
from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.figures.drawing import plain_log, save
from xbar_cli.figures.style import PAGE
from xbar_cli.numerics import quick_compilation

WIRES = Wires(word=1.0, bit=1.0, source=100.0, neuron=50.0)
TILE = 64
ALLOWED = {1024: (15.0, 2.0), 2048: (120.0, 8.0)}
"""Seconds and GiB of large arrays."""
RESIDUAL = 1e-12


def one(size: int, tiles: int, repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    """Timings of the fold of that many tiles, one after the other in one compiled function."""
    g = jnp.asarray(rng.uniform(1e-6, 1e-4, (tiles, size, size)))
    fold = wired_fold(nodal, WIRES)
    timing, (_, residual) = measure(
        lambda fold, g: jax.lax.map(fold, g), fold, g, repeats=repeats, options=quick_compilation()
    )  # fmt: skip
    return {"size": size, "tiles": tiles, "residual": float(residual.max())} | timing


def exponent(cases: list[dict[str, Any]], over: str, of: str = "best_seconds") -> dict[str, Any]:
    """Slope of log `of` over log `over`, and its standard error."""
    x, y = (np.log([case[name] for case in cases]) for name in (over, of))
    line: Any = linregress(x, y)
    return {"of": of, "exponent": float(line.slope), "standard_error": float(line.stderr), "n": len(cases)}


def fits(sizes: list[dict[str, Any]], counts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The exponents that three points or more allow."""
    upper = sizes[len(sizes) // 2 - (len(sizes) < 5) :]
    wanted = {
        "tile size": (sizes, "size", "best_seconds"),
        "tile size, larger half": (upper, "size", "best_seconds"),
        "side of the larger tiles": (upper, "size", "temporary_bytes"),
        "number of tiles": (counts, "tiles", "best_seconds"),
    }
    return {name: exponent(cases, over, of) for name, (cases, over, of) in wanted.items() if len(cases) > 2}


def draw(path: Path, summary: dict[str, Any]) -> Path:
    """Both dependencies side by side."""

    def panels(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for axes, cases, over in ((left, summary["sizes"], "size"), (right, summary["counts"], "tiles")):
            x, y, spread = (np.array([case[name] for case in cases]) for name in (over, "best_seconds", "mean_seconds"))
            axes.loglog(x, y, "o", label="best")
            axes.loglog(x, spread, "_", color="0.4", label=f"mean of {summary['repeats']}")
            fit = summary["fits"].get({"size": "tile size", "tiles": "number of tiles"}[over])
            if fit:
                middle = np.exp(np.mean(np.log(y)) + fit["exponent"] * (np.log(x) - np.mean(np.log(x))))
                axes.loglog(x, middle, "-", lw=1, label=f"exponent {fit['exponent']:.2f} ± {fit['standard_error']:.2f}")
            axes.set_xticks(x, [f"{value}" for value in x])
            axes.minorticks_off()
            plain_log(axes.yaxis, at=(1,))
            axes.legend()
        left.set(xlabel="side n of a tile of n×n devices", ylabel="time of a fold (s)", title="one tile")
        right.set(xlabel="number of tiles", title=f"tiles of {TILE}×{TILE}")

    caption = (
        f"benchmarks/nodal_scaling.py: wires 1 ohm, source 100 ohm, neuron 50 ohm; float64, one thread, jax {summary['jax']}, "
        "without compilation"
    )
    return save(path, panels, caption=caption, width=PAGE, height=76)


def show(summary: dict[str, Any]) -> None:
    """The same numbers as a table."""
    columns = ("tile", "tiles", "n", "best [s]", "mean [s]", "std [s]", "compile [s]", "memory [MiB]", "residual")
    rows = [
        (f"{c['size']}×{c['size']}", c["tiles"], c["n"], *(f"{c[k]:.4g}" for k in ("best_seconds", "mean_seconds",
         "std_seconds")), f"{c['compile_seconds']:.1f}", f"{c['temporary_bytes'] / 2**20:.4g}", f"{c['residual']:.0e}")
        for c in [*summary["sizes"], *summary["counts"]]
    ]  # fmt: skip
    print_table("Exact fold, float64, one thread", columns, rows)
    for name, fit in summary["fits"].items():
        kind = "time" if fit["of"] == "best_seconds" else "memory"
        print(f"{kind} ~ ({name})^{fit['exponent']:.2f} ± {fit['standard_error']:.2f}, {fit['n']} points")
    for size, (seconds, gibibytes) in ALLOWED.items():
        print(f"{size}×{size}: at most {seconds:g} s and {gibibytes:g} GiB")
    print(f"figure: {summary['figure']}")


def missed(case: dict[str, Any]) -> bool:
    """Whether a case takes more than it may."""
    seconds, gibibytes = ALLOWED.get(case["size"], (np.inf, np.inf))
    return (
        case["best_seconds"] > seconds
        or case["temporary_bytes"] > gibibytes * 2**30
        or not case["residual"] <= RESIDUAL
    )


def main() -> int:
    """Measure, draw and print; 1 where a large array takes more than it may, or was not solved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument(
        "--figure", type=Path, help="the PNG to write; without it, one in the folder of temporary files"
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[32, 64, 128, 256, 512], help="sides of the square tiles"
    )
    parser.add_argument("--large", type=int, nargs="*", default=[1024, 2048], help="sides that are timed once")
    parser.add_argument("--tiles", type=int, nargs="+", default=[1, 4, 16, 64], help=f"tiles of {TILE}×{TILE}")
    parser.add_argument("--repeats", type=int, default=5, help="timed repetitions, of which the best counts")
    options = parser.parse_args()
    figure = options.figure or Path(tempfile.mkdtemp(prefix="xbar-bench-")) / "nodal_scaling.png"
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        sizes = [one(size, 1, options.repeats, rng) for size in sorted(options.sizes)]
        sizes += [one(size, 1, 1, rng) for size in sorted(options.large)]
        counts = [one(TILE, tiles, options.repeats, rng) for tiles in sorted(options.tiles)]
    summary = {
        "repeats": options.repeats, "jax": jax.__version__, "threads": os.environ["NPROC"], "sizes": sizes,
        "counts": counts, "fits": fits(sizes, counts), "figure": str(figure),
    }  # fmt: skip
    figure.parent.mkdir(parents=True, exist_ok=True)
    draw(figure, summary)
    (print_json if options.json else show)(summary)
    return int(any(map(missed, [*sizes, *counts])))


if __name__ == "__main__":
    sys.exit(main())
