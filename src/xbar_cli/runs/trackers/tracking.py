"""A run that is tracked: every line of its metrics goes to each tracker once, and no failure of a tracker touches the run."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, assert_never

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted_error, read_json
from xbar_cli.reporter import Notes
from xbar_cli.runs.directory import CONFIG, TRACKING, Run
from xbar_cli.runs.trackers.event_files import EventFiles
from xbar_cli.runs.trackers.mlflow_store import MlflowStore
from xbar_cli.runs.trackers.tracker import (
    IDENTITY,
    TRACKERS,
    Tracked,
    Tracker,
    TrackerName,
    numbers_of,
    require_installed,
)
from xbar_cli.runs.trackers.wandb_offline import WandbOffline
from xbar_cli.runs.whole import write_whole

Place = tuple[int, bool]
"""Where a line of metrics stands among the others: its step, and whether it is of before a phase's first epoch."""
FIRST: Place = (-1, False)
FOLDERS = (*TRACKERS, "mlruns")
"""Names that trackers give their folders, beside the runs."""


@dataclass
class Following:
    """A tracker at work: its identity of the run, and the last line that it was told."""

    tracker: Tracker
    identity: str
    told: Place = FIRST


@dataclass
class Tracking:
    """The trackers of one run.

    Attributes:
        run: its directory.
        reporter: is told what fails.
        following: by name; one that failed is no longer there.
    """

    run: Run
    reporter: Notes
    following: dict[TrackerName, Following] = field(default_factory=dict)

    def start(self, names: Sequence[TrackerName], config: Mapping[str, Any], *, command: str) -> None:
        """Begin with each tracker, or go on with what it was told before the run was interrupted."""
        before = known(self.run.path / TRACKING)
        place = Tracked(self.run.final, self.run.final.parent, command)
        wanted: list[TrackerName] = [name for name in TRACKERS if name in names or name in before]
        for name in wanted:
            tracker, (identity, told) = make_tracker(name, place), before.get(name, (None, FIRST))
            with self.failing(name):
                self.following[name] = Following(tracker, tracker.start(config, known=identity), told)
        self._keep()

    def line(self, record: Mapping[str, Any]) -> None:
        """A line of metrics: told to those that have not been told it."""
        for name in list(self.following):
            self._tell(name, record)
        self._keep()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The run is complete, and lies in its place: what is left of its metrics, the summary, its figures."""
        done = Run(self.run.final, self.run.final)
        artefacts = [path for path in (done.path / CONFIG, *sorted(done.path.glob("figures/*.png"))) if path.is_file()]
        for name in list(self.following):
            for record in done.read_metrics():
                self._tell(name, record)
            if (one := self.following.get(name)) is not None:
                with self.failing(name):
                    one.tracker.finish(summary, artefacts)

    def leave(self) -> None:
        """The run did not come to its end."""
        for name, one in list(self.following.items()):
            with self.failing(name):
                one.tracker.leave()

    def _tell(self, name: TrackerName, record: Mapping[str, Any]) -> None:
        one, place = self.following.get(name), (record["step"], record["epoch"] == 0)
        if one is None or place <= one.told:
            return
        with self.failing(name):
            one.tracker.log(record["step"], numbers_of({key: v for key, v in record.items() if key != "step"}))
            one.told = place

    @contextlib.contextmanager
    def failing(self, name: TrackerName) -> Iterator[None]:
        """What a tracker raises is told once, and it is left alone from then on: the run goes on."""
        try:
            yield
        except Exception as error:  # of a library, of any kind
            self.following.pop(name, None)
            said = " ".join(quoted_error(error).split())
            self.reporter.note(f"{name} failed ({type(error).__name__}: {said}): the run goes on without it")

    def _keep(self) -> None:
        """Keep what the trackers know in the unfinished run, for when it is resumed."""
        said = {name: [one.identity, *one.told] for name, one in self.following.items()}
        with contextlib.suppress(OSError):
            write_whole(self.run.path / TRACKING, json.dumps(said) + "\n")


def make_tracker(name: TrackerName, run: Tracked) -> Tracker:
    """The tracker of this name, for one run; its package is imported when it starts."""
    match name:
        case "tensorboard":
            return EventFiles(run)
        case "mlflow":
            return MlflowStore(run)
        case "wandb":
            return WandbOffline(run)
        case never:
            assert_never(never)


def known(path: Path) -> dict[TrackerName, tuple[str, Place]]:
    """What was kept of an interrupted run's trackers; nothing where there is nothing, or it is damaged."""
    try:
        found = read_json(path)
        return {
            name: (str(found[name][0]), (int(found[name][1]), bool(found[name][2])))
            for name in TRACKERS
            if name in found and IDENTITY.fullmatch(str(found[name][0])) and str(found[name][0]).strip(".")
        }
    except (ConfigError, ValueError, TypeError, KeyError, IndexError):
        return {}


def check_trackers(names: Sequence[TrackerName], out: Path) -> None:
    """Raise ConfigError where a tracker is not installed, or the run would lie where one keeps what it keeps."""
    require_installed(names)
    if names and out.name.removesuffix(".partial") in FOLDERS:
        raise ConfigError(f"{out} is where a tracker keeps what it is told: choose another name for the run")


@contextlib.contextmanager
def tracked(
    names: Sequence[TrackerName], run: Run, config: Mapping[str, Any], *, command: str, reporter: Notes
) -> Iterator[tuple[Run, Tracking]]:
    """The run with its metrics told to trackers; a resumed one to those that it was told to before, too."""
    tracking = Tracking(run, reporter)
    if names or (run.path / TRACKING).exists():
        tracking.start(names, config, command=command)
    try:
        yield replace(run, listener=tracking.line) if tracking.following else run, tracking
    except BaseException:
        tracking.leave()
        raise
