"""Run directories: written as `DIR.partial`, renamed to `DIR` when complete."""

import contextlib
import datetime
import fcntl
import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from xbar_cli.caches import discard
from xbar_cli.errors import ModelError, RunError
from xbar_cli.interruption import held
from xbar_cli.outside import clean_path
from xbar_cli.runs import metrics
from xbar_cli.runs.seal import DONE as DONE
from xbar_cli.runs.seal import seal

LOCK = ".lock"
"""Held by the process that writes an unfinished run; no file of a complete one."""
SUMMARY = "summary.json"
METRICS = "metrics.jsonl"
TRACKING = ".tracking.json"
"""What trackers know of an unfinished run; no file of a complete one."""
CONFIG = "config.toml"
MOMENT = 0.05
"""For which a lock may be held by who looks whether it is [s]."""


class TakenPlace(RunError):
    """A run lies where a new one is wanted: `complete`, `interrupted`, or `resumable`, which has a checkpoint to go on from."""

    def __init__(self, out: Path, *, state: str) -> None:
        """Say so."""
        complete = state == "complete"
        super().__init__(f"{out} is a complete run" if complete else f"{partial(out)} is an interrupted run")
        self.out, self.state = out, state


@dataclass(frozen=True)
class Run:
    """A run directory that is being written (`path` ends in `.partial`) or is complete, which is then at `final`.

    `listener` is told every line of metrics, after it is written.
    """

    path: Path
    final: Path
    listener: Callable[[Mapping[str, Any]], None] | None = None

    @property
    def figures(self) -> Path:
        """The folder of figures, made when first asked for."""
        folder = self.path / "figures"
        folder.mkdir(exist_ok=True)
        return folder

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add one flushed line to metrics.jsonl."""
        metrics.append(self.path / METRICS, record)
        if self.listener is not None:
            self.listener(record)

    def read_metrics(self) -> list[dict[str, Any]]:
        """What the lines of metrics.jsonl say, those that are not damaged; none where it is not there."""
        return [record for _, record in metrics.lines_of(self.path / METRICS)]

    def finish(self, summary: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Write summary.json, seal the run (`done`), then rename it to its final name. ModelError where a figure is no number."""
        try:
            text = json.dumps(summary, indent=1, allow_nan=False)
        except ValueError:
            names = [name for name, value in summary.items() if not _finite(value)]
            raise ModelError(
                f"{', '.join(names)}: no finite number came out; the runs that it is of are damaged"
            ) from None
        (self.path / SUMMARY).write_text(text + "\n", encoding="utf-8")
        for unfinished in (LOCK, TRACKING):
            (self.path / unfinished).unlink(missing_ok=True)
        seal(self.path)
        with held():
            if overwrite and self.final.exists():
                old = replaced(self.final)
                discard(old)
                self.final.rename(old)
                self.path.rename(self.final)
                discard(old)
            else:
                self.path.rename(self.final)


def _finite(value: Any) -> bool:
    """Whether all numbers in a value are finite."""
    if isinstance(value, Mapping | list | tuple):
        return all(map(_finite, value.values() if isinstance(value, Mapping) else value))
    return not isinstance(value, float) or math.isfinite(value)


def default_out(command: str, config: Mapping[str, Any], *, root: Path = Path("runs")) -> Path:
    """`runs/<command>-<UTC time>-<hash8 of the configuration>`, with a counter where that is taken."""
    time = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:8]
    name = f"{command}-{time}-{digest}"
    out, count = root / name, 1
    while out.exists() or partial(out).exists():
        count += 1
        out = root / f"{name}-{count}"
    return out


def partial(out: Path) -> Path:
    """The name under which `out` is written. RunError where `out` has none, as the empty text and `..` have none."""
    if out.name in ("", ".."):
        raise RunError(f"a run directory needs a name of its own, and {str(out)!r} is none")
    return out.with_name(out.name + ".partial")


def replaced(out: Path) -> Path:
    """Where `out` lies for the moment in which a new run takes its place."""
    return out.with_name(out.name + ".replaced")


def check_free(out: Path, *, overwrite: bool) -> None:
    """Raise RunError where a new run at `out` would destroy something that was not given up."""
    unfinished = partial(out)
    clean_path(replaced(out))
    if out.exists():
        if not (out / DONE).exists() and not (out.is_dir() and not any(out.iterdir())):
            raise RunError(f"{out} exists and is no xbar run; choose another folder")
        if (out / DONE).exists() and not overwrite:
            raise TakenPlace(out, state="complete")
    if at_work(unfinished):
        raise RunError(f"another process is at work in {unfinished}; wait for it, or choose another folder")
    if unfinished.exists() and not overwrite:
        raise TakenPlace(out, state="resumable" if resumable(unfinished) else "interrupted")


def at_work(path: Path) -> bool:
    """Whether a process holds this unfinished run."""
    return is_locked(path / LOCK)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on a file; it is looked at for a moment, see `take`."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def resumable(path: Path) -> bool:
    """Whether an unfinished run can go on: it has a checkpoint and its configuration."""
    return has_checkpoint(path) and (path / CONFIG).exists()


def take(file: IO[bytes]) -> None:
    """Take the lock on a file, or raise BlockingIOError; whoever only looks holds it for a moment, which is waited for."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(MOMENT)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold an unfinished run for this process, or raise RunError; the system frees it when the process ends, however it ends."""
    try:
        file = os.fdopen(os.open(path / LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666), "wb")
    except OSError as error:
        raise RunError(f"{path / LOCK} cannot be written: {error.strerror}") from None
    with file:
        try:
            take(file)
            if os.stat(path / LOCK).st_ino != os.fstat(file.fileno()).st_ino:  # the other has just completed its run
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            raise RunError(f"another process is at work in {path}; wait for it, or choose another folder") from None
        yield


@contextlib.contextmanager
def new_run(out: Path, *, overwrite: bool, keep_partial: bool = False) -> Iterator[Run]:
    """A fresh run directory. It vanishes when the block fails, unless `keep_partial` and it holds a checkpoint."""
    path = partial(out)
    clean_path(replaced(out))
    if replaced(out).exists() and not out.exists():  # a process was killed between two renames
        replaced(out).rename(out)
    check_free(out, overwrite=overwrite)
    try:
        if path.is_symlink():
            path.unlink()
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        path.mkdir(parents=True, exist_ok=overwrite)
    except OSError as error:
        raise RunError(f"{path} cannot be made: {error.strerror}") from None
    with _cleaned(Run(path=path, final=out), keep_partial=keep_partial, empty=True) as run:
        yield run


@contextlib.contextmanager
def _cleaned(run: Run, *, keep_partial: bool, empty: bool = False) -> Iterator[Run]:
    """Hold an unfinished run, from an empty folder on where it is to be new, and remove it where the block fails."""
    with _held(run.path):
        try:
            if empty:
                _empty(run.path)
            yield run
        except BaseException:
            if not (keep_partial and has_checkpoint(run.path)):
                shutil.rmtree(run.path, ignore_errors=True)
            raise


def _empty(path: Path) -> None:
    """Remove what lies in an unfinished run, but for its lock. Raises RunError."""
    try:
        for found in path.iterdir():
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found)
            elif found.name != LOCK:
                found.unlink()
    except OSError as error:
        raise RunError(f"{path} cannot be emptied: {error.strerror}") from None


@contextlib.contextmanager
def reopened_run(out: Path) -> Iterator[Run]:
    """The interrupted run at `out` (or `out.partial`), to be continued; RunError where there is none."""
    final = out.with_name(out.name.removesuffix(".partial")) if out.name.endswith(".partial") else out
    path = partial(final)
    if not path.is_dir():
        if (final / DONE).exists():
            raise RunError(f"{final} is complete; there is nothing to resume")
        raise RunError(f"{final}: no interrupted run to resume")
    require_no_links(path, *path.rglob("*"))
    if not (path / CONFIG).exists():
        raise RunError(f"{path} was interrupted before its configuration was written; overwrite it to start again")
    with _cleaned(Run(path=path, final=final), keep_partial=True) as run:
        yield run


def require_no_links(*paths: Path) -> None:
    """Raise RunError where something in an unfinished run is a link: what is written or removed there lies outside."""
    if (link := next((path for path in paths if path.is_symlink()), None)) is not None:
        raise RunError(f"{link} is a link, and a run lies in its own folder; remove it, or overwrite the run")


def has_checkpoint(path: Path) -> bool:
    """Whether a checkpoint was completed in this directory, or in one of its trainings at several learning rates."""
    folders = (path / "checkpoints", *path.glob("rates/*/checkpoints"))
    return any(folder.is_dir() and any(child.name.isdecimal() for child in folder.iterdir()) for folder in folders)
