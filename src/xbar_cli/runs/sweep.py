"""A graph of jobs on Dask: each runs once what it needs is done; a failed one fails only what needs it."""

import contextlib
import os
import queue
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from xbar_cli.runs.sweep_worker import Terms, attempt, marks, verdict

if TYPE_CHECKING:
    from distributed import Client, Future

TICK_SECONDS = 0.25
MAX_INNOCENT = 50
"""How often a job may lose its worker before it even started."""


@dataclass(frozen=True)
class Job:
    """A piece of work: its name and its log's, what the work is called with (picklable), and the keys of what comes first."""

    key: str
    payload: Any
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        ok: whether it is done.
        reason: one line where it failed.
        seconds: its own time.
        attempts: how often it was started; 0 where something that it needs failed.
    """

    ok: bool
    reason: str | None
    seconds: float
    attempts: int


class Watcher(Protocol):
    """Is told what happens to the jobs of a sweep."""

    def started(self, key: str) -> None:
        """A worker begins with a job."""
        ...

    def ended(self, key: str, outcome: Outcome) -> None:
        """A job is done or has failed for good."""
        ...

    def tick(self) -> None:
        """Some time went by."""
        ...


def execute(
    client: "Client",
    jobs: Sequence[Job],
    work: Callable[[Any], None],
    *,
    logs: Path,
    width: int | None,
    retries: int,
    timeout: float | None,
    environment: Mapping[str, tuple[str, str]],
    watcher: Watcher,
) -> dict[str, Outcome]:
    """Run every job once on the cluster's workers, in any order that their needs allow; the outcome of each, by key.

    Args:
        client: of the cluster.
        jobs: what they need must be among them.
        work: called in a worker with a job's payload. An exception is a failure.
        logs: folder of the jobs' logs.
        width: most jobs handed to the cluster at once, the first that are ready first, so that each goes to a worker that
            is free; None for all that are ready, which lets a cluster grow.
        retries: how often a job that failed, or whose worker died, is started again, unless its error says that it
            cannot succeed.
        timeout: seconds that one job may take; its worker is then ended and started again. None for no limit.
        environment: see `Terms`.
        watcher: is told what happens.
    """
    terms = Terms(
        sweep=f"sweep-{uuid.uuid4().hex[:12]}", retries=retries, logs=str(logs.absolute()), directory=os.getcwd(),
        timeout=timeout, environment=dict(environment),
    )  # fmt: skip
    state = _Execution(client, {job.key: job for job in jobs}, work, terms, width, watcher)
    client.subscribe_topic(terms.sweep, lambda event: state.events.put(("started", str(event[1]))))
    try:
        state.submit_ready()
        state.follow()
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            client.unsubscribe_topic(terms.sweep)
            client.cancel([f for f in state.futures.values() if not f.done()], force=True)
    return state.outcomes


@dataclass
class _Execution:
    """Where a sweep stands."""

    client: "Client"
    jobs: dict[str, Job]
    work: Callable[[Any], None]
    terms: Terms
    width: int | None
    watcher: Watcher
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    submissions: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    futures: "dict[str, Future]" = field(default_factory=dict)
    events: "queue.SimpleQueue[tuple[str, str]]" = field(default_factory=queue.SimpleQueue)

    def submit_ready(self) -> None:
        """Submit what has all it needs; give up what needs something that failed."""
        changed = True
        while changed:
            changed = False
            for key, job in self.jobs.items():
                if key in self.submissions or key in self.outcomes:
                    continue
                ended = [self.outcomes[need] for need in job.needs if need in self.outcomes]
                if any(not outcome.ok for outcome in ended):
                    first = next(need for need in job.needs if need in self.outcomes and not self.outcomes[need].ok)
                    self.end(key, Outcome(False, _needs(first, self.outcomes[first]), 0.0, 0))
                    changed = True
                elif len(ended) == len(job.needs) and (self.width is None or len(self.futures) < self.width):
                    self.submit(key)

    def follow(self) -> None:
        """Take what happens as it comes, until every job has ended."""
        while len(self.outcomes) < len(self.jobs):
            try:
                kind, key = self.events.get(timeout=TICK_SECONDS)
            except queue.Empty:
                self.watcher.tick()
                continue
            if kind == "started":
                self.watcher.started(key)
            else:
                self.conclude(key)

    def submit(self, key: str) -> None:
        """Hand a job to the cluster."""
        number = self.submissions[key] = self.submissions.get(key, 0) + 1
        future = self.client.submit(
            attempt, key, self.work, self.jobs[key].payload, self.terms, key=f"{self.terms.sweep}-{key}-{number}",
            pure=False, retries=0,
        )  # fmt: skip
        self.futures[key] = future
        future.add_done_callback(lambda _: self.events.put(("ended", key)))

    def conclude(self, key: str) -> None:
        """Take the answer of a job, and try again where that makes sense."""
        answer = self.answer(key)
        starts = max(marks(self.log(key), self.terms, what="start"), self.answered.get(key, 0))
        if not answer["ok"] and answer["again"] and starts <= self.terms.retries:
            self.submit(key)
            return
        self.end(key, Outcome(answer["ok"], answer["reason"], answer["seconds"], starts))
        self.submit_ready()

    def log(self, key: str) -> Path:
        """The log of a job."""
        return Path(self.terms.logs) / f"{key}.log"

    def answer(self, key: str) -> dict[str, Any]:
        """What the job's attempt answered, or what became of its worker."""
        from distributed import KilledWorker

        failed = {"ok": False, "again": False, "seconds": 0.0}
        future = self.futures.pop(key)  # a result that nobody holds is not computed again when its worker dies
        try:
            found = future.result()
            self.answered[key] = self.answered.get(key, 0) + 1  # a log that can't be written marks no start
            return found
        except KilledWorker:
            if self.submissions[key] > MAX_INNOCENT:
                return failed | {"reason": "its workers die before it starts"}
            return verdict(self.log(key), self.terms) or failed | {"reason": "its worker process died", "again": True}
        except Exception as error:  # the cluster failed, not the job
            return failed | {"reason": f"lost by the cluster ({type(error).__name__}: {error})".splitlines()[0]}

    def end(self, key: str, outcome: Outcome) -> None:
        """Record and tell how a job ended."""
        self.outcomes[key] = outcome
        self.watcher.ended(key, outcome)


def _needs(key: str, outcome: Outcome) -> str:
    reason = outcome.reason or ""
    return reason if reason.startswith("needs ") else f"needs {key}, which failed: {reason}"
