"""Runs opened for reading: complete, intact, of a command that is wanted, their summary as it must be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import clean_path, read_json
from xbar_cli.runs.directory import SUMMARY, Run, partial
from xbar_cli.runs.schema import fault_of
from xbar_cli.runs.seal import ANEW, DONE, require_intact

FORMER_COMMANDS = {"characterize-tile": "characterize tile"}
"""Commands as summaries of earlier versions name them."""


def command_of(summary: Mapping[str, Any]) -> str:
    """The command that a summary is of, as it is called now. Raises KeyError where it names none."""
    return FORMER_COMMANDS.get(summary["command"]) or summary["command"]


def open_run(path: Path, *, commands: tuple[str, ...], use: str) -> tuple[Run, dict[str, Any]]:
    """A complete run of one of the `commands`, with its summary.

    Args:
        path: the run directory.
        commands: kinds of run that will do.
        use: what it is wanted for, such as `xbar energy`, for the error message.

    Raises:
        RunError: nothing there, half-written, damaged, or of another kind.
    """
    if not clean_path(path).is_dir():
        if partial(path).is_dir() and not path.name.endswith(".partial"):
            raise RunError(f"{path} is half-written (it was interrupted, or still runs); see {partial(path)}")
        raise RunError(f"{path}: no such run directory")
    if not (path / DONE).exists():
        raise RunError(f"{path} is half-written (no `done` in it): not a complete run")
    require_intact(path)
    summary = read_summary(path, whole=True)
    command = command_of(summary)
    if command not in commands:
        article = "an" if command[0] in "aeiou" else "a"
        wanted = " or ".join(f"a `{name}` run" for name in commands)
        raise RunError(f"{path} is {article} `{command}` run; {use} needs {wanted}")
    return Run(path=path, final=path), summary


def read_summary(path: Path, *, whole: bool = False) -> dict[str, Any]:
    """The summary of a run directory, whatever run it is; `whole`: with every key that other commands compute with.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        summary = read_json(path / SUMMARY)
    except ConfigError:
        raise RunError(f"{path}: {SUMMARY} is missing or damaged; {ANEW}") from None
    if (fault := fault_of(summary, whole=whole)) is not None:
        raise RunError(f"{path}: {SUMMARY} is damaged ({fault}); {ANEW}")
    return dict(summary)
