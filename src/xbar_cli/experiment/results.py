"""What a sweep found, as results.nc and CSV: a dimension for each swept key, a variable for each figure of the last stages."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.fields import FieldInfo

from xbar_cli.config.base import parse_quantity
from xbar_cli.config.known.keys import fields_of, parser_of, unit_in
from xbar_cli.experiment.file import MODELS, Axis, Experiment, label
from xbar_cli.experiment.plan import Plan, read_summary
from xbar_cli.runs.results import Field, field, write_fields
from xbar_cli.runs.whole import write_whole

POINTS = "points.csv"
"""The same as results.nc, for spreadsheets."""

UNITS = {
    "ohm": "ohm", "volt": "V", "siemens": "S", "joule": "J", "ampere": "A", "watt": "W", "farad": "F", "m2": "m2", "m": "m",
    "seconds": "s", "celsius": "degC", "vg": "V",
}  # fmt: skip
"""Unit by the last word of a key."""


@dataclass(frozen=True)
class Results:
    """The figures of a sweep: the swept keys' coordinates by dotted key, variables by name over the axes' first keys."""

    name: str
    axes: tuple[Axis, ...]
    coordinates: dict[str, Field]
    variables: dict[str, Field]


def unit_of(name: str) -> str:
    """The unit of a key or figure, from the last word of its name; `1` where it says none."""
    return UNITS.get(name.rpartition(".")[2].rpartition("_")[2], "1")


def is_time(name: str) -> bool:
    """Whether a figure is how long something took here, which is no result."""
    return "second" in name and not name.startswith("latency")


def scalars(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary that are results; a `*_ci95` becomes its two ends."""
    found: dict[str, float] = {}
    for name, value in summary.items():
        if is_time(name) or isinstance(value, bool):
            continue
        if isinstance(value, (int, float)):
            found[name] = float(value)
        elif name.endswith("_ci95") and _is_pair(value):
            found |= {f"{name}_{end}": float(x) for end, x in zip(("low", "high"), value, strict=True)}
    return found


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, int | float) for x in value)


def gather(plan: Plan) -> Results:
    """The figures of the last stages at every point; NaN where a point failed."""
    axes = plan.experiment.axes
    shape = tuple(len(axis.rows) for axis in axes)
    last = plan.experiment.last
    found = {
        stage: {p.index: scalars(read_summary(plan.out / p.runs[stage].key) or {}) for p in plan.points}
        for stage in last
    }
    names = {stage: list(dict.fromkeys(name for at in found[stage].values() for name in at)) for stage in last}
    every = [name for stage in last for name in names[stage]]
    variables: dict[str, Field] = {}
    for stage, name in ((of, name) for of in last for name in names[of]):
        values = np.full(shape, np.nan)
        for index, at in found[stage].items():
            values[index] = at.get(name, np.nan)
        whole = name if every.count(name) == 1 else f"{stage}_{name}"
        dims = tuple(axis.keys[0] for axis in axes)
        variables[whole] = field(
            dims, values, unit=unit_of(name), long_name=f"{name.replace('_', ' ')} of stage {stage}"
        )
    return Results(plan.experiment.name, axes, coordinates(plan.experiment), dict(sorted(variables.items())))


def coordinates(experiment: Experiment) -> dict[str, Field]:
    """The values of every swept key; zipped keys lie along the dimension of the first."""
    found: dict[str, Field] = {}
    for axis in experiment.axes:
        for number, key in enumerate(axis.keys):
            info = field_of(key, experiment.commands)
            values = as_array([row[number] for row in axis.rows], parse=parser_of(info))
            said = "1" if info is None else unit_in(info)
            unit = unit_of(key) if said == "1" else said
            found[key] = field((axis.keys[0],), values, unit=unit, long_name=key)
    return found


def field_of(key: str, commands: Mapping[str, str]) -> FieldInfo | None:
    """The field of the configuration that a swept key sets; None where it is not one of its own."""
    stage, _, rest = key.partition(".")
    return fields_of(MODELS[commands[stage]]).get(rest)


def as_array(values: Sequence[Any], *, parse: Callable[[Any], Any] = parse_quantity) -> NDArray[Any]:
    """Swept values as numbers where `parse` makes some of all, times in seconds; else as texts."""
    try:
        if any(isinstance(value, bool) for value in values):
            raise ValueError
        numbers = [float(parse(value)) for value in values]
    except (TypeError, ValueError):
        return np.asarray([label(value) for value in values], dtype=object)
    return np.asarray(values) if all(isinstance(value, int) for value in values) else np.asarray(numbers)


def write_results(path: Path, results: Results) -> None:
    """Write results.nc, whole or not at all: the same bytes for the same figures."""
    whole = path.with_name(path.name + ".new")
    fields = results.coordinates | results.variables
    attributes = {"xbar_kind": "sweep", "experiment": results.name}
    zipped = [key for axis in results.axes for key in axis.keys[1:]]
    if zipped:  # coordinates too, though no dimension is called so (CF conventions, section 5)
        attributes["coordinates"] = " ".join(zipped)
    write_fields(whole, fields, attributes=attributes)
    whole.replace(path)


def write_points(path: Path, results: Results) -> None:
    """Write points.csv, a row for each point: swept values, then figures, numbers in full; empty where a point failed."""
    shape = tuple(len(axis.rows) for axis in results.axes)
    names = [*results.coordinates, *results.variables]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for index in np.ndindex(shape):
        at = dict(zip((axis.keys[0] for axis in results.axes), index, strict=True))
        fields = (results.coordinates | results.variables).values()
        cells = [field.values[tuple(at[dim] for dim in field.dims)] for field in fields]
        writer.writerow(["" if isinstance(cell, float) and not np.isfinite(cell) else cell for cell in cells])
    write_whole(path, buffer.getvalue())
