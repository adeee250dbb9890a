"""Processes that judge inputs: each input under a limit of processor time, each process under one of memory.

The limit is of processor time and not of a clock's, as the machine may have other work; a clock ends what only waits.
"""

import contextlib
import gc
import itertools
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

import psutil

from tests.fuzz.case import Case
from tests.fuzz.judge import Outcome, judge

CPU_SECONDS = 10.0
"""Of a processor, that an input may take, the processes that it starts counted."""
CLOCK = 6
"""Times as long may pass by the clock: what takes longer waits for something that does not come."""
LOOK_SECONDS = 1.0
"""Between two looks at what processes have taken."""
INPUTS = 1000
"""Inputs of one process: programs that it compiled stay in its memory."""
COLLECT = 50
"""Inputs after which garbage is collected, which takes longer than most inputs."""


@dataclass(frozen=True)
class Limits:
    """What a process may have.

    Attributes:
        memory: of its address space [bytes].
        files: open at a time; None for what there is.
    """

    memory: int = 12 * 2**30
    files: int | None = None


ANY = Limits()
"""What leaves the machine to others."""


def serve(pipe: Connection, good: Path, limits: Limits) -> None:
    """The work of one process: judge what comes through the pipe."""
    from xbar_cli.caches import keep_compiled

    sys.stdin = open(os.devnull)  # noqa: SIM115
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    if limits.files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits.files, limits.files))
    keep_compiled()
    warm = Case("warm", ("eval", "{here}/mapped", "--samples", "1", "--images", "10"), {"mapped": "mapped"})
    judge(warm, good=good)
    pipe.send(None)
    from xbar_cli.spice.pool import workers_kept

    gc.freeze()  # modules and what was compiled are no garbage: collecting need not look at them
    with workers_kept(), contextlib.suppress(EOFError, BrokenPipeError):
        for number in itertools.count(1):
            pipe.send(judge(pipe.recv(), good=good))
            if number % COLLECT == 0:
                gc.collect()
                pipe.send(None)


class Worker:
    """One process, and the input that it is at.

    Attributes:
        pipe: to it.
        case: what it is at; None while it starts.
    """

    def __init__(self, good: Path, limits: Limits, *, deadline: float) -> None:
        """Start it; an input may take `deadline` seconds of a processor."""
        self.given, self.deadline = (good, limits), deadline
        self.start()

    def start(self) -> None:
        """A new process."""
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, *self.given))
        self.process.start()
        other.close()
        self.case: Case | None = None
        self.number, self.inputs = 0, 0
        self._begin()

    def _begin(self) -> None:
        self.spent, self.since = self.cpu(), time.monotonic()

    def give(self, number: int, case: Case) -> None:
        """One input."""
        self.number, self.case, self.inputs = number, case, self.inputs + 1
        self._begin()
        self.pipe.send(case)

    def cpu(self) -> float:
        """Processor time of the process and all that it started [s]."""
        total = 0.0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.process.pid)
            total += sum(process.cpu_times()[:4])
            for child in process.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    total += sum(child.cpu_times()[:4])
        return total

    def taken(self) -> float:
        """Processor time of this input [s]."""
        return max(0.0, self.cpu() - self.spent)

    def late(self) -> str | None:
        """What it takes too much of, if it does."""
        if self.case is None:
            return None
        if (taken := self.taken()) > self.deadline:
            return f"more than {taken:.0f} s of a processor"
        waited = time.monotonic() - self.since
        return f"no end after {waited:.0f} s, {taken:.1f} s of a processor" if waited > CLOCK * self.deadline else None

    def stop(self) -> None:
        """End the process and those that it started."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        self.process.kill()
        self.process.join()

    def again(self) -> None:
        """Another process in its place."""
        self.stop()
        self.start()

    def outcome(self) -> Outcome | None:
        """What it sent; None where that is that it is ready."""
        try:
            found: Outcome | None = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Outcome("died", f"exit code {self.process.exitcode}")
        if found is None:
            return None
        taken = self.taken()
        if taken > self.deadline and found.good:
            return Outcome("slow", f"{taken:.0f} s of a processor: {found.text}", cpu=taken)
        return replace(found, cpu=taken)


def judged(
    cases: Iterable[tuple[int, Case]], *, good: Path, workers: int, limits: Limits = ANY, deadline: float = CPU_SECONDS
) -> Iterator[tuple[int, Case, Outcome]]:
    """Every input with its outcome, as they come; a process that does not end in time is replaced by another.

    What is slow is tried once more in another process, and is slow if it is so again: a process may settle accounts of what
    went before.

    Args:
        cases: numbered inputs.
        good: folder of good inputs.
        workers: processes.
        limits: of each.
        deadline: seconds of a processor that an input may take.
    """
    remaining, again = iter(cases), list[tuple[int, Case]]()
    tried: set[int] = set()
    busy = {worker.pipe: worker for worker in (Worker(good, limits, deadline=deadline) for _ in range(workers))}
    try:
        while busy:
            answering = wait(list(busy), timeout=LOOK_SECONDS)
            for pipe, worker in list(busy.items()):
                case, outcome = worker.case, None
                if pipe in answering:
                    outcome = worker.outcome()
                elif (late := worker.late()) is not None:
                    outcome = Outcome("slow", late, cpu=worker.taken())
                else:
                    continue
                if (
                    case is not None
                    and outcome is not None
                    and outcome.verdict == "slow"
                    and worker.number not in tried
                ):
                    tried.add(worker.number)
                    again.append((worker.number, case))
                elif case is not None and outcome is not None:
                    yield worker.number, case, outcome
                del busy[pipe]
                if outcome is not None and (outcome.verdict in ("slow", "died") or worker.inputs >= INPUTS):
                    worker.again()
                elif outcome is not None and worker.inputs % COLLECT == 0:
                    worker.case = None  # it collects its garbage, on nobody's account
                elif (item := again.pop() if again else next(remaining, None)) is not None:
                    worker.give(*item)
                else:
                    worker.stop()
                    continue
                busy[worker.pipe] = worker
    finally:
        for worker in busy.values():
            worker.stop()
