"""A sweep that is tracked: a run of each tracker for the sweep, and below it one for every run whose result is there."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError
from xbar_cli.outside import read_json
from xbar_cli.reporter import Notes
from xbar_cli.runs.directory import CONFIG, TRACKING, Run
from xbar_cli.runs.trackers.tracker import Tracked, TrackerName, numbers_of
from xbar_cli.runs.trackers.tracking import Tracking, make_tracker, tracked
from xbar_cli.runs.whole import write_whole

TOLD = ".told.json"
"""Among the logs of a sweep, beside what trackers know of it: the runs that each of them was told."""


@dataclass(frozen=True)
class ToldRun:
    """A complete run of a sweep.

    Attributes:
        path: its directory.
        command: that made it.
        values: its stage, and what is swept of it: the hyperparameters.
        figures: what it found, under names that runs of several commands share.
        summary: all of it.
    """

    path: Path
    command: str
    values: Mapping[str, Any]
    figures: Mapping[str, float]
    summary: Mapping[str, Any]


@dataclass
class SweepTracking:
    """The trackers of one sweep.

    Attributes:
        own: what they are told of the sweep as a whole.
        told: names of the runs that each tracker was told; one is told a run once.
        file: that keeps them.
    """

    own: Tracking
    told: dict[str, list[str]]
    file: Path

    def tell(self, part: ToldRun) -> None:
        """A run is complete: its metrics, its figures, its summary and its pictures."""
        for name in list(self.own.following):
            if part.path.name not in self.told.setdefault(name, []):
                with self.own.failing(name):
                    self._tell(name, part)
                    self.told[name].append(part.path.name)
        most = max(map(len, self.told.values()), default=0)
        self.own.line({"step": most, "epoch": most, "runs_told": most})
        with contextlib.suppress(OSError):
            write_whole(self.file, json.dumps(self.told) + "\n")

    def _tell(self, name: TrackerName, part: ToldRun) -> None:
        tracker = make_tracker(
            name, Tracked(part.path, self.own.run.final.parent, part.command, self.own.following[name].identity)
        )
        tracker.start(part.values, known=None)
        step = 0
        for record in Run(part.path, part.path).read_metrics():
            step = record["step"]
            tracker.log(step, numbers_of({key: value for key, value in record.items() if key != "step"}))
        tracker.log(step, part.figures)
        files = (part.path / CONFIG, *sorted(part.path.glob("figures/*.png")))
        tracker.finish(part.summary, [path for path in files if path.is_file()])

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The sweep has come to its end: its summary and its pictures."""
        self.own.finish(summary)


def untold(names: Sequence[TrackerName], logs: Path, runs: Iterable[str]) -> bool:
    """Whether one of the trackers, or one that was told of the sweep before, has not been told all of these complete runs."""
    told = _told(logs / TOLD)
    return any(not set(runs) <= set(told.get(name, ())) for name in {*names, *told})


@contextlib.contextmanager
def tracked_sweep(
    names: Sequence[TrackerName], out: Path, logs: Path, config: Mapping[str, Any], *, notes: Notes
) -> Iterator[SweepTracking | None]:
    """The trackers of the sweep in the folder `out`, those that it was told to before too; None where there are none."""
    if not names and not (logs / TRACKING).exists():
        yield None
        return
    with tracked(names, Run(logs, out), config, command="run", reporter=notes) as (_, own):
        yield SweepTracking(own, _told(logs / TOLD), logs / TOLD)


def _told(path: Path) -> dict[str, list[str]]:
    """What was kept of who was told what; nothing where there is nothing, or it is damaged."""
    try:
        return {str(name): [str(key) for key in keys] for name, keys in read_json(path).items()}
    except (ConfigError, AttributeError, TypeError):
        return {}
