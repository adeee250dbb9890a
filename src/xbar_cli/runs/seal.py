"""What a complete run holds: `done` lists every file with its size and SHA-256, and whoever opens the run compares."""

import hashlib
import json
import stat
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xbar_cli.errors import RunError

DONE = "done"
VERSION = 1
"""Of the list in `done`. Runs of xbar 0.1 and before have an empty file there, and are read without comparison."""
BLOCK = 2**20
ANEW = "make it anew with the command that made it"
"""What to do about a damaged run."""
UNSEALED = "was written by xbar 0.1 or before, which kept no list of its files: damage to a value in it cannot be told"


class RunNote(UserWarning):
    """Something to be said of a run that is opened; the command line prints it as a note."""


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def seal(folder: Path, *, within: str = "**/*") -> None:
    """Write `done`, the list of what the folder holds: the last thing that is done to a run.

    Args:
        folder: of the run.
        within: pattern of what belongs to it, where it has runs of their own in it.
    """
    files = sorted(path for path in folder.glob(within) if path.is_file() and path != folder / DONE)
    listed = {str(path.relative_to(folder)): [path.stat().st_size, digest(path)] for path in files}
    (folder / DONE).write_text(json.dumps({"version": VERSION, "files": listed}, indent=1) + "\n", encoding="utf-8")


def require_intact(folder: Path, *, only: Iterable[str] | None = None) -> None:
    """Raise unless every file that `done` lists is there as it was written.

    Args:
        folder: a complete run.
        only: names of the files to look at; all when absent.

    Raises:
        RunError: a file is missing, is not the one that was written, or leads out of the run; the list itself is damaged.
    """
    listed = sealed_files(folder)
    if not listed:
        warnings.warn(RunNote(f"{folder} {UNSEALED}"), stacklevel=2)
    for name in listed if only is None else [name for name in only if name in listed]:
        size, expected = listed[name]
        path = folder / name
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise RunError(f"{folder}: {name} is damaged (it is no regular file any more); {ANEW}")
            if found.st_size != size or digest(path) != expected:
                raise RunError(f"{folder}: {name} is damaged (not as the run wrote it); {ANEW}")
        except OSError as error:
            state = "missing" if isinstance(error, FileNotFoundError) else f"unreadable ({error.strerror})"
            raise RunError(f"{folder}: {name} is {state}; {ANEW}") from None


def sealed_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of every file that a run was sealed with; none for a run of before there were lists.

    Raises:
        RunError: the list is damaged, or of a version to come.
    """
    path = folder / DONE
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ValueError
        text = path.read_text(encoding="utf-8")
        found: Any = json.loads(text) if text else {"version": VERSION, "files": {}}
        version = found["version"]
        if version == VERSION:
            files = {str(name): (int(size), str(sha)) for name, (size, sha) in found["files"].items()}
            if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
                raise ValueError
            return files
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RunError(f"{folder}: {DONE}, the list of its files, is damaged; {ANEW}") from None
    raise RunError(f"{folder} was written by another version of xbar (its list of files is of version {version!r:.20})")
