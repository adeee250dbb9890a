"""Which points and runs a selection of figures means: by swept keys, then seed by seed."""

from collections.abc import Mapping, Sequence
from typing import Any

from xbar_cli.config.base import require
from xbar_cli.experiment.file import Experiment, label
from xbar_cli.experiment.grid import Point
from xbar_cli.outside import quoted
from xbar_cli.reproduce.sections import Pick

Seed = frozenset[tuple[int, int]]
"""A seed of the grid: axes that list seeds, and the position on each."""


def swept_keys(name: str, values: Mapping[str, Any]) -> list[str]:
    """The swept keys that `name` is, or is the end of: `vg` and `neat.vg` mean `net.neat.vg`."""
    return [key for key in values if key == name or key.endswith(f".{name}")]


def matching(points: Sequence[Point], where: Mapping[str, Any]) -> list[Point]:
    """The points at which every swept key has its value."""
    return [point for point in points if all(_has(point, name, value) for name, value in where.items())]


def _has(point: Point, name: str, wanted: Any) -> bool:
    keys = swept_keys(name, point.values)
    return bool(keys) and all(_same(point.values[key], wanted) for key in keys)


def _same(value: Any, wanted: Any) -> bool:
    """Whether a swept value is the wanted one, or one of a list of them."""
    if label(value) == label(wanted) or value == wanted:
        return True
    return isinstance(wanted, list) and any(label(value) == label(one) for one in wanted)


def seed_axes(experiment: Experiment, stage: str) -> tuple[int, ...]:
    """The axes of the grid that list seeds of a stage or of what it is made of."""
    made_of, todo = set[str](), [stage]
    while todo:
        name = todo.pop()
        if name not in made_of:
            made_of.add(name)
            todo += experiment.needs[name]
    return tuple(
        number for number, axis in enumerate(experiment.axes)
        if any(key.endswith(".seed") and key.partition(".")[0] in made_of for key in axis.keys)
    )  # fmt: skip


def stage_of(pick: Pick) -> str:
    """The stage whose summary has the figures."""
    return pick.value.partition(".")[0]


def by_seed(pick: Pick, experiment: Experiment, points: Sequence[Point]) -> dict[Seed, list[Point]]:
    """The points of a selection by seed; of points with one and the same run of the stage the first alone."""
    stage = stage_of(pick)
    axes = seed_axes(experiment, stage)
    found: dict[Seed, dict[str, Point]] = {}
    for point in matching(points, pick.where):
        seed = frozenset((axis, point.index[axis]) for axis in axes)
        found.setdefault(seed, {}).setdefault(point.runs[stage].key, point)
    return {seed: list(runs.values()) for seed, runs in found.items()}


def check_pick(pick: Pick, experiment: Experiment, points: Sequence[Point], *, where: str, single: bool = True) -> None:
    """Raise ConfigError, naming `where` it stands, for a selection that means no points, or too many where `single` ones are."""
    stage = stage_of(pick)
    require_stage(stage, experiment, where=f"{where}: value = {quoted(pick.value)}")
    for name, wanted in pick.where.items():
        check_key(name, points, where=f"{where}: where")
        listed = dict.fromkeys(label(p.values[key]) for p in points for key in swept_keys(name, p.values))
        require(any(_has(point, name, wanted) for point in points),
                f"{where}: where: no point has {name} = {quoted(wanted)}; it is {', '.join(listed)}")  # fmt: skip
    found = by_seed(pick, experiment, points)
    require(bool(found), f"{where}: where: no point has all of these values")
    most = max(map(len, found.values()))
    require(
        not single or pick.of is not None or most == 1,
        f"{where}: {most} points of one seed are left: name more keys in where, or give `of`: mean, min or max",
    )


def require_stage(stage: str, experiment: Experiment, *, where: str) -> None:
    """Raise ConfigError for a stage that the experiment does not have."""
    known = ", ".join(experiment.stages)
    require(stage in experiment.stages, f"{where}: there is no stage {quoted(stage)}; stages: {known}")


def check_key(name: str, points: Sequence[Point], *, where: str) -> None:
    """Raise ConfigError for a name that no swept key has."""
    known = points[0].values
    require(
        bool(swept_keys(name, known)), f"{where}: {quoted(name)} is not swept; swept are {', '.join(known) or 'none'}"
    )
