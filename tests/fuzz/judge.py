"""What became of an input: workers that run the command line in their own process, each input under a deadline."""

import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.fuzz.case import HERE, Case

DEADLINE = 10.0
"""Seconds that an input may take."""
LONGEST_LINE = 700
"""Characters of an error: the values that it quotes are cut, paths are not."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        verdict: `line`, `accepted`, `traceback`, `slow`, `partial`, `long` (an error of too many characters or lines), `died`.
        text: what it said, or the traceback.
        result: where it was accepted, what it printed and the digests of what it made, times and places apart.
    """

    verdict: str
    text: str
    result: str = ""

    @property
    def good(self) -> bool:
        """Whether that is what is promised."""
        return self.verdict in ("line", "accepted")


def judge(case: Case, *, good: Path) -> Outcome:
    """Run one input in this process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    here = os.getcwd()
    try:
        argv = case.lay_out(folder, good=good)
        os.chdir(folder)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), stubbed(case.stub):
            from xbar_cli.cli.main import guarded

            try:
                code = guarded(argv)
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:
                return Outcome("traceback", traceback.format_exc()[-3000:])
        said = err.getvalue().strip()
        left = [str(path) for path in folder.rglob("*.partial") if path.name not in case.copies]
        if left:
            return Outcome("partial", f"{left[0]}: {said[-300:]}")
        if code == 0:
            return Outcome("accepted", said[-3000:].replace(str(folder), HERE), result_of(out.getvalue(), folder))
        errors = [line for line in said.splitlines() if line.startswith("Error: ")]
        if len(errors) != 1 or not said.splitlines()[-1].startswith("Error: ") or len(errors[0]) > LONGEST_LINE:
            return Outcome("long", said[:3000])
        return Outcome("line", errors[0])
    finally:
        os.chdir(here)
        shutil.rmtree(folder, ignore_errors=True)


def result_of(printed: str, folder: Path) -> str:
    """What a command printed and the digests of the files it made (`out` or `page.html`), without times and places."""
    with contextlib.suppress(ValueError):
        printed = json.dumps(timeless(json.loads(printed)), sort_keys=True)
    made = (folder / name for name in ("out/results.nc", "out/model.safetensors", "page.html"))
    digests = [
        hashlib.sha256(path.read_bytes().replace(str(folder).encode(), HERE.encode())).hexdigest()
        for path in made
        if path.is_file()
    ]
    return "\n".join([printed.replace(str(folder), HERE), *digests])


def timeless(value: Any) -> Any:
    """A summary without times and places."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if "second" not in k and k not in ("out", "cached", "created")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


@contextlib.contextmanager
def stubbed(active: bool) -> Iterator[None]:
    """Commands stop where their work would begin, their configuration being resolved and their directory made."""
    if not active:
        yield
        return
    from xbar_cli.cli.shared import running

    whole = running.execute

    def execute(command, config, **rest):
        rest |= {"workflow": lambda config, run, reporter: {"command": command, "out": str(run.final)}, "show": print}
        whole(command, config, **rest)

    running.execute = execute
    try:
        yield
    finally:
        running.execute = whole


def serve(pipe: Connection, good: Path, limits: tuple[int, int] | None) -> None:
    """The work of one process: judge what comes through the pipe."""
    sys.stdin = open(os.devnull)  # noqa: SIM115
    if limits is not None:
        resource.setrlimit(resource.RLIMIT_AS, (limits[0], limits[0]))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    while True:
        number, case = pipe.recv()
        pipe.send((number, judge(case, good=good)))


class Worker:
    """One process, and the input it is at."""

    def __init__(self, good: Path, limits: tuple[int, int] | None) -> None:
        """Start it."""
        self.given = good, limits
        self.start()

    def start(self) -> None:
        """A new process."""
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, *self.given), daemon=True)
        self.process.start()
        other.close()
        self.fresh = True

    def give(self, number: int, case: Case) -> None:
        """One input."""
        self.number, self.case = number, case
        self.pipe.send((number, case))

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


def judged(
    cases: Iterable[tuple[int, Case]],
    *,
    good: Path,
    workers: int,
    limits: tuple[int, int] | None = None,
    deadline: float = DEADLINE,
) -> Iterator[tuple[Case, Outcome]]:
    """Every input with its outcome, as they come; a process that does not end in time is replaced by another.

    Args:
        cases: numbered inputs.
        good: folder of good inputs.
        workers: processes.
        limits: address space [bytes] and open files of each; None for what there is.
        deadline: seconds that an input may take.
    """
    import time

    remaining = iter(cases)
    free = [Worker(good, limits) for _ in range(workers)]
    busy: dict[Connection, tuple[Worker, float]] = {}
    while True:
        while free and (item := next(remaining, None)) is not None:
            worker = free.pop()
            worker.give(*item)
            # a process that has just started imports and compiles first
            busy[worker.pipe] = worker, time.monotonic() + deadline * (6 if worker.fresh else 1)
        if not busy:
            break
        soonest = min(limit for _, limit in busy.values())
        for pipe in wait(list(busy), timeout=max(0.0, soonest - time.monotonic())):
            worker, _ = busy.pop(pipe)
            try:
                _, outcome = pipe.recv()
                worker.fresh = False
            except EOFError:
                worker.stop()
                outcome = Outcome("died", f"exit code {worker.process.exitcode}")
                worker.start()
            yield worker.case, outcome
            free.append(worker)
        for pipe, (worker, limit) in list(busy.items()):
            if time.monotonic() >= limit:
                del busy[pipe]
                worker.stop()
                yield worker.case, Outcome("slow", f"more than {deadline:g} s")
                worker.start()
                free.append(worker)
    for worker in free:
        worker.stop()
