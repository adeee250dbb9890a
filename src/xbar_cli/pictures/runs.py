"""Pictures of one run: chips of an evaluation, their ages, the curve of a training."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.figures.labels import Label, label_of_figure
from xbar_cli.outside import MEGABYTE, read_text
from xbar_cli.pictures.grid import SweepGrid, Swept, read_grid
from xbar_cli.pictures.picture import Chart, Panel, Trace
from xbar_cli.pictures.values import along
from xbar_cli.runs.directory import DONE, METRICS
from xbar_cli.runs.listing import open_entry
from xbar_cli.runs.results import RESULTS
from xbar_cli.runs.seal import ANEW, require_intact

LARGEST_LOG = 256 * MEGABYTE
"""Of metrics.jsonl."""
NO_FIGURES = ("step", "epoch", "phase", "seconds", "crc32")
"""Keys of a line of metrics.jsonl that are no results."""
DRAWN = "`xbar plot` draws folders of `xbar run`, their results.nc, evaluations and trainings"


def grid_at(path: Path) -> SweepGrid | Chart:
    """What there is to draw at a path: a grid, or the picture of the chips of an evaluation; RunError where there is nothing."""
    if path.is_file():
        return read_grid(path)
    entry = open_entry(path) if path.is_dir() else None
    if entry is None or entry.state == "damaged":
        raise RunError(f"{path}: {entry.reason if entry else f'no run there; {DRAWN}'}")
    if (path / DONE).exists():
        require_intact(path)
    match entry.command:
        case "run":
            if not (path / RESULTS).exists():
                raise RunError(f"{path}: no point of this sweep has a result yet")
            return read_grid(path / RESULTS)
        case "evaluate" if entry.summary.get("ages"):
            return ages(entry.summary)
        case "evaluate":
            return chips(entry.summary)
        case "train" | None:
            return curve(path)
        case _:
            raise RunError(f"{path} is a run of `xbar {entry.command}`; {DRAWN}")


def ages(summary: Mapping[str, Any]) -> SweepGrid:
    """The metric of the same chips at every time they were read."""
    found = summary["ages"]
    times = np.asarray([age["t_seconds"] for age in found], np.float64)
    name = str(summary.get("metric", "metric"))
    figures = {name: np.asarray([age["metric_value"] for age in found], np.float64)}
    for end, place in (("low", 0), ("high", 1)):
        values = [(age.get("metric_ci95") or (np.nan, np.nan))[place] for age in found]
        figures[f"{name}_ci95_{end}"] = np.asarray(values, np.float64)
    return SweepGrid(
        str(summary.get("network", "")), (Swept(("ageing.at",), (times,), ("s",)),), figures, units=_plain(figures)
    )


def curve(path: Path) -> SweepGrid:
    """What a training logs, by epoch; where it goes through phases, of the one with most epochs."""
    try:
        lines = [json.loads(line) for line in read_text(path / METRICS, most=LARGEST_LOG).splitlines()]
        phases = [str(line.get("phase")) for line in lines if "epoch" in line]
        phase = max(dict.fromkeys(phases), key=phases.count, default=None)
        kept = [line for line in lines if str(line.get("phase")) == phase and "epoch" in line]
        names = dict.fromkeys(key for line in kept for key in line if _is_figure(key, line[key]))
        values = {name: np.asarray([line.get(name, np.nan) for line in kept], np.float64) for name in names}
    except (ConfigError, ValueError, TypeError, AttributeError, RecursionError):
        raise RunError(f"{path / METRICS} is missing or damaged; {ANEW}") from None
    if not values or len(kept) < 2:
        raise RunError(f"{path}: fewer than two epochs are logged: there is no curve to draw")
    # epochs of several rounds are counted through
    epochs = np.arange(1, len(kept) + 1)
    return SweepGrid(path.name, (Swept(("epoch",), (epochs,), ("1",)),), values, units=_plain(values))


def _is_figure(key: str, value: Any) -> bool:
    """Whether a value of a line is a number that is a result."""
    return key not in NO_FIGURES and isinstance(value, int | float) and not isinstance(value, bool)


def _plain(figures: Mapping[str, Any]) -> dict[str, str]:
    return dict.fromkeys(figures, "1")


def chips(summary: Mapping[str, Any]) -> Chart:
    """How many chips have which metric, with their mean and the network in floating point."""
    name = str(summary.get("metric", "accuracy"))
    samples = summary.get(f"{name}_samples", summary.get("accuracy_samples"))
    if not isinstance(samples, Sequence) or len(samples) < 3:
        raise ConfigError("fewer than three chips were evaluated: there is no distribution to draw")
    label = label_of_figure(name)
    values = np.asarray(samples, np.float64) * label.factor
    edges = np.histogram_bin_edges(values, bins=min(max(5, round(np.sqrt(len(values)) * 1.5)), 30))
    counts, edges = np.histogram(values, edges)
    x = along(name, (edges[:-1] + edges[1:]) / 2)
    marks = [(f"mean of {len(values)} chips", float(values.mean()))]
    ideal = summary.get(f"ideal_{name}")
    if isinstance(ideal, int | float):
        marks.append(("floating point", float(ideal) * label.factor))
    relabelled = type(x)(label, "linear", x.places, x.names, x.order, whole=False, ranked=True)
    line = Trace("", tuple(map(float, counts)))
    return Chart(relabelled, Label("chips"), (Panel("", (line,)),), None, "", False, bars=True, marks=tuple(marks))
