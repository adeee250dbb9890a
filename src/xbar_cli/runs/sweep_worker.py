"""One job of a sweep, inside a Dask worker: its lock, its log, its limit of time, and what it left as plain values."""

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError, ModelError, NetworkFileError, RunError, XbarError

_ONE_AT_A_TIME = threading.Lock()
"""A job owns its process: working directory, output and memory."""


@dataclass(frozen=True)
class Terms:
    """What holds for every job of a sweep.

    Attributes:
        sweep: an identity of this execution of the sweep, in its logs; also the topic under which jobs tell that they start.
        retries: how often a job that failed, or whose process died, may be started again.
        logs: folder of the logs, one file a job.
        directory: working directory of the jobs.
        timeout: seconds that one job may take; None for no limit.
        environment: by name of a variable that must be set before a module is imported: (value, module).
    """

    sweep: str
    retries: int
    logs: str
    directory: str
    timeout: float | None
    environment: Mapping[str, tuple[str, str]]


def attempt(key: str, work: Callable[[Any], None], payload: Any, terms: Terms) -> dict[str, Any]:
    """Call `work(payload)` under the terms of the sweep.

    Returns `ok`; `reason`, one line where it failed; `again`, whether another try may end otherwise; `seconds`.
    """
    began = time.monotonic()
    log = Path(terms.logs) / f"{key}.log"
    again = True
    try:
        with _ONE_AT_A_TIME, locked(log), output_to(log):
            began = time.monotonic()
            settled = verdict(log, terms)
            if settled is not None:
                return settled
            tell_start(key, terms)
            mark("start", terms)
            with deadline(terms):
                try:
                    settle(terms.environment)
                    os.chdir(terms.directory)
                    work(payload)
                    mark("done", terms)
                except XbarError as error:
                    again = not isinstance(error, (ConfigError, ModelError))
                    print(f"{error.trace if isinstance(error, NetworkFileError) else ''}Error: {error}", flush=True)
                    raise
                except BaseException:
                    traceback.print_exc(file=sys.stdout)
                    raise
    except XbarError as error:
        return failed(str(error), began=began, again=again)
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}", began=began, again=True)
    return done(began=began)


def mark(what: str, terms: Terms) -> None:
    """Write a line of our own into the log: `start`, `done` or `timeout`."""
    print(f"== {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, process {os.getpid()}: {what} {terms.sweep}", flush=True)


def marks(log: Path, terms: Terms, *, what: str) -> int:
    """How many such lines this execution of the sweep has left in the log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return 0
    return sum(line.startswith("== ") and line.endswith(f": {what} {terms.sweep}") for line in lines)


def verdict(log: Path, terms: Terms) -> dict[str, Any] | None:
    """The answer of a job that is not to be started (again), after its process died; None where it is.

    An answer can be lost: a worker that dies takes along what nobody has fetched from it.
    """
    if marks(log, terms, what="done"):
        return done(began=time.monotonic())
    if marks(log, terms, what="timeout"):
        return failed(f"timed out after {terms.timeout:g} s", began=time.monotonic(), again=False)
    if marks(log, terms, what="start") > terms.retries:
        return failed("its worker process died: killed, out of memory or crashed", began=time.monotonic(), again=False)
    return None


def done(*, began: float) -> dict[str, Any]:
    """What a job that is done answers."""
    return {"ok": True, "reason": None, "again": False, "seconds": time.monotonic() - began}


def failed(reason: str, *, began: float, again: bool) -> dict[str, Any]:
    """What a failed job answers: the first line of its reason."""
    line = next(iter(reason.strip().splitlines()), "") or "failed without a message"
    return {"ok": False, "reason": line, "again": again, "seconds": time.monotonic() - began}


def settle(environment: Mapping[str, tuple[str, str]]) -> None:
    """Set the variables that results depend on. RunError where the module that reads one is imported, with another value."""
    for name, (value, module) in environment.items():
        if os.environ.get(name) == value:
            continue
        if module in sys.modules:
            raise RunError(
                f"this Dask worker runs with {name} = {os.environ.get(name, 'unset')}; start it with {name}={value}"
            )
        os.environ[name] = value


def tell_start(key: str, terms: Terms) -> None:
    """Tell whoever watches the sweep that the job starts now."""
    from distributed import get_worker

    # outside of a worker nobody listens
    with contextlib.suppress(ValueError):
        get_worker().log_event(terms.sweep, key)


@contextlib.contextmanager
def locked(log: Path) -> Iterator[None]:
    """Hold the job's lock, on its log: the system frees it when the process ends, however it ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Everything that this process writes to its standard output and error, C libraries with it, goes to the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    stdout, stderr = sys.stdout, sys.stderr
    file = log.open("a", encoding="utf-8", errors="replace")
    try:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout = sys.stderr = file
        yield
    finally:
        sys.stdout, sys.stderr = stdout, stderr
        with contextlib.suppress(OSError):  # a full disk
            file.close()
        for target, source in enumerate(saved, start=1):
            os.dup2(source, target)
            os.close(source)


@contextlib.contextmanager
def deadline(terms: Terms) -> Iterator[None]:
    """End this process when the block takes longer than allowed: nothing else stops a computation that hangs."""
    if terms.timeout is None:
        yield
        return

    def end() -> None:
        print(f"Error: timed out after {terms.timeout:g} s", flush=True)
        mark("timeout", terms)
        os.kill(os.getpid(), signal.SIGKILL)

    timer = threading.Timer(terms.timeout, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
