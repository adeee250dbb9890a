"""What a sweep found, as its pictures see it: axes with their values, figures over them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.errors import ConfigError
from xbar_cli.figures.labels import units_of
from xbar_cli.runs.results import Field, opened


@dataclass(frozen=True)
class Swept:
    """One dimension of a sweep.

    Attributes:
        keys: the swept key, and those that vary together with it.
        values: of each key, numbers or texts, one a position.
        units: of each key, as results.nc says them.
    """

    keys: tuple[str, ...]
    values: tuple[NDArray[Any], ...]
    units: tuple[str, ...]

    @property
    def size(self) -> int:
        """Positions."""
        return len(self.values[0])

    @property
    def is_seed(self) -> bool:
        """Whether its positions are replicates: every key of it is a seed."""
        return all(key.rpartition(".")[2] == "seed" for key in self.keys)

    def by(self, key: str) -> "Swept":
        """The same, seen by one of its keys."""
        at = self.keys.index(key)
        order = [at, *(i for i in range(len(self.keys)) if i != at)]
        return Swept(
            tuple(self.keys[i] for i in order),
            tuple(self.values[i] for i in order),
            tuple(self.units[i] for i in order),
        )


@dataclass(frozen=True)
class SweepGrid:
    """A sweep: its axes, and figures by name, each an array over all axes; NaN where a point failed.

    Attributes:
        name: of the experiment.
        axes: in the order of the figures' dimensions.
        figures: by name.
        units: of each figure.
    """

    name: str
    axes: tuple[Swept, ...]
    figures: dict[str, NDArray[np.float64]]
    units: dict[str, str]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every swept key."""
        return tuple(key for axis in self.axes for key in axis.keys)

    def axis_of(self, key: str) -> int:
        """The axis that a key varies along."""
        return next(i for i, axis in enumerate(self.axes) if key in axis.keys)

    def at(self, axis: int, positions: Sequence[int]) -> "SweepGrid":
        """The part of the grid at some positions of an axis."""
        kept = self.axes[axis]
        part = Swept(kept.keys, tuple(values[list(positions)] for values in kept.values), kept.units)
        axes = (*self.axes[:axis], part, *self.axes[axis + 1 :])
        figures = {name: np.take(values, list(positions), axis=axis) for name, values in self.figures.items()}
        return replace(self, axes=axes, figures=figures)

    def without_idle(self, figure: str, *, kept: Collection[str] = ()) -> tuple["SweepGrid", tuple[str, ...]]:
        """The grid without the axes that a figure is the same along, to the last bit, and the keys of those.

        A sweep has points for every pair of values, also of a stage that does not read one of them. Seeds stay, keys in `kept`
        too, and an axis where nothing else is swept.
        """
        found, gone = self, list[str]()
        for axis in self.axes:
            if axis.size == 1 or axis.is_seed or set(axis.keys) & set(kept):
                continue
            at, values = found.axis_of(axis.keys[0]), found.figures[figure]
            others = [one for one in found.axes if one is not axis and one.size > 1 and not one.is_seed]
            if others and np.array_equal(values, np.broadcast_to(values.take([0], at), values.shape), equal_nan=True):
                found = found.at(at, [0])
                gone += axis.keys
        return found, tuple(gone)


def grid_of(name: str, *, coordinates: Mapping[str, Field], variables: Mapping[str, Field]) -> SweepGrid:
    """The grid that a sweep's fields are; variables that are no numbers over all of its axes are left out."""
    dims: tuple[str, ...] = max((field.dims for field in variables.values()), key=len, default=())
    axes: list[Swept] = []
    for dim in dims:
        keys = [key for key, field in coordinates.items() if field.dims == (dim,)]
        keys.sort(key=lambda key: key != dim)
        fields = [coordinates[key] for key in keys]
        axes.append(Swept(tuple(keys), tuple(f.values for f in fields), tuple(units_of(f.attrs) for f in fields)))
    kept = {k: f for k, f in variables.items() if f.dims == dims and f.values.dtype.kind in "fiu"}
    figures = {key: np.asarray(field.values, np.float64) for key, field in kept.items()}
    return SweepGrid(name, tuple(axes), figures, {key: units_of(field.attrs) for key, field in kept.items()})


def read_grid(path: Path) -> SweepGrid:
    """The grid in a sweep's results.nc; RunError where it is damaged, ConfigError where nothing is swept in it."""
    with opened(path, kind="sweep") as dataset:
        fields = {str(name): Field(tuple(map(str, v.dims)), v.values, v.attrs) for name, v in dataset.variables.items()}
        coordinates = {name: field for name, field in fields.items() if name in dataset.coords}
        for dim in dataset.dims:
            if str(dim) not in coordinates:
                raise ValueError(f"dimension {dim} has no values")
        variables = {name: field for name, field in fields.items() if name not in dataset.coords}
        found = grid_of(str(dataset.attrs.get("experiment", "")), coordinates=coordinates, variables=variables)
    if not found.axes or not found.figures:
        raise ConfigError(f"{path}: nothing is swept there, or no figure came of it: there is nothing to draw")
    return found
