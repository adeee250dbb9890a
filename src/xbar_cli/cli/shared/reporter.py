"""Progress: on a terminal a bar for each task and a line on what is being done; elsewhere a line a minute."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import click
from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .console import STDERR, say
from .spelling import spoken

EVERY = 60.0
"""Between two lines where stderr is no terminal [s]."""
PATIENCE = 2.0
"""From when on it is said how long something takes [s]."""


@dataclass
class Underway:
    """What is being done: words, what it came to so far, how much of it is done."""

    what: str = ""
    said: str = ""
    done: float = 0.0
    total: float = 0.0
    since: float = 0.0

    def line(self, now: float) -> str:
        """In a line, as logs have it."""
        parts = [f"{self.what}: {self.done:.4g} of {self.total:g}" if self.total else self.what]
        parts += [self.said] if self.said else []
        left = self.seconds_left(now)
        parts += [f"about {time_said(left)} left" if left is not None else f"since {time_said(now - self.since)}"]
        return ", ".join(parts)

    def seconds_left(self, now: float) -> float | None:
        """How long the rest takes at the speed so far; None before anything is known."""
        if not 0 < self.done < self.total:
            return None
        return (now - self.since) * (self.total - self.done) / self.done


def time_said(seconds: float) -> str:
    """A time in seconds below two minutes, in minutes below two hours, else in hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Bars(Progress):
    """Bars, with a line below them on what is being done."""

    standing = Underway()

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars of the tasks, then the line."""
        if self.tasks:
            yield self.make_tasks_table(self.tasks)
        if self.standing.what:
            passed = time.monotonic() - self.standing.since
            doing = "" if self.standing.total else self.standing.what
            since = f" ({time_said(passed)})" if doing and passed > PATIENCE else ""
            yield Text(f"  {doing}{since}{self.standing.said}", no_wrap=True, overflow="ellipsis", style="dim")


class EveryMinute:
    """Calls a function every so often from a thread of its own, until it is left; a context manager."""

    def __init__(self, tell: Callable[[], None], *, every: float) -> None:
        """`every` is in seconds."""
        self._tell, self._every = tell, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="progress")

    def __enter__(self) -> Self:
        """Begin to wait."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self._tell()


class TerminalReporter:
    """A `xbar_cli.reporter.Reporter` for people; a context manager, which may be entered in itself."""

    def __init__(self, *, quiet: bool, every: float = EVERY) -> None:
        """`quiet` silences all; `every` is the time between two lines where stderr is no terminal [s]."""
        self._quiet, terminal = quiet, STDERR.is_terminal
        self._bars = Bars(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(),
            TimeRemainingColumn(), console=STDERR, transient=True, disable=quiet or not terminal,
        )  # fmt: skip
        self._bars.standing = Underway()
        self._lines = None if quiet or terminal else EveryMinute(self._tell, every=every)
        self._tasks: dict[str, TaskID] = {}
        self._depth = 0

    def __enter__(self) -> Self:
        """Start drawing."""
        self._depth += 1
        if self._depth == 1:
            self._bars.start()
            if self._lines is not None:
                self._lines.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bars, whoever entered."""
        self._depth -= 1
        self._bars.stop()
        if self._lines is not None:
            self._lines.__exit__()

    def note(self, message: str) -> None:
        """Print a line above the bars."""
        if not self._quiet:
            say(spoken(message), console=self._bars.console)

    def doing(self, what: str) -> None:
        """Say what is being done, in the line below the bars."""
        self._bars.standing = Underway(what=what, since=time.monotonic())
        self._bars.refresh()

    def progress(self, label: str, done: float, total: float, said: str = "") -> None:
        """Move the bar called `label`, and say what came of it so far."""
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(label, total=total)
        self._bars.update(self._tasks[label], completed=done, total=total)
        old = self._bars.standing
        same = old.what == label and old.total == total
        since, before = (old.since, old.said) if same else (time.monotonic(), "")
        self._bars.standing = Underway(label, said or before, done, total, since)

    def _tell(self) -> None:
        """The line where stderr is no terminal."""
        if self._bars.standing.what:
            say(self._bars.standing.line(time.monotonic()), console=STDERR)


@contextmanager
def reporting(*, quiet: bool) -> Iterator[TerminalReporter]:
    """The reporter of the command that runs, which draws inside; a new one where none is at work."""
    context = click.get_current_context(silent=True)
    found = context.meta.get(__name__) if context is not None else None
    with found if isinstance(found, TerminalReporter) else TerminalReporter(quiet=quiet) as reporter:
        if context is not None:
            context.meta[__name__] = reporter
        yield reporter
