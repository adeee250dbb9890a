"""Progress on a terminal: a Rich bar on stderr, nothing where stderr is no terminal."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from .console import STDERR
from .spelling import spoken


class TerminalReporter:
    """A `workflows.reporter.Reporter` that draws one bar for each label; a context manager."""

    def __init__(self, *, quiet: bool) -> None:
        """`quiet` silences notes and bars."""
        self._quiet = quiet
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=STDERR, transient=True, disable=quiet or not STDERR.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the bars."""
        self._bars.stop()

    def note(self, message: str) -> None:
        """Print a line above the bars."""
        if not self._quiet:
            self._bars.console.print(spoken(message), markup=False, soft_wrap=True)

    def progress(self, label: str, done: float, total: float) -> None:
        """Move the bar called `label`."""
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(label, total=total)
        self._bars.update(self._tasks[label], completed=done, total=total)
