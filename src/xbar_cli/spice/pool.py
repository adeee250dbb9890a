"""Workers that share jobs: none outlives the pool, one that died is replaced, and its job is run again once."""

import contextlib
import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from multiprocessing.connection import wait
from types import TracebackType

from xbar_cli.errors import SpiceError
from xbar_cli.spice.backends import BackendName, resolve
from xbar_cli.spice.jobs import Simulation, Solution
from xbar_cli.spice.worker import Worker

_LOG = logging.getLogger("xbar_cli.spice")

START_SECONDS = 60.0
"""A worker that is not ready by then never will be."""

_KEPT: ContextVar[list[Worker] | None] = ContextVar("kept workers", default=None)


@contextlib.contextmanager
def workers_kept() -> Iterator[None]:
    """Inside the block the idle workers of a closed pool serve the next pool of their kind; at its end they end.

    Starting one takes a quarter of a second.
    """
    if _KEPT.get() is not None:
        yield
        return
    kept: list[Worker] = []
    token = _KEPT.set(kept)
    try:
        yield
    finally:
        _KEPT.reset(token)
        while kept:
            kept.pop().close()


class Pool:
    """At most `size` worker processes, started when there is work. Use it as a context manager.

    After a failed job the pool can be used again: a worker whose engine has died, or that was interrupted, is replaced.
    """

    def __init__(self, size: int, *, backend: BackendName, time_points: bool = False) -> None:
        if size < 1:
            raise ValueError(f"size (number of worker processes) must be at least 1, got {size}")
        self._size = size
        self._backend: BackendName = backend
        self._time_points = time_points
        self._workers: list[Worker] = []

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every worker, but leave idle ones to `workers_kept`."""
        kept = _KEPT.get()
        while self._workers:
            worker = self._workers.pop()
            if kept is not None and worker.state == "idle":
                kept.append(worker)
            else:
                worker.close()

    def version(self) -> str:
        """The simulator's version, such as `ngspice-39`. Raises SpiceError."""
        self._pump(_Round([], START_SECONDS, None), until=lambda: any(w.version for w in self._workers))
        return next(worker.version for worker in self._workers if worker.version)

    def run(
        self,
        jobs: Sequence[Simulation],
        *,
        timeout_s: float,
        on_outcome: Callable[[int, int], None] | None = None,
    ) -> list[list[Solution]]:
        """Run every job, each in at most `timeout_s` [s]; the outcomes of each, in the order of the jobs.

        `on_outcome` is called with the analyses done and the analyses there are. Raises SpiceError where a job failed, took too
        long, or its worker died twice.
        """
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {timeout_s}")
        todo = _Round(jobs, timeout_s, on_outcome)
        self._pump(todo, until=todo.finished)
        return todo.outcomes

    def _pump(self, todo: "_Round", *, until: Callable[[], bool]) -> None:
        """Start workers, hand out jobs and read answers until `until()`; on any way out but that, end the busy ones."""
        try:
            while not until():
                self._hand_out(todo)
                left = min((todo.deadlines[worker] - time.monotonic() for worker in self._unsettled()), default=0.0)
                ready = wait([worker.connection for worker in self._unsettled()], timeout=max(left, 0.0))
                for worker in [worker for worker in self._workers if worker.connection in ready]:
                    self._read(worker, todo)
                for worker in self._unsettled():
                    todo.check_deadline(worker, answered=worker.connection in ready)
        except BaseException:
            for worker in self._unsettled():
                self._drop(worker)
            raise

    def _unsettled(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.state in ("starting", "busy")]

    def _drop(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.close()

    def _hand_out(self, todo: "_Round") -> None:
        free = sum(worker.state in ("starting", "idle") for worker in self._workers)
        wanted = max(len(todo.waiting), 0 if self._workers else 1) - free
        for _ in range(min(wanted, self._size - len(self._workers))):
            self._workers.append(self._hired())
        for worker in self._workers:
            if worker.state == "idle" and todo.waiting:
                todo.give(worker)
        for worker in self._unsettled():
            todo.deadlines.setdefault(worker, time.monotonic() + START_SECONDS)

    def _hired(self) -> Worker:
        """A kept worker of this pool's kind, or a new one."""
        kept, kind = _KEPT.get() or [], (*resolve(self._backend), self._time_points)
        for worker in kept:
            if worker.kind == kind:
                kept.remove(worker)
                return worker
        return Worker(self._backend, time_points=self._time_points)

    def _read(self, worker: Worker, todo: "_Round") -> None:
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError):
            words = worker.last_words()
            self._drop(worker)
            todo.died(worker, words)
            return
        match kind:
            case "ready":
                worker.state, worker.version = "idle", content
            case "outcome":
                todo.take(worker, content)
            case "end":
                worker.state = "idle"
                todo.end(worker)
            case "failed":
                message, dead = content
                worker.state = "idle"
                if dead:
                    self._drop(worker)
                raise SpiceError(message)
            case _:
                raise SpiceError(content)


class _Round:
    """The state of one `Pool.run`: which jobs wait, who does which, what came back."""

    def __init__(
        self, jobs: Sequence[Simulation], timeout_s: float, on_outcome: Callable[[int, int], None] | None
    ) -> None:
        self.jobs, self.timeout_s, self.on_outcome = jobs, timeout_s, on_outcome
        self.waiting = deque(range(len(jobs)))
        self.outcomes: list[list[Solution]] = [[] for _ in jobs]
        self.doing: dict[Worker, int] = {}
        self.deadlines: dict[Worker, float] = {}
        self.deaths: Counter[int] = Counter()

    def finished(self) -> bool:
        return not self.waiting and not self.doing

    def give(self, worker: Worker) -> None:
        index = self.waiting.popleft()
        self.doing[worker] = index
        self.deadlines[worker] = time.monotonic() + self.timeout_s
        try:
            worker.send(self.jobs[index])
        except OSError:  # it died while idle: its closed connection is read next
            worker.state = "busy"

    def take(self, worker: Worker, outcome: Solution) -> None:
        self.outcomes[self.doing[worker]].append(outcome)
        if self.on_outcome is not None:
            self.on_outcome(sum(map(len, self.outcomes)), sum(len(job.analyses) for job in self.jobs))

    def check_deadline(self, worker: Worker, *, answered: bool) -> None:
        if answered or time.monotonic() <= self.deadlines.get(worker, math.inf):
            return
        if worker.state == "starting":
            raise SpiceError(f"ngspice: the worker process was not ready within {START_SECONDS:g} s")
        raise SpiceError(f"ngspice: not finished within {self.timeout_s:g} s; the simulation was stopped")

    def end(self, worker: Worker) -> None:
        self.doing.pop(worker)
        self.deadlines.pop(worker)

    def died(self, worker: Worker, words: str) -> None:
        index = self.doing.pop(worker, -1)
        self.deadlines.pop(worker, None)
        self.deaths[index] += 1
        if self.deaths[index] > 1:
            raise SpiceError(f"ngspice: the worker process died twice on the same work ({words})")
        if index >= 0:
            self.outcomes[index] = []
            self.waiting.appendleft(index)
        _LOG.warning("ngspice: a worker process died (%s); its work is run again", words)


def version(*, backend: BackendName = "auto") -> str:
    """The simulator's version, found in a worker process of its own. Raises SpiceError when there is none."""
    with Pool(1, backend=backend) as pool:
        return pool.version()
