"""The figures of a characterised cell: effective conductance, tolerance metric, linear range against the gate voltage."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xbar_cli.figures import drawing
from xbar_cli.figures.style import COLUMN, KINDS, PAGE
from xbar_cli.vectors import Vector

MOST_LINES = 13
"""Most gate voltages that a figure shows as lines."""


def effective_conductance(
    path: Path, *, vin: Vector, g: Vector, vg: Vector, g_eff: NDArray[np.float64], caption: str
) -> Path:
    """G_eff [vg g vin] [S] against V_in for a few memristor conductances, one panel a gate voltage (neat, Fig. 3)."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(vg), sharey=True, squeeze=False)[0]
        for panel, gate, values in zip(panels, vg, g_eff, strict=True):
            for conductance, line in zip(g, values, strict=True):
                panel.plot(vin, line * 1e6, label=f"{conductance * 1e6:.1f} µS")
            panel.set(title=rf"$V_\mathrm{{g}}$ = {gate:g} V", xlabel=r"$V_\mathrm{in}$ (V)")
            panel.locator_params(axis="x", nbins=5)
        panels[0].set_ylabel(r"effective conductance $I/V_\mathrm{in}$ (µS)")
        drawing.legend_above(figure, panels[0], title="memristor conductance $G$")

    return drawing.save(path, draw, caption=caption, width=PAGE if len(vg) > 2 else COLUMN, height=70)


def tolerance(
    path: Path,
    *,
    g: Vector,
    vg: Vector,
    tm: NDArray[np.float64],
    span: NDArray[np.float64],
    bound: float,
    metric: str,
    caption: str,
) -> Path:
    """The tolerance metric `tm` [vg g] against memristor conductance, and the spread of G_eff that it measures (neat, Fig. 4).

    `span` holds the smallest and the largest G_eff over V_in [2 vg g] [S]; `bound` is the tolerance.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        shown = sorted({round(k) for k in np.linspace(0, len(vg) - 1, MOST_LINES)})
        colors = dict(zip(shown, matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(shown))), strict=True))
        for index, color in colors.items():
            left.plot(g * 1e6, tm[index] * 100, color=color, label=f"{vg[index]:g} V")
        left.axhline(bound * 100, color=KINDS[2], linestyle="--", label=f"bound {bound * 100:g} %")
        left.set(
            xlabel="memristor conductance $G$ (µS)", yscale="log",
            ylabel=rf"{metric} of $G_\mathrm{{eff}}$ over $V_\mathrm{{in}}$ (%)",
        )  # fmt: skip
        drawing.plain_log(left.yaxis, at=(1.0, 2.0, 5.0))
        bands = [shown[0], shown[(len(shown) - 1) // 2], shown[-1]]
        for index in dict.fromkeys(bands):
            right.fill_between(
                g * 1e6, span[0, index] / g, span[1, index] / g, color=colors[index], alpha=0.6, linewidth=1
            )
        right.set(
            xlabel="memristor conductance $G$ (µS)",
            ylabel=r"$G_\mathrm{eff}/G$, smallest to largest over $V_\mathrm{in}$",
        )
        drawing.legend_above(figure, left, title=r"$V_\mathrm{g}$")

    return drawing.save(path, draw, caption=caption, width=PAGE, height=76)


def linear_range(
    path: Path,
    *,
    vg: Vector,
    g_lo: Vector,
    g_cut: Vector,
    g_cut_second: Vector,
    g_off: float,
    g_on: float,
    bounds: tuple[str, str],
    caption: str,
) -> Path:
    """The linear range [G_lo, G_cut] [S] against gate voltage, and G_cut at a second tolerance (neat, Fig. 5).

    Edges are NaN where there is no range; `bounds` are the two tolerances, as texts.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.fill_between(
            vg, g_lo * 1e6, g_cut * 1e6, alpha=0.2, color=KINDS[1], linewidth=0, label=f"linear range, {bounds[0]}"
        )
        axes.plot(vg, g_cut_second * 1e6, "^--", color=KINDS[3], label=rf"$G_\mathrm{{cut}}$, {bounds[1]}")
        axes.plot(vg, g_cut * 1e6, "o-", color=KINDS[1], label=rf"$G_\mathrm{{cut}}$, {bounds[0]}")
        axes.plot(vg, g_lo * 1e6, "s-", color=KINDS[2], label=rf"$G_\mathrm{{lo}}$, {bounds[0]}")
        for value, name, rise, side in (
            (g_on, r"$G_\mathrm{on}$", 3, "bottom"),
            (g_off, r"$G_\mathrm{off}$", -3, "top"),
        ):
            axes.axhline(value * 1e6, color="0.4", linestyle=":")
            axes.annotate(
                name, (0, value * 1e6), xycoords=("axes fraction", "data"), xytext=(3, rise), textcoords="offset points",
                fontsize="small", va=side,
            )  # fmt: skip
        for gate in vg[np.isnan(g_cut)]:
            axes.annotate("none", (gate, g_off * 1e6), xytext=(0, 12), textcoords="offset points", fontsize="small", ha="center",
                          color=KINDS[2])  # fmt: skip
        axes.set(
            xlabel=r"gate voltage $V_\mathrm{g}$ (V)", ylabel="memristor conductance $G$ (µS)",
            ylim=(0, 1.12 * g_on * 1e6),
        )  # fmt: skip
        axes.margins(x=0.06)
        drawing.legend_above(figure, axes)

    return drawing.save(path, draw, caption=caption, height=70)
