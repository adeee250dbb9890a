"""How a workflow tells its caller where it is, without knowing whether that is a terminal."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

OnProgress = Callable[[str, int, int], None]
"""Is told of a task, what is done of it, and how much there is: 0 where that is not known."""


class Notes(Protocol):
    """Receives notes."""

    def note(self, message: str) -> None:
        """Something worth saying once."""
        ...


@runtime_checkable
class Reporter(Notes, Protocol):
    """Receives notes and progress."""

    def doing(self, what: str) -> None:
        """What is being done now that may take a while, such as compiling, in words; until something else is said."""
        ...

    def progress(self, label: str, done: float, total: float, said: str = "") -> None:
        """`done` of `total` steps of the task called `label`, and what came of it so far in words."""
        ...


class Silent:
    """Says nothing."""

    def note(self, message: str) -> None:
        """Ignore the message."""

    def doing(self, what: str) -> None:
        """Ignore what is being done."""

    def progress(self, label: str, done: float, total: float, said: str = "") -> None:
        """Ignore the progress."""


SILENT = Silent()


@contextlib.contextmanager
def silenced(*names: str) -> Iterator[None]:
    """Keep the logs of libraries out of the terminal: what matters of them is raised, or told as an outcome, once."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
