"""Figures that several commands draw; each takes the path of its PNG and a caption with the run's parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xbar_cli.figures.drawing import (
    HEIGHT,
    MOST_NAMED,
    legend_above,
    name_bars,
    plain_log,
    save,
    whole,
)
from xbar_cli.figures.style import DASHES, KINDS, MARKERS
from xbar_cli.vectors import Vector

PANEL, AROUND = 26.0, 16.0
"""Height of one panel of several, and of labels and legend around them [mm]."""


def estimates(
    path: Path,
    *,
    x: Vector,
    mean: Vector,
    low: Vector,
    high: Vector,
    x_label: str,
    y_label: str,
    label: str,
    caption: str,
) -> Path:
    """A mean with its confidence interval against a swept value."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.errorbar(x, mean, yerr=[mean - low, high - mean], marker="o", capsize=2, label=label)
        axes.set(xlabel=x_label, ylabel=y_label, ylim=(0, 1.15 * float(np.max(high))))
        axes.legend(loc="lower right")

    return save(path, draw, caption=caption)


def differences(
    path: Path, *, reference: Vector, models: Mapping[str, Vector], x_label: str, y_label: str, caption: str
) -> Path:
    """How far each model is from a reference, relative, against the reference."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for marker, (name, values) in zip("ox+^s", models.items(), strict=False):
            axes.plot(reference, (values / reference - 1) * 100, marker, label=name, alpha=0.8)
        axes.axhline(0, color="0.4", linewidth=0.8)
        axes.set(xlabel=x_label, ylabel=y_label)
        legend_above(figure, axes)

    return save(path, draw, caption=caption)


def accuracy_lines(
    path: Path,
    *,
    x: Sequence[float],
    lines: Mapping[str, tuple[Sequence[float], Sequence[tuple[float, float]] | None]],
    x_label: str,
    caption: str,
) -> Path:
    """Accuracy against a swept value: each line is (means, ends of their 95 % intervals or None)."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, (name, (mean, ends)) in enumerate(lines.items()):
            bars = None if ends is None else np.abs(np.transpose(ends) - np.asarray(mean)) * 100
            style = {"marker": MARKERS[number % len(MARKERS)], "linestyle": DASHES[number % len(DASHES)]}
            axes.errorbar(x, np.asarray(mean) * 100, yerr=bars, label=name, capsize=2, **style)
        axes.set(xlabel=x_label, ylabel="accuracy (%)")
        legend_above(figure, axes)  # lines of accuracies leave no corner free

    return save(path, draw, caption=caption, height=HEIGHT + 3.5 * len(lines))


def histograms(path: Path, *, values: dict[str, NDArray[np.floating[Any]]], x_label: str, caption: str) -> Path:
    """A histogram for each layer, one above the other, on one axis of values and a logarithmic axis of counts."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
        low = min(float(v.min()) for v in values.values())
        high = max(float(v.max()) for v in values.values())
        bins = np.linspace(low, high if high > low else low + 1, 61)
        for panel, (name, v) in zip(panels, values.items(), strict=True):
            panel.hist(v, bins=bins.tolist(), color=KINDS[1])
            counted(panel, name)
        figure.supylabel("devices", fontsize="medium")
        panels[-1].set_xlabel(x_label)

    return save(path, draw, caption=caption, height=PANEL * len(values) + AROUND)


def counted(panel: Any, name: str) -> None:
    """A panel of counts, on a logarithmic axis, with its layer's name."""
    panel.set(yscale="log")
    plain_log(panel.yaxis, at=(1.0,))
    panel.set_title(name, loc="left", pad=2)


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
            panel.hist(after[name], bins=bins, histtype="step", color=KINDS[1], linewidth=1.0, label="retrained")
            for limit, label in ((-limits[name], None), (limits[name], r"$\pm W_\mathrm{cut}$")):
                panel.axvline(limit, color=KINDS[2], linestyle="--", linewidth=0.8, label=label)
            counted(panel, name)
        legend_above(figure, panels[0])
        figure.supylabel("weights", fontsize="medium")
        panels[-1].set_xlabel("weight $W$")

    return save(path, draw, caption=caption, height=PANEL * len(before) + AROUND + 5)


def rounds(
    path: Path,
    *,
    reached: Sequence[float],
    metric: str = "accuracy",
    percent: bool = True,
    shares: Mapping[str, Sequence[float]],
    caption: str,
) -> Path:
    """Rounds of restricting and retraining: the accuracy after each restriction, the layers' weights in range before it.

    Args:
        path: the PNG to write.
        reached: the metric after each restriction, the first before any retraining.
        shares: of the weights in range, by layer.
        caption: parameters of the run.
    """

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        count = range(len(reached))
        above.plot(count, np.asarray(reached) * (100 if percent else 1), color=KINDS[0], marker="o")
        above.set_ylabel(f"validation {metric}\nafter restricting" + percent * " (%)")
        named = -(-len(shares) // MOST_NAMED)
        for number, (name, values) in enumerate(shares.items()):
            colour = matplotlib.colormaps["viridis"](0.9 * number / max(len(shares) - 1, 1))  # by depth
            label = name if number % named == 0 or number == len(shares) - 1 else None
            mark = MARKERS[number % len(MARKERS)]
            below.plot(count, np.asarray(values) * 100, marker=mark, color=colour, label=label)
        below.set(xlabel="round of retraining and restricting", ylabel="weights in range\nbefore restricting (%)")
        whole(below.xaxis)
        legend_above(figure, below, title=None if named == 1 else "some of the layers")

    return save(path, draw, caption=caption, height=1.6 * HEIGHT)


def learning(
    path: Path, *, lines: Sequence[Mapping[str, Any]], metric: str = "accuracy", percent: bool = True, caption: str
) -> Path | None:
    """Loss and validation metric, epoch by epoch over all phases; None where no epoch was trained.

    Args:
        path: the PNG to write.
        lines: of metrics.jsonl.
        metric: that is validated.
        percent: whether it is a share.
        caption: parameters of the run.
    """
    epochs = [line for line in lines if line.get("loss") is not None]
    if not epochs:
        return None
    starts = [n for n in range(1, len(epochs)) if epochs[n].get("phase") != epochs[n - 1].get("phase")]

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        count = np.arange(1, len(epochs) + 1)
        above.plot(count, [line["loss"] for line in epochs], color=KINDS[0], marker="o")
        above.set_ylabel("training loss")
        reached = [line.get(f"validation_{metric}") for line in epochs]
        scaled = [np.nan if value is None else value * (100 if percent else 1) for value in reached]
        below.plot(count, scaled, color=KINDS[1], marker="s")
        below.set(xlabel="epoch", ylabel=f"validation {metric}" + percent * " (%)")
        for panel in (above, below):
            for start in starts:
                panel.axvline(start + 0.5, color="0.6", linestyle=":", linewidth=0.8)
        for start in starts:
            above.annotate(f"{epochs[start]['phase']}", (start + 0.5, 1), xycoords=("data", "axes fraction"),
                           xytext=(2, -2), textcoords="offset points", va="top", fontsize="small")  # fmt: skip
        whole(below.xaxis)

    return save(path, draw, caption=caption, height=1.4 * HEIGHT)


def sample_accuracies(
    path: Path,
    *,
    samples: Sequence[float],
    reference: float,
    caption: str,
    name: str = "accuracy",
    percent: bool = True,
) -> Path:
    """The metric of every sampled chip, and that of the network in floating point."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        scale = 100 if percent else 1
        ordered = np.sort(np.asarray(samples)) * scale
        mean = f"mean {ordered.mean():.2f} %" if percent else f"mean {ordered.mean():.4g}"
        axes.plot(np.arange(1, ordered.size + 1), ordered, "o", color=KINDS[1], label="chips")
        axes.axhline(float(ordered.mean()), color=KINDS[1], linewidth=0.8, label=mean)
        exact = f"{reference * 100:.2f} %" if percent else f"{reference:.4g}"
        axes.axhline(reference * scale, color="0.3", linestyle=":", label=f"floating point {exact}")
        axes.set(xlabel="chips, sorted", ylabel=name + percent * " (%)")
        whole(axes.xaxis)
        legend_above(figure, axes)

    return save(path, draw, caption=caption)


def stacked_bars(
    path: Path, *, parts: dict[str, Sequence[float]], names: Sequence[str], y_label: str, caption: str
) -> Path:
    """A bar for each name, stacked from the parts."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        base = np.zeros(len(names))
        for number, (part, values) in enumerate(parts.items()):
            axes.bar(range(len(names)), values, bottom=base, label=part, color=KINDS[(number + 1) % len(KINDS)])
            base = base + np.asarray(values)
        name_bars(axes, names)
        axes.set(ylabel=y_label)
        axes.grid(axis="x", visible=False)
        if len(parts) > 1:
            legend_above(figure, axes)

    return save(path, draw, caption=caption)
