"""What a sweep found, as one results.nc: a dimension for each swept key, a variable for each figure of the last stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.config.base import parse_quantity
from xbar_cli.experiment.file import Axis, label
from xbar_cli.experiment.plan import Plan, read_summary
from xbar_cli.runs.results import Field, field, write_fields

UNITS = {
    "ohm": "ohm", "volt": "V", "siemens": "S", "joule": "J", "ampere": "A", "watt": "W", "farad": "F", "m2": "m2", "m": "m",
    "seconds": "s", "celsius": "degC", "vg": "V",
}  # fmt: skip
"""Unit by the last word of a key."""


@dataclass(frozen=True)
class Results:
    """The figures of a sweep.

    Attributes:
        name: of the experiment.
        axes: of its grid.
        coordinates: of the swept keys, by dotted key.
        variables: by name, over the axes' first keys.
    """

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
    return Results(plan.experiment.name, axes, coordinates(axes), dict(sorted(variables.items())))


def coordinates(axes: Sequence[Axis]) -> dict[str, Field]:
    """The values of every swept key; zipped keys lie along the dimension of the first."""
    found: dict[str, Field] = {}
    for axis in axes:
        for number, key in enumerate(axis.keys):
            values = as_array([row[number] for row in axis.rows])
            found[key] = field((axis.keys[0],), values, unit=unit_of(key), long_name=key)
    return found


def as_array(values: Sequence[Any]) -> NDArray[Any]:
    """Swept values as numbers where all are some, with SI suffix or not; else as texts."""
    try:
        if any(isinstance(value, bool) for value in values):
            raise ValueError
        numbers = [float(parse_quantity(value)) for value in values]
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


def draw(folder: Path, results: Results) -> Path | None:
    """Accuracy against the last numeric key with more than one value, a line for each value of the others."""
    from xbar_cli.runs import figures

    accuracy = next((n for n in ("accuracy_mean", "test_accuracy") if n in results.variables), None)
    numeric = [i for i, axis in enumerate(results.axes) if len(axis.rows) > 1 and _numbers(results, axis) is not None]
    if accuracy is None or not numeric:
        return None
    along = numeric[-1]
    x = _numbers(results, results.axes[along])
    assert x is not None
    low, high = (results.variables.get(f"accuracy_ci95_{end}") for end in ("low", "high"))
    lines: dict[str, tuple[list[float], list[tuple[float, float]] | None]] = {}
    for rest in product(*(range(len(a.rows)) if i != along else [slice(None)] for i, a in enumerate(results.axes))):
        named = [f"{axis.keys[0].rpartition('.')[2]} {label(axis.rows[at][0])}"
                 for axis, at in zip(results.axes, rest, strict=True) if isinstance(at, int)]  # fmt: skip
        means = results.variables[accuracy].values[rest].tolist()
        spread = None
        if accuracy == "accuracy_mean" and low is not None and high is not None:
            spread = list(zip(low.values[rest].tolist(), high.values[rest].tolist(), strict=True))
        lines[", ".join(named) or "accuracy"] = (means, spread)
    if len(lines) > 12:
        return None
    folder.mkdir(exist_ok=True)
    key = results.axes[along].keys[0]
    unit = unit_of(key)
    return figures.accuracy_lines(
        folder / "accuracy.png", x=x.tolist(), lines=lines, x_label=f"{key} [{unit}]" if unit != "1" else key,
        title=f"Experiment {results.name}", caption="bars: 95 % intervals over the chips" if low is not None else " ",
    )  # fmt: skip


def _numbers(results: Results, axis: Axis) -> NDArray[Any] | None:
    """The numbers along an axis; None where it has texts."""
    values = results.coordinates[axis.keys[0]].values
    return values if values.dtype.kind in "if" else None
