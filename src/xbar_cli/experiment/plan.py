"""What an experiment comes to in a folder: its points and runs, what of them is there, and how they stand."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.experiment.file import JOURNAL, Experiment
from xbar_cli.experiment.grid import Point, StageRun, expand
from xbar_cli.experiment.part import only_stage
from xbar_cli.outside import read_json
from xbar_cli.runs import opening
from xbar_cli.runs.directory import DONE
from xbar_cli.runs.listing import figures_of
from xbar_cli.runs.seal import ANEW, RunNote, require_intact
from xbar_cli.runs.sweep import Outcome

LOGS = "logs"
"""Folder of the runs' logs in the folder of an experiment."""
COST = ".cost.json"
"""End of the name, in the folder of logs, of what a run took."""


@dataclass(frozen=True)
class Plan:
    """What an experiment comes to in a folder.

    Attributes:
        experiment: the file.
        out: folder of the run directories.
        points: of the grid.
        runs: every run directory by name, in an order in which they can be computed.
        cached: names of those that are complete.
    """

    experiment: Experiment
    out: Path
    points: tuple[Point, ...]
    runs: dict[str, StageRun]
    cached: frozenset[str]

    def last_runs(self, point: Point) -> list[StageRun]:
        """The runs whose figures are the results of a point."""
        return [point.runs[stage] for stage in self.experiment.last]


def make_plan(experiment: Experiment, out: Path) -> Plan:
    """The points and runs of an experiment, and what of them is complete in `out`. RunError where that is a search's."""
    if (out / JOURNAL).exists():
        raise RunError(f"{out} is the folder of a search; choose another one for the grid")
    points = tuple(expand(experiment))
    runs = {run.key: run for point in points for run in point.runs.values()}
    return Plan(experiment, out, points, runs, frozenset(key for key in runs if read_summary(out / key) is not None))


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The summary of a complete run; None where it is not complete, or damaged, of which there is a note."""
    if not folder.exists():
        return None
    try:
        if not (folder / DONE).exists():
            raise RunError(f"{folder} is half-written")
        require_intact(folder)
        return opening.read_summary(folder)
    except RunError as error:
        said = str(error).removesuffix(f"; {ANEW}")
        warnings.warn(RunNote(f"{said}: it is not used, and computed anew where needed"), stacklevel=2)
        return None


def missing(plan: Plan) -> list[StageRun]:
    """The runs to compute: those that points still need. An earlier stage of complete points may stay away."""
    wanted: set[str] = set()

    def want(key: str) -> None:
        if key not in plan.cached and key not in wanted:
            wanted.add(key)
            for need in plan.runs[key].needs:
                want(need)

    for point in plan.points:
        for run in plan.last_runs(point):
            want(run.key)
    return [run for key, run in plan.runs.items() if key in wanted]


def dry_run(experiment: Experiment, *, out: Path, only: str | None = None) -> dict[str, Any]:
    """What `run` would do: the points, and what of them is complete; of one stage and what it needs with `only`."""
    plan = make_plan(experiment if only is None else only_stage(experiment, only), out)
    return summarise(plan, {}) | {"dry_run": True, "left_cpu_seconds": forecast(plan)}


def forecast(plan: Plan) -> float | None:
    """Processor time of what is missing, by the runs of each stage that are there [s]; None where a stage has none yet."""
    taken: dict[str, list[float]] = {}
    for key in plan.cached:
        if (spent := spent_on(plan.out, key)) is not None:
            taken.setdefault(plan.runs[key].stage, []).append(spent["cpu_seconds"])
    left = [run.stage for run in missing(plan)]
    if not left or not set(left) <= set(taken):
        return None
    return sum(fmean(taken[stage]) for stage in left)


def spent_on(out: Path, key: str) -> dict[str, float] | None:
    """Wall and processor seconds of a run, as its worker wrote them down; None where there is no such note."""
    try:
        found = read_json(out / LOGS / f"{key}{COST}")
        return {name: float(found[name]) for name in ("wall_seconds", "cpu_seconds")}
    except (ConfigError, KeyError, TypeError, ValueError):
        return None


def summarise(plan: Plan, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The summary of a sweep but for its results."""
    listed = [describe_point(plan, point, outcomes) for point in plan.points]
    states = [entry["state"] for entry in listed]
    return {
        "command": "run",
        "experiment": plan.experiment.name,
        "points": len(listed),
        "done": states.count("done") + states.count("cached"),
        "cached": states.count("cached"),
        "failed": states.count("failed"),
        "runs": len(plan.runs),
        "runs_cached": len(plan.cached),
        "runs_computed": sum(outcome.ok for outcome in outcomes.values()),
        "list": listed,
        "results": None,
        "out": str(plan.out),
    }


def figures_by_stage(plan: Plan, point: Point) -> dict[str, float]:
    """What the stages of a point found: that of stages on which no other hangs by its own name, unless two of them have it."""
    found = {run.stage: figures_of(read_summary(plan.out / run.key) or {}) for run in point.runs.values()}
    last = [run.stage for run in plan.last_runs(point)]
    names = [name for stage in last for name in found[stage]]
    alone = {name: found[stage][name] for stage in last for name in found[stage] if names.count(name) == 1}
    others = {
        f"{stage}.{name}": value
        for stage, figures in found.items()
        for name, value in figures.items()
        if stage not in last or name not in alone
    }
    return alone | others


def describe_point(plan: Plan, point: Point, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """One entry of the summary's list."""
    last = plan.last_runs(point)
    # the first stage that failed explains the others
    bad = next((run for run in point.runs.values() if run.key in outcomes and not outcomes[run.key].ok), None)
    if bad is not None:
        state = "failed"
    elif all(run.key in plan.cached for run in last):
        state = "cached"
    elif all(run.key in plan.cached or run.key in outcomes for run in last):
        state = "done"
    else:
        state = "missing"
    return {
        "name": point.name,
        "values": point.values,
        "state": state,
        "stage": bad.stage if bad else None,
        "reason": outcomes[bad.key].reason if bad else None,
        "log": str(plan.out / LOGS / f"{bad.key}.log") if bad else None,
        "attempts": max((outcomes[run.key].attempts for run in point.runs.values() if run.key in outcomes), default=0),
        "figures": figures_by_stage(plan, point),
        "runs": {stage: str(plan.out / run.key) for stage, run in point.runs.items()},
    }
