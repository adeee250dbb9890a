"""What is asked of the simulator and what comes back: plain data that travels between processes."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """An evenly spaced sweep of `count` values from `start` to `stop`, both ends included [V].

    Raises:
        ValueError: a value is not finite, `count` is below 1, or `stop` is not above `start` (one point: equal to it).
    """

    start: float
    stop: float
    count: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.stop)):
            raise ValueError(f"grid start and stop must be finite, got {self.start} and {self.stop}")
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise ValueError(f"grid count must be a whole number of at least 1, got {self.count}")
        if self.count == 1 and self.stop != self.start:
            raise ValueError(f"a grid of one point must stop where it starts, got {self.start} and {self.stop}")
        if self.count > 1 and not self.stop > self.start:
            raise ValueError(f"grid stop must be above start, got {self.start} and {self.stop}")

    @property
    def step(self) -> float:
        """Distance of neighbours [V]; 1 for a single point, because the simulator wants a step above 0."""
        return (self.stop - self.start) / (self.count - 1) if self.count > 1 else 1.0

    def values(self) -> np.ndarray:
        """The points [V], float64."""
        return np.linspace(self.start, self.stop, self.count)


@dataclass(frozen=True)
class Analysis:
    """One dc analysis: commands sent first, one or two nested sweeps (the first is the inner one), vectors kept."""

    sweeps: tuple[tuple[str, Grid], ...]
    vectors: tuple[str, ...]
    commands: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """Number of solutions."""
        return math.prod(grid.count for _, grid in self.sweeps)


@dataclass(frozen=True)
class Simulation:
    """A circuit, commands sent once, and the analyses to run, in order; one worker does a whole job."""

    circuit: tuple[str, ...]
    analyses: tuple[Analysis, ...]
    setup: tuple[str, ...] = ()


@dataclass(frozen=True)
class Solution:
    """What one analysis gave.

    Attributes:
        values: `[vectors points]`, the inner sweep fastest.
        seconds: time of the analysis [s].
        first_seconds: time until its first point was solved [s]; None where points are not timed.
    """

    values: np.ndarray
    seconds: float
    first_seconds: float | None
