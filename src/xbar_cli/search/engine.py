"""What computes the runs of designs: Dask workers, started when there is first something to compute, and kept."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from xbar_cli.experiment.file import Experiment
from xbar_cli.experiment.grid import Point
from xbar_cli.experiment.plan import Plan, missing, read_summary
from xbar_cli.runs.sweep import Outcome, Watcher
from xbar_cli.runs.sweep_cluster import existing_cluster, local_cluster
from xbar_cli.workflows.run import LOCAL_ENVIRONMENT, compute, processors

if TYPE_CHECKING:
    from distributed import Client


class Engine(Protocol):
    """Computes what is missing of points."""

    def __call__(self, points: Sequence[Point]) -> Mapping[str, Outcome]:
        """The outcome of each run that was computed, by its name; afterwards the others are complete."""
        ...


@dataclass
class Cluster:
    """An `Engine` on workers of this machine, or on the Dask cluster at `scheduler`; a context manager.

    Attributes:
        experiment: the stages.
        out: folder of the runs.
        workers: processes here; None for one a processor.
        scheduler: address of a cluster that somebody else started.
        retries: more tries of a failed run.
        timeout: seconds that one run may take.
        watcher: is told what happens.
    """

    experiment: Experiment
    out: Path
    workers: int | None
    scheduler: str | None
    retries: int
    timeout: float | None
    watcher: Watcher
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _client: "Client | None" = None

    def __enter__(self) -> "Cluster":
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self._held.close()

    def __call__(self, points: Sequence[Point]) -> Mapping[str, Outcome]:
        """See `Engine`."""
        runs = {run.key: run for point in points for run in point.runs.values()}
        cached = frozenset(key for key in runs if read_summary(self.out / key) is not None)
        todo = {run.key: run for run in missing(Plan(self.experiment, self.out, tuple(points), runs, cached))}
        if not todo:
            return {}
        here = None if self.scheduler else self.workers or processors()
        if self._client is None:
            opened = local_cluster(here, LOCAL_ENVIRONMENT) if here else existing_cluster(str(self.scheduler))
            self._client = self._held.enter_context(opened)
        return compute(self._client, todo, self.out, retries=self.retries, timeout=self.timeout, workers=here,
                       watcher=self.watcher)  # fmt: skip
