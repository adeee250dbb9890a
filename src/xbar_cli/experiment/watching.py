"""Who is told how a sweep stands: whoever draws it, and trackers of every result as it comes."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from xbar_cli.config.load import flatten
from xbar_cli.experiment.grid import StageRun, shared_values
from xbar_cli.experiment.plan import LOGS, Plan, missing, read_summary
from xbar_cli.reporter import Notes
from xbar_cli.runs.listing import figures_of
from xbar_cli.runs.sweep import Outcome, Watcher
from xbar_cli.runs.trackers.sweeping import SweepTracking, ToldRun, tracked_sweep, untold
from xbar_cli.runs.trackers.tracker import TrackerName


class SweepWatcher(Watcher, Protocol):
    """Is told how the sweep stands; it counts runs, a run being one stage at one point."""

    def begin(
        self,
        runs: Mapping[str, StageRun],
        *,
        cached: Collection[str],
        workers: int | None,
        names: Mapping[str, str],
        results: Callable[[str], Mapping[str, Any]],
    ) -> None:
        """What there is to do, what of it is there, and by how many processes it is done where that is known.

        `names` are what runs are called; `results` are the figures of a run that is done, none of one that others need.
        """
        ...


@dataclass(frozen=True)
class TrackingWatcher:
    """A watcher, and trackers that are told of every run that is done."""

    watcher: SweepWatcher
    tracking: SweepTracking
    plan: Plan

    def begin(
        self,
        runs: Mapping[str, StageRun],
        *,
        cached: Collection[str],
        workers: int | None,
        names: Mapping[str, str],
        results: Callable[[str], Mapping[str, Any]],
    ) -> None:
        """Tell the watcher."""
        self.watcher.begin(runs, cached=cached, workers=workers, names=names, results=results)

    def started(self, key: str) -> None:
        """Tell the watcher."""
        self.watcher.started(key)

    def ended(self, key: str, outcome: Outcome) -> None:
        """Tell the watcher, and trackers what came of it."""
        self.watcher.ended(key, outcome)
        if outcome.ok:
            self.tell([key])

    def tick(self) -> None:
        """Tell the watcher."""
        self.watcher.tick()

    def tell(self, keys: Collection[str]) -> None:
        """Tell trackers of complete runs."""
        values = shared_values(self.plan.points)
        for key in keys:
            run, summary = self.plan.runs[key], read_summary(self.plan.out / key)
            if summary is not None:
                chosen = {"stage": run.stage, **values[key]}
                self.tracking.tell(
                    ToldRun(self.plan.out / key, run.command, chosen, dict(figures_of(summary)), summary)
                )


@contextlib.contextmanager
def followed(
    plan: Plan, names: Sequence[TrackerName], *, watcher: SweepWatcher, notes: Notes
) -> Iterator[tuple[SweepWatcher, Callable[[Mapping[str, Any]], None]]]:
    """A watcher that tells trackers too, of what is there at once, and what tells them the sweep's summary at the end.

    It is the `watcher` alone where no tracker was ever named, and where all is done and told.
    """
    logs = plan.out / LOGS
    if not missing(plan) and not untold(names, logs, plan.cached):
        yield watcher, lambda _: None
        return
    with tracked_sweep(names, plan.out, logs, dict(flatten(plan.experiment.tree())), notes=notes) as tracking:
        if tracking is None:
            yield watcher, lambda _: None
            return
        both = TrackingWatcher(watcher, tracking, plan)
        both.tell([key for key in plan.runs if key in plan.cached])
        yield both, tracking.finish
