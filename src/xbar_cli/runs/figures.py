"""Figures of runs: matplotlib without a display; axes carry units, captions the run's parameters."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Axes = Any

matplotlib.rcParams.update(
    {
        "axes.grid": True,
        "grid.alpha": 0.3,
        "font.size": 9,
        "axes.titlesize": 9,
        "legend.fontsize": 8,
        "legend.frameon": False,
    }
)


def save(path: Path, draw: Callable[[Figure], None], *, caption: str, size: tuple[float, float] = (6.4, 4.2)) -> Path:
    """Draw one figure and write it as PNG, with the caption below the axes.

    The margins are fixed lengths: matplotlib's own layout engine takes half of the drawing time.
    """
    figure = Figure(figsize=size, dpi=120)
    width, height = size
    figure.subplots_adjust(
        left=0.75 / width, right=1 - 0.15 / width, bottom=(0.75 + 0.14 * caption.count("\n")) / height,
        top=1 - 0.32 / height, wspace=0.08, hspace=0.45,
    )  # fmt: skip
    draw(figure)
    figure.text(0.5, 0.08 / height, caption, fontsize=7, color="0.35", ha="center", va="bottom", wrap=True)
    figure.savefig(path, metadata={"Software": None})
    return path


def effective_conductance(
    path: Path, *, vin: Vector, g: Vector, vg: Vector, g_eff: NDArray[np.float64], caption: str
) -> Path:
    """G_eff against V_in for a few memristor conductances, one panel a gate voltage (neat, Fig. 3).

    Args:
        path: the PNG to write.
        vin: input voltages [V].
        g: memristor conductances [S].
        vg: gate voltages [V] of the panels.
        g_eff: effective conductances [vg g vin] [S].
        caption: parameters of the run.
    """

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(vg), sharey=True, squeeze=False)[0]
        for panel, gate, values in zip(panels, vg, g_eff, strict=True):
            for conductance, line in zip(g, values, strict=True):
                panel.plot(vin, line * 1e6, label=f"{conductance * 1e6:.1f} µS")
            panel.set(title=f"V_g = {gate:g} V", xlabel="input voltage V_in [V]")
        panels[0].set_ylabel("effective conductance I / V_in [µS]")
        figure.legend(
            *panels[0].get_legend_handles_labels(), title="memristor G", loc="center right", bbox_to_anchor=(1, 0.55)
        )
        figure.subplots_adjust(right=1 - 1.1 / figure.get_figwidth())

    return save(path, draw, caption=caption, size=(2.6 * len(vg) + 1.6, 3.6))


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
    """The tolerance metric against memristor conductance, and the spread of G_eff that it measures (neat, Fig. 4).

    Args:
        path: the PNG to write.
        g: memristor conductances [S].
        vg: gate voltages [V].
        tm: the metric [vg g].
        span: smallest and largest G_eff over V_in [2 vg g] [S].
        bound: the tolerance.
        metric: its name.
        caption: parameters of the run.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        colors = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(vg)))
        for gate, line, color in zip(vg, tm, colors, strict=True):
            left.plot(g * 1e6, line * 100, color=color, label=f"{gate:g} V")
        left.axhline(bound * 100, color="crimson", linestyle="--", linewidth=1, label=f"bound {bound * 100:g} %")
        left.set(
            xlabel="memristor conductance G [µS]", ylabel=f"{metric} of G_eff over V_in [%]", yscale="log",
            title="Tolerance metric tm",
        )  # fmt: skip
        left.legend(title="V_g", ncols=2)
        for index in sorted({0, (len(vg) - 1) // 2, len(vg) - 1}):
            right.fill_between(
                g * 1e6,
                span[0, index] / g,
                span[1, index] / g,
                color=colors[index],
                alpha=0.6,
                label=f"{vg[index]:g} V",
            )
        right.set(
            xlabel="memristor conductance G [µS]", ylabel="G_eff / G, smallest to largest over V_in",
            title="Spread of the effective conductance",
        )  # fmt: skip
        right.legend(title="V_g")
        figure.subplots_adjust(wspace=0.28)

    return save(path, draw, caption=caption, size=(9.6, 4.2))


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
    """The linear range [G_lo, G_cut] against gate voltage, and G_cut at a second tolerance (neat, Fig. 5).

    Args:
        path: the PNG to write.
        vg: gate voltages [V].
        g_lo: lower edges [S]; NaN where there is no range.
        g_cut: upper edges [S].
        g_cut_second: upper edges at the second tolerance [S].
        g_off: conductance of the high-resistance state [S].
        g_on: conductance of the low-resistance state [S].
        bounds: the two tolerances, as texts.
        caption: parameters of the run.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.fill_between(vg, g_lo * 1e6, g_cut * 1e6, alpha=0.2, label=f"linear range, {bounds[0]}")
        axes.plot(vg, g_cut_second * 1e6, "^--", color="tab:green", label=f"G_cut, {bounds[1]}")
        axes.plot(vg, g_cut * 1e6, "o-", color="tab:blue", label=f"G_cut, {bounds[0]}")
        axes.plot(vg, g_lo * 1e6, "s-", color="tab:orange", markersize=4, label=f"G_lo, {bounds[0]}")
        for value, name in ((g_on, "G_on"), (g_off, "G_off")):
            axes.axhline(value * 1e6, color="0.4", linestyle=":", linewidth=1)
            axes.annotate(
                name, (0, value * 1e6), xycoords=("axes fraction", "data"), xytext=(3, 3), textcoords="offset points",
                fontsize=8,
            )  # fmt: skip
        for gate in vg[np.isnan(g_cut)]:
            axes.annotate("none", (gate, g_off * 1e6), xytext=(0, 12), textcoords="offset points", fontsize=8, ha="center",
                          color="crimson")  # fmt: skip
        axes.set(
            xlabel="gate voltage V_g [V]", ylabel="memristor conductance G [µS]", title="Linear range of the cell",
            ylim=(0, 1.12 * g_on * 1e6),
        )  # fmt: skip
        axes.margins(x=0.06)
        axes.legend(loc="upper left", bbox_to_anchor=(0, 0.87))

    return save(path, draw, caption=caption)


def estimates(
    path: Path,
    *,
    x: Vector,
    mean: Vector,
    low: Vector,
    high: Vector,
    x_label: str,
    y_label: str,
    title: str,
    label: str,
    caption: str,
) -> Path:
    """A mean with its confidence interval against a swept value."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.errorbar(x, mean, yerr=[mean - low, high - mean], marker="o", markersize=4, capsize=3, label=label)
        axes.set(xlabel=x_label, ylabel=y_label, title=title, ylim=(0, 1.15 * float(np.max(high))))
        axes.legend(loc="lower right")

    return save(path, draw, caption=caption)


def differences(
    path: Path, *, reference: Vector, models: Mapping[str, Vector], x_label: str, y_label: str, title: str, caption: str
) -> Path:
    """How far each model is from a reference, relative, against the reference."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for marker, (name, values) in zip("ox+^s", models.items(), strict=False):
            axes.plot(reference, (values / reference - 1) * 100, marker, markersize=4, label=name, alpha=0.8)
        axes.axhline(0, color="0.4", linewidth=1)
        axes.set(xlabel=x_label, ylabel=y_label, title=title)
        axes.margins(y=0.15)
        axes.legend(ncols=len(models), loc="upper center")

    return save(path, draw, caption=caption)


def accuracy_lines(
    path: Path,
    *,
    x: Sequence[float],
    lines: Mapping[str, tuple[Sequence[float], Sequence[float] | None]],
    x_label: str,
    title: str,
    caption: str,
) -> Path:
    """Accuracy against a swept value: each line is (means, half-widths of the 95 % interval or None)."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name, (mean, half) in lines.items():
            axes.errorbar(x, np.asarray(mean) * 100, yerr=None if half is None else np.asarray(half) * 100, label=name,
                          marker="o", markersize=4, capsize=2)  # fmt: skip
        axes.set(xlabel=x_label, ylabel="accuracy [%]", title=title)
        axes.legend()

    return save(path, draw, caption=caption)


def histograms(path: Path, *, values: dict[str, NDArray[np.floating[Any]]], x_label: str, caption: str) -> Path:
    """A histogram for each layer, one above the other, on one axis of values and a logarithmic axis of counts."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
        low = min(float(v.min()) for v in values.values())
        high = max(float(v.max()) for v in values.values())
        bins = np.linspace(low, high if high > low else low + 1, 61)
        for panel, (name, v) in zip(panels, values.items(), strict=True):
            panel.hist(v, bins=bins.tolist(), color="tab:blue")
            panel.set(yscale="log", ylabel="devices")
            panel.set_title(name, loc="left")
        panels[-1].set_xlabel(x_label)

    return save(path, draw, caption=caption, size=(6.0, 1.2 * len(values) + 1.0))


def sample_accuracies(path: Path, *, samples: Sequence[float], reference: float, caption: str) -> Path:
    """The accuracy of every sampled chip, and that of the network in floating point."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        ordered = np.sort(np.asarray(samples)) * 100
        axes.plot(np.arange(1, ordered.size + 1), ordered, "o", markersize=4, label="chips, sorted")
        axes.axhline(float(ordered.mean()), color="tab:blue", linewidth=1, label=f"mean {ordered.mean():.2f} %")
        axes.axhline(reference * 100, color="0.4", linestyle=":", label=f"floating point {reference * 100:.2f} %")
        axes.set(xlabel="chip", ylabel="accuracy [%]", title="Accuracy of the sampled chips")
        axes.legend()

    return save(path, draw, caption=caption)


def stacked_bars(
    path: Path, *, parts: dict[str, Sequence[float]], names: Sequence[str], y_label: str, caption: str
) -> Path:
    """A bar for each name, stacked from the parts."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        base = np.zeros(len(names))
        for part, values in parts.items():
            axes.bar(names, values, bottom=base, label=part)
            base = base + np.asarray(values)
        axes.set(ylabel=y_label)
        axes.grid(axis="x", visible=False)
        axes.legend()

    return save(path, draw, caption=caption)
