"""Writes docs/published.md and its figures: tat's closed form against the exact arrays (Figs. 4a and 4b).

    python scripts/make_published_docs.py [RUN] [--epochs 6]

Trains the fully connected network 784-500-10 with sigmoids on the bundled images unless a train run is given; a minute.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xbar_cli.array.lumped import lumped_dual
from xbar_cli.array.published import published_dual
from xbar_cli.array.wires import Wires
from xbar_cli.cli.main import guarded
from xbar_cli.data.batches import network_inputs
from xbar_cli.device.levels import discretise_ratio
from xbar_cli.device.technologies import Technology, load_technology
from xbar_cli.figures.drawing import legend_above, save
from xbar_cli.figures.style import PAGE
from xbar_cli.trained.opening import open_trained

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
IMAGES, BITS = 100, 4
ALPHA, BETA = np.linspace(0, 0.27e-2, 28), np.array([0.0, 0.013, 0.022, 0.033, 0.05, 0.067]) * 1e-2
"""Source and neuron resistance over the highest synaptic one: the range of all five technologies."""
SHOWN = ((0.05e-2, 0.01e-2), (0.13e-2, 0.033e-2), (0.27e-2, 0.067e-2))
"""(alpha, beta) of the distributions: small, in the middle, the far corner."""
TECHNOLOGIES = ("tio2", "agsi", "taox", "spintronic", "pcm")

Matrix = NDArray[np.float64]

TEXT = """# The published closed form against the exact arrays

Written by `scripts/make_published_docs.py`; do not edit.

`--array published` is the closed form of technology aware training (Chakraborty, Roy, Roy, eqs. 1 to 4) for arrays with
source and neuron resistance; `--array lumped` is the exact solution of the same circuit. The paper compares its form with a
circuit simulation in Figs. 4a and 4b and finds an NRMSD "very close to zero". Here both are applied to dual {rows}×{cols} arrays
with trained weights ({activation} hidden layer, test accuracy {accuracy:.1f} % on `{dataset}`; {bits} bits, the layer's largest
weight at the highest level) and {images} test images. The ratios α = R_s/R_max and β = R_neu/R_max say all: the highest
resistance cancels.

![NRMSD](figures/published_nrmsd.png)

*As Fig. 4b.* Root mean square of the difference between the {numbers} output currents of the two, over the range (largest
less smallest) of the outputs without resistances (left) and of the exact outputs with them (right). Resistances shrink the
outputs, to {shrunk:.0f} % in standard deviation at the far corner; the right-hand scale shrinks with them. The largest values
are {ideal_worst} and {exact_worst}, at {where_ideal} and {where_exact}; {share:.0f} % of the plane is within 0.005 on the
right. Where either resistance is 0 the two are one formula: the largest difference there is {rounding:.0e} of the range.

![Distributions](figures/published_distribution.png)

*As Fig. 4a.* Currents of the {cols} columns, each the mean over the images, by both forms. The paper gives neither the ratios nor
the scale of its figure; these are our choice.

At the largest resistances of each technology:

{table}
"""


def dual(run: Any, technology: Technology) -> tuple[Matrix, Matrix, Matrix]:
    """Conductances of the positive and the negative array [S], and the inputs as voltages [V], 1 V for white."""
    w = jnp.asarray(run.kernels["hidden"])
    limit = jnp.abs(w).max()
    levels = discretise_ratio(w, limit=limit, bits=BITS, ratio=technology.ratio)
    g = np.asarray(levels * (technology.g_on / limit), np.float64)
    images = np.asarray(network_inputs(run.data.test_images[:IMAGES]), np.float64).reshape(IMAGES, -1)
    return np.maximum(g, 0), np.maximum(-g, 0), images


def outputs(model: Any, arrays: tuple[Matrix, Matrix, Matrix], wires: Wires) -> Matrix:
    """Output currents [images columns] [A]."""
    g_pos, g_neg, images = arrays
    return images @ np.asarray(model(jnp.asarray(g_pos), jnp.asarray(g_neg), wires).g_eff)


def pair(arrays: tuple[Matrix, Matrix, Matrix], r_max: float, alpha: float, beta: float) -> tuple[Matrix, Matrix]:
    """The outputs of the exact arrays and of the closed form."""
    wires = Wires(source=alpha * r_max, neuron=beta * r_max)
    exact, closed = (outputs(model, arrays, wires) for model in (lumped_dual, published_dual))
    return exact, closed


def distances(exact: Matrix, closed: Matrix, ideal: Matrix) -> tuple[float, float, float]:
    """NRMSD over the ideal range and over the exact one, and what is left of the standard deviation."""
    rms = float(np.sqrt(np.mean((exact - closed) ** 2)))
    return rms / float(np.ptp(ideal)), rms / float(np.ptp(exact)), float(np.std(exact) / np.std(ideal))


def draw_nrmsd(path: Path, grid: Matrix, technologies: Sequence[Technology], caption: str) -> None:
    """Both distances against alpha, a line for each beta."""

    def panels(figure: Figure) -> None:
        axes = figure.subplots(1, 2)
        for panel, values, title in zip(axes, np.moveaxis(grid[..., :2], -1, 0), ("ideal", "exact"), strict=True):
            for beta, line in zip(BETA, values.T, strict=True):
                panel.plot(100 * ALPHA, line, label=f"{100 * beta:g}")
            panel.axhline(0.005, color="0.4", lw=0.8, ls=":")
            panel.set(
                title=f"over the range of the {title} outputs",
                xlabel=r"$\alpha = R_\mathrm{s}/R_\mathrm{max}$ (%)",
                xlim=(-0.01, 0.32),
                ylim=(-1e-4, 0.0088),
            )
            for n, technology in enumerate(technologies):
                low, high = (100 * r / technology.r_off for r in technology.r_source or (0, 0))
                height = 0.0085 - 0.0003 * n
                panel.plot([low, high], [height] * 2, color="0.6", lw=2.5, solid_capstyle="butt")
                panel.text(high + 0.003, height, technology.name, fontsize=6, va="center", color="0.35")
        axes[0].set_ylabel("NRMSD of the closed form")
        legend_above(figure, axes[0], title=r"$\beta$ (%)")

    save(path, panels, caption=caption, width=PAGE, height=80)


def draw_distributions(path: Path, shown: dict[tuple[float, float], tuple[Matrix, Matrix]], caption: str) -> None:
    """Histograms over the columns of the current that is the mean over the images."""

    def panels(figure: Figure) -> None:
        axes = figure.subplots(1, len(shown))
        for panel, ((alpha, beta), currents) in zip(axes, shown.items(), strict=True):
            means = [1e6 * one.mean(axis=0) for one in currents]
            edges = np.histogram_bin_edges(np.concatenate(means), bins=30)
            panel.hist(means[0], edges, color="0.75", label="exact (lumped)")
            panel.hist(means[1], edges, histtype="step", lw=1.2, label="closed form (published)")
            panel.set(title=f"α = {100 * alpha:g} %, β = {100 * beta:g} %", xlabel="mean output current (µA)")
        axes[0].set_ylabel("columns")
        legend_above(figure, axes[0])

    save(path, panels, caption=caption, width=PAGE, height=65)


def corners(
    arrays: tuple[Matrix, Matrix, Matrix], r_max: float, technologies: Sequence[Technology], ideal: Matrix
) -> str:
    """A table: each technology at its largest resistances."""
    heads = ["technology", "R_s [ohm]", "R_neu [ohm]", "α [%]", "β [%]", "NRMSD, ideal range", "NRMSD, exact range"]
    lines = [heads, ["---"] * len(heads)]
    for technology in technologies:
        source, neuron = (r[1] for r in (technology.r_source or (0, 0), technology.r_neuron or (0, 0)))
        alpha, beta = source / technology.r_off, neuron / technology.r_off
        over_ideal, over_exact, _ = distances(*pair(arrays, r_max, alpha, beta), ideal)
        ratios = [f"{100 * alpha:.3g}", f"{100 * beta:.3g}", f"{over_ideal:.4f}", f"{over_exact:.4f}"]
        lines.append([technology.name, f"{source:g}", f"{neuron:g}", *ratios])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def trained(path: Path | None, epochs: int, folder: Path) -> Any:
    """The train run at `path`, or the paper's network trained on the bundled images."""
    if path is None:
        path = folder / "fcn"
        words = ["train", "--network", "mlp", "--activation", "sigmoid", "--epochs", str(epochs), "--out", str(path)]
        if guarded([*words, "--quiet"]) != 0:
            raise SystemExit("training failed")
    return open_trained(path, use="scripts/make_published_docs.py")


def write(run: Any) -> None:
    """Compute, draw, write."""
    technologies = [load_technology(name) for name in TECHNOLOGIES]
    taox = load_technology("taox")
    arrays, r_max = dual(run, taox), taox.r_off
    ideal = outputs(lumped_dual, arrays, Wires())
    grid = np.array([[distances(*pair(arrays, r_max, a, b), ideal) for b in BETA] for a in ALPHA])
    inner = grid[1:, 1:]
    same = max(grid[0, :, 1].max(), grid[:, 0, 1].max())
    at = [np.unravel_index(np.argmax(grid[..., n]), grid.shape[:2]) for n in (0, 1)]
    where = [f"α = {100 * ALPHA[a]:.3g} %, β = {100 * BETA[b]:.3g} %" for a, b in at]
    summary = run.summary
    rows, cols = arrays[0].shape
    about = f"dual {rows}×{cols} arrays, {BITS}-bit weights, {IMAGES} test images of {summary['dataset']}"
    figures = DOCS / "figures"
    figures.mkdir(exist_ok=True)
    draw_nrmsd(
        figures / "published_nrmsd.png", grid, technologies,
        f"{about}; grey: range of α of each technology (R_s 200 to 800 ohm); dotted: 0.005",
    )  # fmt: skip
    shown = {ratios: pair(arrays, r_max, *ratios) for ratios in SHOWN}
    draw_distributions(figures / "published_distribution.png", shown, f"{about}; R_max {r_max:g} ohm, 1 V for white")
    text = TEXT.format(
        rows=rows, cols=cols, activation="sigmoid", bits=BITS, images=IMAGES,
        accuracy=100 * summary["test_accuracy"], dataset=summary["dataset"], numbers=ideal.size,
        shrunk=100 * grid[-1, -1, 2], ideal_worst=f"{grid[..., 0].max():.4f}", exact_worst=f"{grid[..., 1].max():.4f}",
        where_ideal=where[0], where_exact=where[1], share=100 * float(np.mean(inner[..., 1] <= 0.005)), rounding=same,
        table=corners(arrays, r_max, technologies, ideal),
    )  # fmt: skip
    (DOCS / "published.md").write_text(text, encoding="utf-8")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="a train run of mlp")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = trained(options.run, options.epochs, Path(folder))
        with jax.enable_x64(True):
            write(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
