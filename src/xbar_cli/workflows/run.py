"""`xbar run`: the stages of an experiment at every point of its grid, one run directory each, on Dask workers.

What is complete stays; what is missing or failed is computed. Dask is imported only where something is to be computed.
"""

import contextlib
import importlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from xbar_cli.errors import RunError
from xbar_cli.experiment.announced import announce
from xbar_cli.experiment.file import MODELS, Experiment
from xbar_cli.experiment.grid import StageRun, renamed, run_names
from xbar_cli.experiment.part import only_stage
from xbar_cli.experiment.plan import COST, LOGS, Plan, dry_run, make_plan, missing, read_summary, summarise
from xbar_cli.experiment.watching import SweepWatcher, followed
from xbar_cli.reporter import SILENT, Notes
from xbar_cli.runs.directory import (
    CONFIG,
    DONE,
    SUMMARY,
    new_run,
    partial,
    reopened_run,
    require_no_links,
    resumable,
    take,
)
from xbar_cli.runs.listing import figures_of
from xbar_cli.runs.seal import seal
from xbar_cli.runs.sweep import Job, Outcome, Watcher, execute
from xbar_cli.runs.sweep_cluster import existing_cluster, local_cluster
from xbar_cli.runs.trackers.tracker import TrackerName
from xbar_cli.runs.whole import write_whole

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["dry_run", "run"]

ENVIRONMENT = {
    "NPROC": ("1", "jax"),
    "OPENBLAS_NUM_THREADS": ("1", "numpy"),
}
"""What the bits of results depend on, and the module that reads it: every worker has the same."""
LOCAL_ENVIRONMENT = {
    **{name: value for name, (value, _) in ENVIRONMENT.items()},
    "OMP_NUM_THREADS": "1",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
"""Of workers on this machine; several may share its accelerator."""


class LogReporter:
    """A `workflows.reporter.Reporter` for a run's log: notes, and the beginning and end of each task."""

    def note(self, message: str) -> None:
        """Write the message."""
        print(message, flush=True)

    def doing(self, what: str) -> None:
        """Write what is being done."""
        print(what, flush=True)

    def progress(self, label: str, done: float, total: float, said: str = "") -> None:
        """Write where a task begins and ends, and what came of it."""
        if done in (0, total):
            print(f"{label}: {done:g} of {total:g}{f', {said}' if said else ''}", flush=True)


def run(
    experiment: Experiment,
    *,
    out: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    retries: int = 2,
    timeout: float | None = None,
    formats: Sequence[str] = ("png",),
    only: str | None = None,
    track: Sequence[TrackerName] = (),
    watcher: SweepWatcher,
    notes: Notes = SILENT,
) -> dict[str, Any]:
    """Compute what is missing of an experiment in the folder `out`; returns the summary.

    Pictures are written in the `formats`. `only` computes one stage and what it needs: the folder's results stay as they are.

    It runs on so many `workers` of this machine (None: one a processor), or on the existing Dask cluster at `scheduler`. A run
    may take `timeout` seconds; a failed one is tried `retries` times more. The trackers of `track` are told of every run that is
    complete, those of before too; a tracker that fails is one of the `notes`.
    """
    plan = make_plan(experiment if only is None else only_stage(experiment, only), out)
    with only_one(out), followed(plan, track, watcher=watcher, notes=notes) as (watching, finish):
        began = time.perf_counter()
        if missing(plan) and only is None:
            (out / DONE).unlink(missing_ok=True)
        outcomes = compute_missing([plan], workers=workers, scheduler=scheduler, retries=retries, timeout=timeout,
                                   watcher=watching)  # fmt: skip
        seconds = time.perf_counter() - began
        if only is not None:
            summary = summarise(plan, outcomes) | {"only": only, "wall_seconds": seconds}
        else:
            summary = conclude(plan, outcomes, seconds=seconds, formats=formats)
        finish(summary)
        return summary


def compute_missing(
    plans: Sequence[Plan],
    *,
    workers: int | None,
    scheduler: str | None = None,
    retries: int,
    timeout: float | None = None,
    watcher: SweepWatcher,
) -> dict[str, Outcome]:
    """Compute what is missing of plans that have one folder, on a cluster of so many workers or on the one at `scheduler`."""
    todo = {run.key: run for plan in plans for run in missing(plan)}
    if not todo:
        return {}
    announce(plans, plans[0].out)
    count = min(workers or processors(), len(todo))
    here = None if scheduler else count
    opened = existing_cluster(scheduler) if scheduler is not None else local_cluster(count, LOCAL_ENVIRONMENT)
    with opened as client:
        runs = {key: run for plan in plans for key, run in plan.runs.items()}
        watcher.begin(
            runs,
            cached=frozenset[str]().union(*(plan.cached for plan in plans)),
            workers=here,
            names={key: name for plan in plans for key, name in run_names(plan.points).items()},
            results=lambda key: figures_at(plans, key),
        )
        return compute(client, todo, plans[0].out, retries=retries, timeout=timeout, workers=here, watcher=watcher)


def figures_at(plans: Sequence[Plan], key: str) -> dict[str, Any]:
    """The figures of a run that is a result of its experiment; none of another."""
    last = any(run.key == key for plan in plans for point in plan.points for run in plan.last_runs(point))
    return figures_of(read_summary(plans[0].out / key) or {}) if last else {}


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Make the folder and hold it for this process, or raise RunError; the system frees it when the process ends."""
    require_no_links(out / "figures", out / LOGS)
    try:
        if out.is_dir() and not (out / LOGS).is_dir() and any(out.iterdir()):
            raise RunError(f"{out} exists and is no folder of `xbar run`; choose another folder")
        (out / LOGS).mkdir(parents=True, exist_ok=True)
        file = (out / LOGS / ".lock").open("ab")
    except OSError as error:
        raise RunError(f"{out} cannot be made: {error.strerror}") from None
    with file:
        try:
            take(file)
        except BlockingIOError:
            raise RunError(f"another `xbar run` is at work in {out}; wait for it, or choose another folder") from None
        yield


def compute(
    client: "Client",
    todo: Mapping[str, StageRun],
    out: Path,
    *,
    retries: int,
    timeout: float | None,
    workers: int | None,
    watcher: Watcher,
) -> dict[str, Outcome]:
    """Compute runs in the folder `out` on a cluster."""
    jobs = [
        Job(key=key, payload=payload(run, out), needs=tuple(need for need in run.needs if need in todo))
        for key, run in todo.items()
    ]
    return execute(
        client,
        jobs,
        run_stage,
        logs=out / LOGS,
        width=workers,
        retries=retries,
        timeout=timeout,
        environment=ENVIRONMENT,
        watcher=watcher,
    )


def payload(run: StageRun, out: Path) -> dict[str, Any]:
    """What a worker needs to know of a run."""
    config = renamed(run.config, lambda key: str(out / key))
    return {"command": run.command, "config": config, "out": str(out / run.key)}


def run_stage(job: Mapping[str, Any]) -> None:
    """Compute one run, in a worker; nothing where it is complete. An interrupted training goes on."""
    out = Path(job["out"])
    if read_summary(out) is not None:
        return
    config = MODELS[job["command"]].model_validate(job["config"])
    config.check()
    workflow = workflow_of(job["command"])
    goes_on, began = resumable(partial(out)), Clock.now()
    with reopened_run(out) if goes_on else new_run(out, overwrite=True, keep_partial=True) as directory:
        summary = workflow(config, directory, reporter=LogReporter())
        directory.finish(summary, overwrite=True)
    spent = began.until_now()
    write_whole(out.parent / LOGS / f"{out.name}{COST}", json.dumps(spent, indent=1) + "\n")


@dataclass(frozen=True)
class Clock:
    """Times of this process and of those that it has started and that have ended [s]."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Clock":
        """What the clocks show."""
        times = os.times()
        return cls(time.monotonic(), times.user + times.system + times.children_user + times.children_system)

    def until_now(self) -> dict[str, float]:
        """What went by."""
        now = Clock.now()
        return {"wall_seconds": now.wall - self.wall, "cpu_seconds": now.cpu - self.cpu}


def workflow_of(command: str) -> Callable[..., dict[str, Any]]:
    """The workflow of a stage's command."""
    module, function = ("importing", "add_data") if command == "data add" else (command.replace(" ", "_"), "run")
    return getattr(importlib.import_module(f"xbar_cli.workflows.{module}"), function)


def conclude(
    plan: Plan, outcomes: Mapping[str, Outcome], *, seconds: float, formats: Sequence[str] = ("png",)
) -> dict[str, Any]:
    """Gather the results of a sweep, write its files, and sum up."""
    from xbar_cli.experiment.results import POINTS, gather, write_points, write_results
    from xbar_cli.pictures.grid import grid_of
    from xbar_cli.pictures.sweeps import draw_sweep
    from xbar_cli.runs.results import RESULTS

    summary = summarise(plan, outcomes)
    results = gather(plan)
    if results.variables:
        write_results(plan.out / RESULTS, results)
        write_points(plan.out / POINTS, results)
        grid = grid_of(results.name, coordinates=results.coordinates, variables=results.variables)
        drawn = draw_sweep(plan.out / "figures", grid, formats=formats, anew=bool(outcomes))
        summary |= {"results": str(plan.out / RESULTS), "pictures": drawn}
    (plan.out / DONE).unlink(missing_ok=True)
    write_whole(plan.out / CONFIG, tomli_w.dumps(plan.experiment.tree()))
    write_whole(plan.out / SUMMARY, json.dumps(summary | {"wall_seconds": seconds}, indent=1, allow_nan=False) + "\n")
    if summary["failed"] == 0:
        seal(plan.out, within="*")
    return summary | {"wall_seconds": seconds}
