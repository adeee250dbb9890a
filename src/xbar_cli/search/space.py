"""The space of designs: axes that are numbers within bounds, whole numbers, or lists, some only where others are so."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, product
from typing import Any, assert_never

from xbar_cli.experiment.file import Axis
from xbar_cli.search.conditions import Term

DIGITS = 6
"""Of a number on a continuous axis: what is tried can be written down."""
MOST_LISTED = 100_000
"""Designs up to which those that differ are counted one by one."""


@dataclass(frozen=True)
class Real:
    """A number from `low` to `high`, even on a logarithmic scale where `log`; in steps where there are some."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high` in steps."""

    low: int
    high: int
    log: bool = False
    step: int = 1


@dataclass(frozen=True)
class Listed:
    """One of these rows, a value for each key; `ordered` where they are rising or falling numbers."""

    rows: tuple[tuple[Any, ...], ...]
    ordered: bool = False


@dataclass(frozen=True)
class Dimension:
    """An axis of the space.

    Attributes:
        keys: dotted, the stage first; they vary together, and the first names the axis.
        values: what they can be; all keys have the one number of a `Real` or `Whole`.
        when: what other axes must be for this one to count; else its keys are as the stages have them.
    """

    keys: tuple[str, ...]
    values: Real | Whole | Listed
    when: tuple[Term, ...] = ()

    @property
    def name(self) -> str:
        """The first key."""
        return self.keys[0]

    def at(self, position: Any) -> dict[str, Any]:
        """The values of the keys at a position: the number itself, or that of a row."""
        match self.values:
            case Real(low=low, high=high, step=step):
                number = float(position) if step else float(f"{position:.{DIGITS}g}")
                return dict.fromkeys(self.keys, min(max(number, low), high))
            case Whole():
                return dict.fromkeys(self.keys, int(position))
            case Listed(rows=rows):
                return dict(zip(self.keys, rows[int(position)], strict=True))
            case _:
                assert_never(self.values)

    def positions(self) -> list[Any] | None:
        """All positions; None where there is no end of them."""
        match self.values:
            case Real(low=low, high=high, step=step):
                if step is None:
                    return [low] if low == high else None
                return [low + step * n for n in range(math.floor((high - low) / step + 1e-9) + 1)]
            case Whole(low=low, high=high, step=step):
                return list(range(low, high + 1, step))
            case Listed(rows=rows):
                return list(range(len(rows)))
            case _:
                assert_never(self.values)

    def ends(self) -> list[Any]:
        """The positions to look at first: the bounds, or every row."""
        if isinstance(self.values, Listed):
            return list(range(len(self.values.rows)))
        return list(dict.fromkeys([self.values.low, self.values.high]))


@dataclass(frozen=True)
class Space:
    """All axes."""

    dimensions: tuple[Dimension, ...]

    def design(self, positions: Mapping[str, Any]) -> dict[str, Any]:
        """The values by dotted key at these positions, by name of the axis, without axes that do not count there."""
        values = {d.name: d.at(positions[d.name]) for d in self.dimensions}
        by_key = {key: value for found in values.values() for key, value in found.items()}
        owner = {key: d for d in self.dimensions for key in d.keys}

        def counts(dimension: Dimension) -> bool:
            return all(term.holds(by_key) and counts(owner[term.key]) for term in dimension.when)

        return {key: value for d in self.dimensions if counts(d) for key, value in values[d.name].items()}

    def grid(self) -> Iterator[dict[str, Any]]:
        """Positions of every design in turn, each design once; nothing where the space has no end."""
        lists = [d.positions() for d in self.dimensions]
        if any(found is None for found in lists):
            return
        seen: set[str] = set()
        for row in product(*(found or [] for found in lists)):
            positions = dict(zip((d.name for d in self.dimensions), row, strict=True))
            if (name := repr(self.design(positions))) not in seen:
                seen.add(name)
                yield positions

    def size(self) -> int | None:
        """How many designs there are; None where there is no end, and an upper bound above `MOST_LISTED`."""
        lists = [d.positions() for d in self.dimensions]
        if any(found is None for found in lists):
            return None
        whole = math.prod(len(found or []) for found in lists)
        if whole > MOST_LISTED or not any(d.when for d in self.dimensions):
            return whole
        return sum(1 for _ in islice(self.grid(), MOST_LISTED))

    def corners(self) -> Iterator[dict[str, Any]]:
        """Positions at which every end of every axis is looked at, the others at their first."""
        first = {d.name: d.ends()[0] for d in self.dimensions}
        yield first
        for d in self.dimensions:
            yield from (first | {d.name: end} for end in d.ends()[1:])


def listed(axes: Sequence[Axis]) -> tuple[Dimension, ...]:
    """The lists of `[sweep]` as axes."""
    return tuple(Dimension(axis.keys, Listed(axis.rows, ordered=rising(axis.rows))) for axis in axes)


def rising(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the first values of rows are numbers that only rise, or only fall: then neighbours are alike."""
    first = [row[0] for row in rows]
    if len(first) < 3 or any(isinstance(x, bool) or not isinstance(x, int | float) for x in first):
        return False
    pairs = list(pairwise(first))
    return all(a < b for a, b in pairs) or all(a > b for a, b in pairs)


def joined(sweep: Sequence[Dimension], own: Sequence[Dimension]) -> Space:
    """The lists of a sweep and the axes of a search, which stand in the place of lists of the same keys."""
    taken = {key for d in own for key in d.keys}
    kept = [replace(d) for d in sweep if not taken & set(d.keys)]
    return Space((*kept, *own))
