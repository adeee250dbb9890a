"""Figures of runs: matplotlib without a display; axes carry units, captions the run's parameters.

Drawing is half measuring texts: titles, axis labels and captions stand at fixed distances, so that only what is seen is
measured. No text is mathematics ($…$), whose parser takes as long as a figure.
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from xbar_cli.vectors import Vector

Axes = Any

LEFT, RIGHT, BOTTOM, TOP = 0.75, 0.15, 0.75, 0.32
"""Margins of a figure [inch]."""
X_LABEL, Y_LABEL = 0.3, 0.52
"""Distance of the axis labels from their axes [inch]."""
CAPTION_SIZE, CAPTION_LINE = 7, 0.14
"""Size [pt] and height of a line [inch] of the caption."""
LETTERS = 17
"""Letters of the caption on one inch."""
matplotlib.rcParams.update(
    {
        "axes.grid": True,
        "axes.titley": 1.0,
        "grid.alpha": 0.3,
        "font.size": 9,
        "axes.titlesize": 9,
        "legend.fontsize": 8,
        "legend.framealpha": 0.8,
        "legend.edgecolor": "none",
        "legend.fancybox": False,
    }
)


def save(path: Path, draw: Callable[[Figure], None], *, caption: str, size: tuple[float, float] = (6.4, 4.2)) -> Path:
    """Draw one figure and write it as PNG, with the caption below the axes."""
    figure = Figure(figsize=size, dpi=120)
    width, height = size
    lines = [part for line in caption.splitlines() for part in textwrap.wrap(line, int(LETTERS * (width - 0.3)))]
    bottom = BOTTOM + CAPTION_LINE * (len(lines) - 1)
    figure.subplots_adjust(
        left=LEFT / width,
        right=1 - RIGHT / width,
        bottom=bottom / height,
        top=1 - TOP / height,
        wspace=0.08,
        hspace=0.45,
    )
    draw(figure)
    for axes in figure.axes:
        box = axes.get_position()
        axes.xaxis.set_label_coords(0.5, -X_LABEL / (box.height * height))
        axes.yaxis.set_label_coords(-Y_LABEL / (box.width * width), 0.5)
    figure.text(0.5, 0.08 / height, "\n".join(lines), fontsize=CAPTION_SIZE, color="0.35", ha="center", va="bottom")
    figure.savefig(path, metadata={"Software": None})
    return path


MOST_NAMED = 9
"""Names that fit beside each other; of more layers a legend names every so many."""


def plain_log(axis: Any, *, at: tuple[float, ...]) -> None:
    """A logarithmic axis labelled with plain numbers at these multiples of the powers of ten."""
    axis.set_major_locator(LogLocator(subs=at))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def name_bars(axes: Axes, names: Sequence[str]) -> None:
    """The names under the bars at 0, 1, …; upright and small where there are many."""
    few = len(names) <= MOST_NAMED
    axes.set_xticks(range(len(names)), list(names), rotation=0 if few else 90, fontsize=8 if few else 5)


def legend_beside(figure: Figure, axes: Axes, *, title: str, width: float) -> None:
    """The legend of `axes` to the right of all axes, in a margin of `width` [inch]."""
    figure.subplots_adjust(right=1 - width / figure.get_figwidth())
    figure.legend(
        *axes.get_legend_handles_labels(), title=title, loc="center right", bbox_to_anchor=(1, 0.55), frameon=False
    )


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
    lines: Mapping[str, tuple[Sequence[float], Sequence[tuple[float, float]] | None]],
    x_label: str,
    title: str,
    caption: str,
) -> Path:
    """Accuracy against a swept value: each line is (means, ends of their 95 % intervals or None)."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name, (mean, ends) in lines.items():
            bars = None if ends is None else np.abs(np.transpose(ends) - np.asarray(mean)) * 100
            axes.errorbar(x, np.asarray(mean) * 100, yerr=bars, label=name, marker="o", markersize=4, capsize=2)
        axes.set(xlabel=x_label, ylabel="accuracy [%]", title=title)
        legend_beside(figure, axes, title="", width=2.3)  # lines of accuracies leave no corner free

    return save(path, draw, caption=caption, size=(8.4, 4.2))


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
            plain_log(panel.yaxis, at=(1.0,))
            panel.set_title(name, loc="left")
        panels[-1].set_xlabel(x_label)

    return save(path, draw, caption=caption, size=(6.0, 1.2 * len(values) + 1.0))


def weight_distributions(
    path: Path,
    *,
    before: dict[str, NDArray[np.floating[Any]]],
    after: dict[str, NDArray[np.floating[Any]]],
    limits: Mapping[str, float],
    caption: str,
) -> Path:
    """Weights of each layer before and after retraining, and the limits they were restricted to (neat, Figs. 7 and 9)."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(before), 1, sharex=True, squeeze=False)[:, 0]
        largest = max(float(np.abs(v).max()) for v in before.values()) or 1.0
        bins = np.linspace(-largest, largest, 81).tolist()
        for panel, name in zip(panels, before, strict=True):
            panel.hist(before[name], bins=bins, color="0.7", label="before restricting")
            panel.hist(after[name], bins=bins, histtype="step", color="tab:blue", label="retrained")
            for limit in (-limits[name], limits[name]):
                panel.axvline(limit, color="crimson", linestyle="--", linewidth=1)
            panel.set(yscale="log", ylabel="weights")
            plain_log(panel.yaxis, at=(1.0,))
            panel.set_title(name, loc="left")
        panels[0].legend(fontsize=7, loc="upper right")
        panels[-1].set_xlabel("weight")

    return save(path, draw, caption=caption, size=(6.0, 1.2 * len(before) + 1.0))


def rounds(path: Path, *, accuracy: Sequence[float], shares: Mapping[str, Sequence[float]], caption: str) -> Path:
    """Rounds of restricting and retraining: the accuracy after each restriction, the layers' weights in range before it.

    Args:
        path: the PNG to write.
        accuracy: after each restriction, the first before any retraining.
        shares: of the weights in range, by layer.
        caption: parameters of the run.
    """

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        count = range(len(accuracy))
        above.plot(count, np.asarray(accuracy) * 100, color="0.2", marker="o", markersize=3)
        above.set(ylabel="accuracy [%]", title="Validation accuracy after restricting")
        named = -(-len(shares) // MOST_NAMED)
        for number, (name, values) in enumerate(shares.items()):
            colour = matplotlib.colormaps["viridis"](0.9 * number / max(len(shares) - 1, 1))  # by depth
            label = name if number % named == 0 or number == len(shares) - 1 else None
            below.plot(count, np.asarray(values) * 100, marker="o", markersize=3, color=colour, label=label)
        below.set(
            xlabel="round of retraining and restricting",
            ylabel="share [%]",
            title="Weights in range before restricting",
        )
        below.xaxis.get_major_locator().set_params(integer=True)
        legend_beside(figure, below, title="layer" if named == 1 else "layers, some", width=1.25)

    return save(path, draw, caption=caption)


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
            axes.bar(range(len(names)), values, bottom=base, label=part)
            base = base + np.asarray(values)
        name_bars(axes, names)
        axes.set(ylabel=y_label)
        axes.grid(axis="x", visible=False)
        if len(parts) > 1:
            axes.legend()

    return save(path, draw, caption=caption)
