"""What is wanted of designs, which of them no other one beats, and how much of the plane of objectives they command."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xbar_cli.config.base import parse_quantity, require
from xbar_cli.outside import quoted

Vectors = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Goal:
    """A figure that is to be large (`sign` 1) or small (-1)."""

    figure: str
    sign: int

    @property
    def direction(self) -> str:
        """`max` or `min`."""
        return "max" if self.sign > 0 else "min"


@dataclass(frozen=True)
class Constraint:
    """A figure with a bound: at least (`sign` 1) or at most (-1) that much."""

    figure: str
    sign: int
    bound: float

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.figure} {'>=' if self.sign > 0 else '<='} {self.bound:g}"

    def violation(self, value: float) -> float:
        """How far a value is on the wrong side; negative or 0 where it is on the right one."""
        return self.sign * (self.bound - value)


def parse_objective(text: str, *, where: str) -> Goal:
    """`max FIGURE` or `min FIGURE`."""
    direction, _, figure = text.strip().partition(" ")
    require(direction in ("max", "min") and bool(re.fullmatch(r"\s*[\w.-]+", figure)),
            f"{where}: {quoted(text)} is no objective; write max FIGURE or min FIGURE, such as max accuracy_mean")  # fmt: skip
    return Goal(figure.strip(), 1 if direction == "max" else -1)


def parse_constraint(text: str, *, where: str) -> Constraint:
    """`FIGURE >= NUMBER` or `FIGURE <= NUMBER`."""
    found = re.fullmatch(r"\s*([\w.-]+)\s*(>=|<=)\s*(\S+)\s*", text)
    try:
        bound = float(parse_quantity(found[3])) if found else None
    except ValueError:
        bound = None
    require(found is not None and bound is not None,
            f"{where}: {quoted(text)} is no constraint; write FIGURE >= NUMBER or FIGURE <= NUMBER")  # fmt: skip
    assert found is not None
    assert bound is not None
    return Constraint(found[1], 1 if found[2] == ">=" else -1, bound)


def beats(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether a is nowhere larger than b, and somewhere smaller."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def front(points: Vectors) -> list[bool]:
    """Which of the points, small in every coordinate, no other one beats."""
    return [not any(beats(other, point) for other in points) for point in points]


def hypervolume(points: Vectors, reference: Sequence[float]) -> float:
    """Volume of what lies above some point and below the reference, points being small in every coordinate.

    References:
        Knowles, Local-search and hybrid evolutionary algorithms for Pareto optimization, PhD thesis, Reading (2002): slices
        along one coordinate, each the volume of one dimension less.
    """
    inside = sorted({tuple(p) for p in points if all(x < r for x, r in zip(p, reference, strict=True))},
                    key=lambda p: p[-1])  # fmt: skip
    if not inside:
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - inside[0][0])
    ends = [p[-1] for p in inside[1:]] + [reference[-1]]
    total, below = 0.0, list[tuple[float, ...]]()
    for point, end in zip(inside, ends, strict=True):
        below = [p for p in below if not beats(point[:-1], p)] + [point[:-1]]
        if end > point[-1]:
            total += (end - point[-1]) * hypervolume(below, reference[:-1])
    return total


def small(objectives: Sequence[Goal], values: Sequence[float]) -> tuple[float, ...]:
    """Values so that small is good in every coordinate."""
    return tuple(-o.sign * value for o, value in zip(objectives, values, strict=True))


def violations(constraints: Sequence[Constraint], figures: Mapping[str, float]) -> dict[str, float]:
    """How far figures are on the wrong side of each constraint."""
    return {c.text: c.violation(figures[c.figure]) for c in constraints}
