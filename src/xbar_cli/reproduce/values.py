"""The figures of a selection, from the summaries of the runs: seed by seed, alone or compared with others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xbar_cli.experiment.file import Experiment, label
from xbar_cli.experiment.grid import Point
from xbar_cli.reproduce.sections import Compared, Pick
from xbar_cli.reproduce.selection import Seed, by_seed, stage_of
from xbar_cli.statistics import Interval, estimate

REDUCTIONS = {"mean": lambda values: math.fsum(values) / len(values), "min": min, "max": max}


class Absent(Exception):
    """A figure that is not there, with the reason in one line."""


@dataclass(frozen=True)
class ItemRuns:
    """The runs of an item: its grid, the points whose runs are complete, the summaries of these by the runs' names."""

    experiment: Experiment
    points: tuple[Point, ...]
    summaries: Mapping[str, Mapping[str, Any]]

    def summary(self, point: Point, stage: str) -> Mapping[str, Any]:
        """The summary of a stage at a point."""
        return self.summaries[point.runs[stage].key]


@dataclass(frozen=True)
class SeedMean:
    """A quantity over seeds.

    Attributes:
        mean: of the seeds.
        ci95: 95 % interval: over seeds where there are several, else over the chips of the run; None where neither is.
        n: seeds.
    """

    mean: float
    ci95: Interval | None
    n: int


def figure(summary: Mapping[str, Any], pick: Pick) -> Any:
    """What a summary has of a figure: a number, a list, or `pick.null` where it has null. Absent where it has neither."""
    stage, _, key = pick.value.partition(".")
    value = _within(summary, key, stage)
    if pick.at is not None:
        value = _at(summary, pick, value)
    if value is None:
        if pick.null is None:
            raise Absent(f"{pick.value} is null")
        return pick.null
    return value


def _within(summary: Mapping[str, Any], key: str, stage: str) -> Any:
    found: Any = summary
    for name in key.split("."):
        if not isinstance(found, Mapping) or name not in found:
            raise Absent(f"the summary of {stage} has no {key}")
        found = found[name]
    return found


def _at(summary: Mapping[str, Any], pick: Pick, values: Any) -> Any:
    """The entry of a list that is meant."""
    if not isinstance(values, list):
        raise Absent(f"{pick.value} is no list")
    if isinstance(pick.at, int):
        places = [pick.at]
    else:
        stage = stage_of(pick)
        lists = {name: _within(summary, name, stage) for name in pick.at or {}}
        wanted = pick.at or {}
        places = [k for k in range(len(values)) if all(_equal(lists[name][k], wanted[name]) for name in lists)]
    if len(places) != 1 or not -len(values) <= places[0] < len(values):
        raise Absent(f"{pick.value} has {len(values)} values, none at {pick.at}")
    return values[places[0]]


def _equal(value: Any, wanted: Any) -> bool:
    numbers = isinstance(value, (int, float)) and isinstance(wanted, (int, float))
    return math.isclose(value, wanted, rel_tol=1e-9) if numbers else label(value) == label(wanted)


def number(summary: Mapping[str, Any], pick: Pick) -> float:
    """A figure that is one number."""
    value = figure(summary, pick)
    if not isinstance(value, (int, float)):
        raise Absent(f"{pick.value} is no number")
    return float(value)


def numbers(pick: Pick, found: ItemRuns, points: Sequence[Point] | None = None) -> dict[Seed, float]:
    """The number of each seed; Absent where a figure is not there, or no point has complete runs."""
    groups = by_seed(pick, found.experiment, found.points if points is None else points)
    if not groups:
        raise Absent(f"no complete run of {stage_of(pick)} at these values")
    reduce = REDUCTIONS[pick.of or "mean"]
    return {
        seed: reduce([number(found.summary(point, stage_of(pick)), pick) for point in group])
        for seed, group in groups.items()
    }


def compared(pick: Compared, found: ItemRuns, points: Sequence[Point] | None = None) -> dict[Seed, float]:
    """`value - minus`, then `/ over`, then `* scale`, seed by seed."""
    ours = numbers(pick, found, points)
    for name in ("minus", "over"):
        other = pick.other(name)
        if other is None:
            continue
        theirs = numbers(other, found, points)
        pairs = {seed: partner(theirs, seed) for seed in ours}
        if name == "over" and not all(pairs.values()):
            raise Absent(f"{other.value} is 0, and something is divided by it")
        ours = {seed: x - pairs[seed] if name == "minus" else x / pairs[seed] for seed, x in ours.items()}
    return {seed: pick.scale * x for seed, x in ours.items()}


def partner(values: Mapping[Seed, float], seed: Seed) -> float:
    """The number of the same seed; the mean of those that agree with it where the two depend on different seeds."""
    axes = {axis for axis, _ in seed}
    same = [x for other, x in values.items() if {pair for pair in other if pair[0] in axes} <= seed]
    if not same:
        raise Absent("not every seed has both figures")
    return math.fsum(same) / len(same)


def quantity(pick: Compared, found: ItemRuns, points: Sequence[Point] | None = None) -> SeedMean:
    """Mean and interval of a quantity over its seeds."""
    values = compared(pick, found, points)
    known = estimate([values[seed] for seed in sorted(values, key=sorted)])
    ci95 = known.ci95
    if len(values) == 1 and pick.minus is None and pick.over is None:
        ci95 = own_interval(pick, found, points)
    return SeedMean(known.mean, ci95, len(values))


def own_interval(pick: Compared, found: ItemRuns, points: Sequence[Point] | None) -> Interval | None:
    """The interval that the only run itself gives; None where it gives none, or several points are taken together."""
    (group,) = by_seed(pick, found.experiment, found.points if points is None else points).values()
    stage, _, key = pick.value.partition(".")
    ends = found.summary(group[0], stage).get(f"{key.removesuffix('_mean')}_ci95")
    if len(group) > 1 or not isinstance(ends, list) or not all(isinstance(end, float) for end in ends):
        return None
    low, high = sorted(pick.scale * end for end in ends)
    return low, high
