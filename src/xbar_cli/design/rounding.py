"""From a design to values that can be built: the roundings about it, and from the best of these on to neighbours."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from xbar_cli.reporter import Reporter

from .descent import Descent
from .objective import CONVERTING, Objective, Shares
from .parameters import Parameter

MOST_TRIED = 16
"""Roundings that are compared, and neighbours."""
BATCHES = 16
"""Batches, each on chips of its own, that they are compared on: the same for all."""
FINE = 0.05
"""Values that stand closer than this share of the way between the bounds are not compared: the nearest is taken."""

BuildableValues = Mapping[str, float]
"""Values that can be built, by parameter."""


def rounded(objective: Objective, descent: Descent, *, reporter: Reporter) -> dict[str, float]:
    """The values that can be built at which least descends.

    First the values on both sides of what the descent reached are compared, in all combinations; where there are too many,
    the parameters that are nearest to a value that can be built take it. Then the best goes on to a neighbour, one step of one
    parameter, as long as one is better: the relaxations that descended (losses mixed of two sizes of tile, converters of 5.4
    bits) say where to look, and not more.
    """
    found = {p.name: float(p.at(float(descent.shares[p.name]))) for p in objective.chosen}
    choices = {p.name: about(p, found[p.name]) for p in objective.chosen}
    undecided = [p for p in objective.chosen if len(choices[p.name]) > 1]
    near = {p.name: min(choices[p.name], key=partial(_distance, p, found[p.name])) for p in undecided}
    undecided.sort(key=lambda p: _distance(p, found[p.name], near[p.name]))
    for parameter in undecided[: max(0, len(undecided) - MOST_TRIED.bit_length() + 1)]:
        choices[parameter.name] = (near[parameter.name],)
    roundings = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    compared = ComparedDesigns(objective, descent.shares, reporter)
    best = compared.least(roundings, "roundings") if len(roundings) > 1 else roundings[0]
    while around := compared.fresh(neighbours(objective.chosen, best)):
        better = compared.least([best, *around], "neighbours")
        if better == best:
            break
        best = better
    return best


def about(parameter: Parameter, value: float) -> tuple[float, ...]:
    """The values on both sides that can be built, or the nearest of them where they stand close together."""
    sides = parameter.nearest(value)
    if len(sides) > 1 and _distance(parameter, *sides) < FINE:
        return (min(sides, key=partial(_distance, parameter, value)),)
    return sides


def neighbours(chosen: Sequence[Parameter], values: BuildableValues) -> list[dict[str, float]]:
    """The designs that are one step of one parameter away, of those with a list of values that stand apart."""
    found: list[dict[str, float]] = []
    for p in chosen:
        inside = p.inside
        at = inside.index(values[p.name]) if inside else 0
        others = [inside[n] for n in (at - 1, at + 1) if 0 <= n < len(inside)]
        found += [{**values, p.name: v} for v in others if _distance(p, v, values[p.name]) >= FINE]
    return found


def reading_alike(designs: Iterable[dict[str, float]]) -> list[list[dict[str, float]]]:
    """Designs in groups that read the same arrays."""
    groups: dict[tuple[float, ...], list[dict[str, float]]] = {}
    for values in designs:
        arrays = tuple(value for name, value in values.items() if name not in CONVERTING)
        groups.setdefault(arrays, []).append(values)
    return list(groups.values())


@dataclass
class ComparedDesigns:
    """What descends at values that can be built, each computed once.

    Attributes:
        objective: what descends.
        shares: where the descent ended, with the weights among them.
        reporter: of progress.
        known: the means, by the values.
        rest: neighbours that may still be computed.
    """

    objective: Objective
    shares: Shares
    reporter: Reporter
    known: dict[tuple[float, ...], float] = field(default_factory=dict)
    rest: int = MOST_TRIED

    def least(self, designs: Sequence[dict[str, float]], what: str) -> dict[str, float]:
        """The design at which least descends, the first of equals."""
        groups = reading_alike(values for values in designs if tuple(values.values()) not in self.known)
        for number, group in enumerate(groups):
            self.reporter.progress(what, number, len(groups))
            totals = self.objective.totals(group, self.shares, batches=BATCHES, of="roundings")
            means = totals.mean(axis=1).tolist()
            self.known |= {tuple(values.values()): mean for values, mean in zip(group, means, strict=True)}
        self.reporter.progress(what, len(groups), len(groups))
        return min(designs, key=lambda values: self.known[tuple(values.values())])

    def fresh(self, designs: Iterable[dict[str, float]]) -> list[dict[str, float]]:
        """Those that are not known, as many as may still be computed."""
        found = [values for values in designs if tuple(values.values()) not in self.known][: self.rest]
        self.rest -= len(found)
        return found


def _distance(parameter: Parameter, value: float, other: float) -> float:
    """How far two values are apart, as a share of the way between the bounds."""
    return abs(parameter.share(value) - parameter.share(other))
