"""How a sweep stands: a table on the terminal with results as they come, a line a minute elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from xbar_cli.cli.shared.console import STDERR, note
from xbar_cli.cli.shared.reporter import EVERY, time_said

if TYPE_CHECKING:
    from xbar_cli.experiment.grid import StageRun
    from xbar_cli.runs.sweep import Outcome

STATES = ("there", "done", "running", "failed", "waiting")
STARTING = "looking at what is there, starting workers"
MOST_SHOWN = 6
"""Runs at work that are named."""


class SweepTable:
    """A `workflows.run.SweepWatcher` that keeps a table on the terminal; a context manager.

    Where stderr is no terminal it notes what fails, and says once a minute how it stands and what came out last.
    """

    def __init__(self, *, quiet: bool, notice: str | None = None) -> None:
        """`quiet` silences table and notes; `notice` is said before the first run starts."""
        self._quiet, self._notice = quiet, notice
        self._live: Live | None = None
        self._stages: dict[str, str] = {}
        self._states: dict[str, str] = {}
        self._seconds: dict[str, list[float]] = {}
        self._running: dict[str, float] = {}
        self._names: Mapping[str, str] = {}
        self._results: Callable[[str], Mapping[str, Any]] = lambda _: {}
        self._told, self._last = time.monotonic(), ""
        self._workers = 1

    def __enter__(self) -> "SweepTable":
        """Say what comes first; the table is drawn once it is known what is to be computed."""
        if not self._quiet and STDERR.is_terminal:
            self._live = Live(Text(STARTING), console=STDERR, auto_refresh=False, transient=True)
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the table."""
        if self._live is not None:
            self._live.stop()

    def note(self, message: str) -> None:
        """Print a line above the table."""
        if not self._quiet:
            note(message)

    def begin(
        self,
        runs: "Mapping[str, StageRun]",
        *,
        cached: Collection[str],
        workers: int | None,
        names: Mapping[str, str] = MappingProxyType({}),
        results: "Callable[[str], Mapping[str, Any]]" = lambda _: {},
    ) -> None:
        """Draw the table for the first time."""
        self._names, self._results = names, results
        if self._notice is not None and not self._quiet:
            note(self._notice)
        self._stages = {key: run.stage for key, run in runs.items()}
        self._states = {key: "there" if key in cached else "waiting" for key in runs}
        self._seconds = {stage: [] for stage in self._stages.values()}
        self._workers = workers or 1
        self.tick()

    def started(self, key: str) -> None:
        """A worker begins with a run."""
        self._states[key], self._running[key] = "running", time.monotonic()
        self.tick()

    def ended(self, key: str, outcome: "Outcome") -> None:
        """A run is done or has failed."""
        self._running.pop(key, None)
        self._states[key] = "done" if outcome.ok else "failed"
        if outcome.ok:
            self._seconds[self._stages[key]].append(outcome.seconds)
            self._tell_result(key, outcome.seconds)
        elif not self._quiet and outcome.attempts:
            note(f"failed: {self._name(key)} ({key}): {outcome.reason}")
        self.tick()

    def _name(self, key: str) -> str:
        """What a run is called."""
        return self._names.get(key, key)

    def _tell_result(self, key: str, seconds: float) -> None:
        """A line on a run whose figures are results, above the table; without one it is kept for the next line."""
        found = {} if self._quiet else self._results(key)
        if not found:
            return
        figures = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        self._last = f"{self._name(key)}: {figures}"
        if self._live is not None:
            note(f"{self._last} ({time_said(seconds)})")

    def tick(self) -> None:
        """Draw the table again; where stderr is no terminal, say once a minute how it stands."""
        now = time.monotonic()
        if self._live is not None:
            self._live.update(self._draw(), refresh=True)
        elif not self._quiet and now - self._told >= EVERY:
            self._told = now
            note(self._line())

    def _line(self) -> str:
        """How it stands, in a line."""
        counts = Counter(self._states.values())
        ended = sum(counts[state] for state in ("there", "done", "failed"))
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        running = "; ".join(self._name(key) for key in list(self._running)[:2])
        rest = self.remaining_seconds()
        eta = "" if rest is None else f", about {time_said(rest)} left"
        at_work = f", at work: {running}" if running else ""
        last = f"; last {self._last}" if self._last else ""
        return f"{ended} of {len(self._states)} runs done{failed}{at_work}{eta}{last}"

    def remaining_seconds(self) -> float | None:
        """How long the rest takes at the mean time of each stage so far; None before anything is known."""
        known = [seconds for of_stage in self._seconds.values() for seconds in of_stage]
        if not known:
            return None
        means = {stage: fmean(of_stage or known) for stage, of_stage in self._seconds.items()}
        now = time.monotonic()
        gone = sum(min(now - began, means[self._stages[key]]) for key, began in self._running.items())
        left = sum(means[self._stages[key]] for key, state in self._states.items() if state in ("running", "waiting"))
        return max(left - gone, 0.0) / max(self._workers, len(self._running), 1)

    def _draw(self) -> Group:
        table = Table(header_style="bold")
        for column in ("stage", "runs", *STATES):
            table.add_column(column, justify="left" if column == "stage" else "right")
        counts = Counter((self._stages[key], state) for key, state in self._states.items())
        for stage in self._seconds:
            own = [counts[stage, state] for state in STATES]
            table.add_row(stage, str(sum(own)), *map(str, own))
        now = time.monotonic()
        at_work = list(self._running.items())
        running = [Text(f"at work: {self._name(key)} ({time_said(now - began)})", no_wrap=True, overflow="ellipsis")
                   for key, began in at_work[:MOST_SHOWN]]  # fmt: skip
        rest = self.remaining_seconds()
        more = [f"and {len(at_work) - MOST_SHOWN} more at work"] * (len(at_work) > MOST_SHOWN)
        eta = [] if rest is None else [f"about {time_said(rest)} left"]
        return Group(table, *running, Text(", ".join([*more, *eta])))
