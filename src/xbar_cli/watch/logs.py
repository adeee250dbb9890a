"""The ends of the files that a run at work writes: its log and its metrics. Links are not followed."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from xbar_cli.outside import MEGABYTE
from xbar_cli.runs import metrics

MOST_BYTES = 16 * 1024
"""Of the end of a log."""
MOST_LINES = 15
"""Of the end of a log that are shown."""
LARGEST_METRICS = 16 * MEGABYTE
LARGEST_PLAN = 16 * MEGABYTE
MARK = "== "
"""Begins the lines by which a sweep's worker says what it does."""


@dataclass(frozen=True)
class LogEnd:
    """How the log of a job ends.

    Attributes:
        lines: the last ones.
        reason: one line on what went wrong in the last attempt; None where nothing did, or nothing is known to.
    """

    lines: tuple[str, ...]
    reason: str | None


def identity(path: Path) -> tuple[int, int, int] | None:
    """What changes when a regular file does; None where it is none, or a link."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def tail(path: Path) -> str:
    """The last bytes of a regular file as text, from the beginning of a line on; nothing where it is none, or a link."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ""
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST_BYTES))
            text = file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return text if size <= MOST_BYTES else text.partition("\n")[2]


def end_of_log(path: Path) -> LogEnd:
    """How the log of a job ends; see `runs.sweep_worker` for its lines."""
    return _end(path, found) if (found := identity(path)) is not None else LogEnd((), None)


@lru_cache(maxsize=4096)
def _end(path: Path, _: tuple[int, int, int]) -> LogEnd:
    lines = [line for line in tail(path).splitlines() if line.strip()]
    marks = [i for i, line in enumerate(lines) if line.startswith(MARK)]
    last = lines[marks[-1] :] if marks else lines
    if marks and ": done " in last[0]:
        return LogEnd(tuple(lines[-MOST_LINES:]), None)
    timed_out = bool(marks) and ": timeout " in last[0]
    errors = [line for line in (lines if timed_out else last) if line.startswith("Error: ")]
    reason = errors[-1].removeprefix("Error: ") if errors else None
    if reason is None and any(line.startswith("Traceback (") for line in last):
        reason = last[-1]
    return LogEnd(tuple(lines[-MOST_LINES:]), reason)


def lines_of_metrics(path: Path) -> tuple[Mapping[str, Any], ...]:
    """The lines of a metrics.jsonl that hold; none where it is too long, a link, or not there."""
    found = identity(path)
    return () if found is None or found[1] > LARGEST_METRICS else _metrics(path, found)


@lru_cache(maxsize=256)
def _metrics(path: Path, _: tuple[int, int, int]) -> tuple[Mapping[str, Any], ...]:
    try:
        return tuple(record for _, record in metrics.lines_of(path))
    except OSError:
        return ()


def plan_of(path: Path) -> Mapping[str, Any]:
    """What a sweep announced; nothing where it did not, or the file is damaged."""
    found = identity(path)
    return {} if found is None or found[1] > LARGEST_PLAN else _plan(path, found)


@lru_cache(maxsize=16)
def _plan(path: Path, _: tuple[int, int, int]) -> Mapping[str, Any]:
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        points = [{"name": str(p["name"]), "values": {str(k): str(v) for k, v in p["values"].items()},
                   "runs": {str(k): Path(str(v)).name for k, v in p["runs"].items()},
                   "last": [Path(str(key)).name for key in p["last"]]} for p in plan["points"]]  # fmt: skip
        return {"experiment": str(plan["experiment"]), "points": points}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
