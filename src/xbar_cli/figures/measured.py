"""Figures of measured devices: how far they are from their targets; pulse trains beside what was fitted to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from xbar_cli.figures.drawing import Axes, legend_above, save
from xbar_cli.figures.style import DASHES, KINDS, PAGE
from xbar_cli.vectors import Vector

HEIGHT = 105.0
"""Of the figure [mm]."""


@dataclass(frozen=True)
class TrainCurves:
    """What is drawn of pulses of one sign.

    Attributes:
        measured: conductances of each run of pulses [S].
        mean: their mean [S].
        fitted: the model's mean curve [S].
        place: middles of parts of the window, as shares of it.
        step: mean measured step in each, over the window.
        spread: standard deviation of the steps.
        line: the model's mean step there.
    """

    measured: Sequence[Vector]
    mean: Vector
    fitted: Vector
    place: Vector
    step: Vector
    spread: Vector
    line: Vector


def pulse_trains(path: Path, *, curves: Mapping[str, TrainCurves], caption: str) -> Path:
    """Conductance over pulses above, step over the place in the window below; a column for each sign."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(2, len(curves), sharey="row", squeeze=False)
        for (above, below), (way, each) in zip(panels.T, curves.items(), strict=True):
            _over_pulses(above, way, each)
            _over_place(below, each)
        panels[0, 0].set_ylabel("conductance (µS)")
        panels[1, 0].set_ylabel("step of a pulse (% of window)")
        legend_above(figure, panels[0, 0])

    return save(path, draw, caption=caption, width=PAGE, height=HEIGHT)


def _over_pulses(axes: Axes, way: str, drawn: TrainCurves) -> None:
    for number, run in enumerate(drawn.measured):
        axes.plot(run * 1e6, color="0.75", linewidth=0.5, label="one train" if number == 0 else None)
    axes.plot(drawn.mean * 1e6, "o", color=KINDS[0], markersize=2, label="mean measured")
    axes.plot(drawn.fitted * 1e6, color=KINDS[2], linestyle=DASHES[0], label="fitted")
    axes.set(xlabel=f"pulses {way}", xlim=(0, max(len(drawn.mean) - 1, 1)))


def _over_place(axes: Axes, drawn: TrainCurves) -> None:
    there = np.isfinite(drawn.step)
    place, step, spread = (values[there] * 100 for values in (drawn.place, drawn.step, drawn.spread))
    axes.errorbar(place, step, yerr=spread, fmt="o", color=KINDS[0], markersize=2.5, capsize=2)
    axes.plot(drawn.place * 100, drawn.line * 100, color=KINDS[2], linestyle=DASHES[0])
    axes.axhline(0, color="0.4", linewidth=0.6)
    axes.set(xlabel="place in the window (%)", xlim=(0, 100))


def missed_targets(
    path: Path, *, target: Vector, measured: Vector, knots: Vector, mean: Vector, sigma: Vector, caption: str
) -> Path:
    """Measurements about their targets, with the mean and one standard deviation to each side at some of these."""

    def panel(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(target * 1e6, (measured - target) * 1e6, ".", color="0.6", markersize=3, label="measured")
        bias = (mean - knots) * 1e6
        axes.errorbar(knots * 1e6, bias, yerr=sigma * 1e6, fmt="o-", markersize=3, label="mean ± σ")
        axes.set(xlabel="target conductance (µS)", ylabel="measured − target (µS)")
        legend_above(figure, axes)

    return save(path, panel, caption=caption)
