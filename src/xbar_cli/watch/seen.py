"""One run as it is seen from outside: its state, its figures, how it learns, why it failed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from xbar_cli.runs.directory import DONE, LOCK, METRICS, SUMMARY, is_locked, partial
from xbar_cli.runs.listing import Entry, figures_of, open_entry
from xbar_cli.watch.logs import end_of_log, identity, lines_of_metrics

MOST_POINTS = 400
"""Of a curve; of longer ones every nth is shown, and the last."""
BEGINS = 2.0
"""A lock so young is taken for held, without a look: the run is just about to take it [s]."""
HIDDEN = ("step", "epoch", "seconds")
"""Numbers of a line of metrics that are no curve."""


@dataclass(frozen=True)
class EpochCurve:
    """A figure by epoch: (epoch over all phases, value)."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class SeenRun:
    """A run.

    Attributes:
        name: of its folder, without `.partial`.
        state: `done`, `at work`, `failed`, `interrupted`, `damaged` or `waiting`.
        command: that makes it, where that is known.
        figures: of its summary.
        told: where it stands, in few words.
        reason: why it failed.
        log: the end of its log.
        curves: how it learns.
    """

    name: str
    state: str
    command: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    told: str = ""
    reason: str | None = None
    log: Sequence[str] = ()
    curves: Sequence[EpochCurve] = ()


def see(folder: Path, *, log: Path | None = None) -> SeenRun:
    """The run that is, or will be, in `folder`, with its log where it has one."""
    name, unfinished = folder.name.removesuffix(".partial"), partial(folder)
    if folder.name.endswith(".partial"):
        unfinished, folder = folder, folder.with_name(name)
    done = identity(folder / DONE)
    if done is not None:
        return _complete(folder, done, identity(folder / SUMMARY))
    end = end_of_log(log) if log is not None else None
    if unfinished.is_dir() and not unfinished.is_symlink():
        curves, told = list(curves_of(unfinished)), standing(unfinished)
        working = is_held(unfinished / LOCK) or (log is not None and is_held(log))
        state = "at work" if working else "failed" if end and end.reason else "interrupted"
        return _unfinished(name, state, told, end, curves)
    if log is not None and end is not None and end.lines:
        state = "at work" if is_held(log) else "failed" if end.reason else "interrupted"
        return _unfinished(name, state, "", end, [])
    return SeenRun(name, "waiting")


def _unfinished(name: str, state: str, told: str, end: Any, curves: Sequence[EpochCurve]) -> SeenRun:
    failed = state == "failed"
    return SeenRun(
        name, state, told=told, reason=end.reason if failed else None, log=end.lines if failed else (), curves=curves
    )


@lru_cache(maxsize=4096)
def _complete(folder: Path, *_: Any) -> SeenRun:
    """A complete run; it does not change, and is read once."""
    entry = open_entry(folder)
    if entry is None:
        return SeenRun(folder.name, "waiting")
    return of_entry(entry)


def of_entry(entry: Entry) -> SeenRun:
    """A run that is listed."""
    curves = list(curves_of(entry.path)) if entry.command == "train" else []
    return SeenRun(
        entry.path.name, entry.state, command=entry.command, figures=figures_of(entry.summary), reason=entry.reason,
        curves=curves,
    )  # fmt: skip


def is_held(path: Path) -> bool:
    """Whether a process holds the lock on this file."""
    found = identity(path)
    if found is None:
        return False
    if path.name == LOCK and time.time() - found[2] / 1e9 < BEGINS:
        return True
    return is_locked(path)


def metrics_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The metrics of a run, and of its trainings at several learning rates, with what tells them apart."""
    yield "", folder / METRICS
    yield from ((f" (rate {path.parent.name})", path) for path in sorted(folder.glob(f"rates/*/{METRICS}")))


def curves_of(folder: Path) -> Iterator[EpochCurve]:
    """Every number in the metrics of a run by epoch."""
    for apart, path in metrics_files(folder):
        lines = lines_of_metrics(path)
        names = dict.fromkeys(n for line in lines for n, value in line.items() if n not in HIDDEN and is_number(value))
        for name in names:
            points = [
                (line["step"], line[name]) for line in lines if is_number(line.get(name)) and is_number(line["step"])
            ]
            yield EpochCurve(name + apart, thinned(points))


def standing(folder: Path) -> str:
    """Phase and epoch of the last line of the metrics, and how long ago that was."""
    last = [(identity(path), lines[-1]) for _, path in metrics_files(folder) if (lines := lines_of_metrics(path))]
    if not last:
        return ""
    found, line = max(last, key=lambda one: one[0][2] if one[0] else 0)
    ago = max(0.0, time.time() - found[2] / 1e9) if found else 0.0
    return f"{line['phase']}, epoch {line['epoch']}, {since(ago)}"


def since(seconds: float) -> str:
    """How long ago, in words that do not change at every look."""
    if seconds < 10:
        return "just now"
    return f"{seconds // 10 * 10:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


def is_number(value: Any) -> bool:
    """Whether a value is a number and no truth."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MOST_POINTS` of them, the last among them."""
    step = -(-len(points) // MOST_POINTS) or 1
    found = list(points[::step])
    return found if not points or found[-1] == points[-1] else [*found, points[-1]]
