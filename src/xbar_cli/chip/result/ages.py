"""What becomes of chips over time: a figure, and the fields of results.nc."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xbar_cli.figures import drawing
from xbar_cli.figures.labels import Label, prefixed
from xbar_cli.figures.style import KINDS
from xbar_cli.nn.score import Measure
from xbar_cli.runs.results import Field, field


def draw_ages(path: Path, result: Mapping[str, Any], *, caption: str) -> Path:
    """The metric against time, every chip a thin line, the mean with its interval above them."""
    measure, ages = Measure(result["metric"]), result["ages"]
    name, scale = measure.metric, 100 if measure.is_share else 1
    times = np.array([age["t_seconds"] for age in ages])

    def draw(figure: Figure) -> None:
        spent = [age.get("spent") for age in ages]
        costed = all(cost is not None and cost["joule"] is not None for cost in spent)
        axes = figure.subplots()
        if costed:
            below = axes.twinx()
            joules = [cost["joule"] for cost in spent]
            label = prefixed(Label("spent on policies", unit="J"), max(joules))
            below.step(times, np.array(joules) * label.factor, where="post", color=KINDS[2])
            below.set_ylabel(label.text, color=KINDS[2])
            below.grid(visible=False)
        samples = scale * np.array([age[f"{name}_samples"] for age in ages])
        axes.plot(times, samples, color="0.75", linewidth=0.6)
        mean = scale * np.array([age["metric_value"] for age in ages])
        intervals = [age["metric_ci95"] or [age["metric_value"]] * 2 for age in ages]
        low, high = scale * np.array(intervals).T
        axes.errorbar(times, mean, yerr=[mean - low, high - mean], fmt="o-", capsize=2, label="mean of the chips")
        axes.axhline(scale * result[f"ideal_{name}"], color="0.4", linestyle=":", label="floating point")
        unit = " (%)" if measure.is_share else ""
        axes.set(xscale="log", xlabel="time since programming (s)", ylabel=name + unit)
        drawing.legend_above(figure, axes)

    return drawing.save(path, draw, caption=caption)


def age_fields(ages: Sequence[Mapping[str, Any]], *, metric: str) -> dict[str, Field]:
    """The metric of every chip at every time."""
    values = np.array([age[f"{metric}_samples"] for age in ages])
    times = [age["t_seconds"] for age in ages]
    return {
        "time": field(("time",), times, unit="s", long_name="time since programming"),
        f"{metric}_at": field(("time", "sample"), values, unit="1", long_name=f"{metric} on the test images"),
    }
