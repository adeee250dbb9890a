"""Runs opened for reading: complete, intact, of a command that is wanted, their summary as it must be."""

import itertools
import os
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import clean_path, did_you_mean, read_json
from xbar_cli.runs.directory import SUMMARY, Run, partial
from xbar_cli.runs.schema import fault_of
from xbar_cli.runs.seal import ANEW, DONE, require_intact


def open_run(path: Path, *, commands: tuple[str, ...], use: str) -> tuple[Run, dict[str, Any]]:
    """A complete run of one of the `commands`, with its summary; `use`, such as `xbar energy`, is for the error message.

    RunError where there is nothing, half a run, a damaged one, or one of another kind.
    """
    require_run(path)
    if not (path / DONE).exists():
        raise RunError(f"{path} is half-written (no `done` in it): not a complete run")
    require_intact(path)
    summary = read_summary(path, whole=True)
    command = summary["command"]
    if command not in commands:
        article = "an" if command[0] in "aeiou" else "a"
        wanted = " or ".join(f"a `{name}` run" for name in commands)
        raise RunError(f"{path} is {article} `{command}` run; {use} needs {wanted}")
    return Run(path=path, final=path), summary


def require_run(path: Path) -> None:
    """Raise RunError where there is no folder of a run at a path, with the run that may be meant."""
    if clean_path(path).is_dir():
        return
    if partial(path).is_dir() and not path.name.endswith(".partial"):
        raise RunError(f"{path} is half-written (it was interrupted, or still runs); see {partial(path)}")
    near = did_you_mean(path.name, [folder.name for folder in runs_in(path.parent)])
    if not near and path.parent == Path("."):
        near = did_you_mean(path.name, map(str, runs_in(Path("runs"))))
    raise RunError(f"{path}: no such run directory{near}")


def runs_in(folder: Path, *, most: int = 1000) -> list[Path]:
    """The folders of complete runs right in a folder, by name, so many at most; none where it cannot be read."""
    try:
        found = [Path(entry.path) for entry in itertools.islice(os.scandir(folder), most)]
    except OSError:
        return []
    return sorted(path for path in found if (path / DONE).exists())


def read_summary(path: Path, *, whole: bool = False) -> dict[str, Any]:
    """The summary of a run directory, whatever run it is; `whole`: with every key that other commands compute with."""
    try:
        summary = read_json(path / SUMMARY)
    except ConfigError:
        raise RunError(f"{path}: {SUMMARY} is missing or damaged; {ANEW}") from None
    if (fault := fault_of(summary, whole=whole)) is not None:
        raise RunError(f"{path}: {SUMMARY} is damaged ({fault}); {ANEW}")
    return dict(summary)
