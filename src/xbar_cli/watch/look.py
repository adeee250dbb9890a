"""A folder as the page shows it: a sweep with its points, a run, or many runs; plain values for JSON."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from xbar_cli.errors import RunError
from xbar_cli.experiment.announced import PLAN
from xbar_cli.experiment.plan import LOGS
from xbar_cli.outside import clean_path
from xbar_cli.runs.directory import DONE, SUMMARY, partial
from xbar_cli.runs.listing import find_runs
from xbar_cli.watch.logs import plan_of
from xbar_cli.watch.seen import EpochCurve, SeenRun, is_held, of_entry, see

STATES = ("done", "at work", "failed", "interrupted", "incomplete", "damaged", "waiting")
MOST_RUNS = 1000
"""Runs of a folder that are shown."""
MOST_LEARNING = 6
"""Trainings whose curves are shown: those at work, then the last that are done."""
MOST_FAILURES = 20
"""Failures that are shown with their logs."""


def require_something(folder: Path) -> None:
    """Raise RunError where there is nothing to watch."""
    if not clean_path(folder).is_dir() and not partial(folder).is_dir():
        raise RunError(f"{folder}: no run, no sweep and no folder of runs there")


def look(folder: Path) -> dict[str, Any]:
    """What there is to see of a folder, now."""
    if (folder / LOGS).is_dir():
        return of_sweep(folder)
    if partial(folder).is_dir() or folder.name.endswith(".partial") or is_run(folder):
        run = see(folder)
        return shown(str(folder), "run", [run], head=[], cells=[[]], at_work=run.state == "at work")
    return of_folder(folder)


def is_run(folder: Path) -> bool:
    """Whether a complete run, or half of one, lies in this very folder."""
    return (folder / DONE).exists() or (folder / SUMMARY).exists()


def of_folder(folder: Path) -> dict[str, Any]:
    """Many runs by path."""
    entries = list(islice(find_runs(folder), MOST_RUNS)) if folder.is_dir() else []
    runs = []
    for entry in entries:
        run = see(entry.path) if entry.path.name.endswith(".partial") else of_entry(entry)
        runs.append(replace(run, name=os.path.relpath(entry.path, folder).removesuffix(".partial")))
    working = any(run.state == "at work" for run in runs)
    return shown(
        str(folder), "folder", runs, head=["command"], cells=[[run.command or ""] for run in runs], at_work=working
    )


def of_sweep(folder: Path) -> dict[str, Any]:
    """The points of a sweep, or its runs where it did not announce points."""
    plan = plan_of(folder / LOGS / PLAN)
    points: Sequence[Mapping[str, Any]] = plan.get("points", [])[:MOST_RUNS]
    known = dict.fromkeys(key for point in points for key in point["runs"].values())
    others = [key for key in keys_in(folder) if key not in known]
    runs = {key: see(folder / key, log=folder / LOGS / f"{key}.log") for key in [*known, *others][: 4 * MOST_RUNS]}
    title = plan.get("experiment") or folder.name
    working = is_held(folder / LOGS / ".lock")
    if not points:
        cells = [[key.rpartition("-")[0]] for key in runs]
        return shown(title, "sweep", list(runs.values()), head=["stage"], cells=cells, at_work=working)
    head = list(dict.fromkeys(key for point in points for key in point["values"]))
    rows = [replace(of_point(point, runs), name=str(n)) for n, point in enumerate(points, start=1)]
    cells = [[str(point["values"].get(key, "")) for key in head] for point in points]
    return shown(title, "sweep", rows, head=short(head), cells=cells, at_work=working, inside=list(runs.values()))


def short(keys: Sequence[str]) -> list[str]:
    """Keys without their sections where that tells them apart."""
    leaves = [key.rpartition(".")[2] for key in keys]
    return [leaf if leaves.count(leaf) == 1 else key for leaf, key in zip(leaves, keys, strict=True)]


def keys_in(folder: Path) -> list[str]:
    """Names of the runs in the folder of a sweep, those with a log alone too."""
    try:
        names = {path.stem for path in (folder / LOGS).glob("*.log")}
        names |= {path.name.removesuffix(".partial") for path in folder.iterdir() if path.is_dir() and is_run(path)}
    except OSError:
        return []
    return sorted(names)


def of_point(point: Mapping[str, Any], runs: Mapping[str, SeenRun]) -> SeenRun:
    """A point as a run: done where its last stages are, failed where one of its stages is."""
    stages = {stage: runs[key] for stage, key in point["runs"].items() if key in runs}
    last = [runs[key] for key in point["last"] if key in runs]
    figures = {name: value for run in last for name, value in run.figures.items()}
    if last and all(run.state == "done" for run in last):
        return SeenRun(point["name"], "done", figures=figures)
    for state in ("failed", "damaged", "at work", "interrupted"):
        for stage, run in stages.items():
            if run.state == state:
                told = ": ".join(filter(None, (stage, run.told or (run.reason or ""))))
                return SeenRun(point["name"], state, figures=figures, told=told)
    return SeenRun(point["name"], "waiting", figures=figures)


def shown(
    title: str,
    kind: str,
    rows: Sequence[SeenRun],
    *,
    head: Sequence[str],
    cells: Sequence[Sequence[str]],
    at_work: bool,
    inside: Sequence[SeenRun] | None = None,
) -> dict[str, Any]:
    """Everything for the page: `inside` are the runs whose curves and failures are shown, the rows themselves where None."""
    runs = rows if inside is None else inside
    counts = Counter(row.state for row in rows)
    figures = list(dict.fromkeys(name for row in rows for name in row.figures))
    table = [
        [
            row.name,
            row.state,
            *cell,
            *(number(row.figures.get(name)) for name in figures),
            row.told or (row.reason or ""),
        ]
        for row, cell in zip(rows, cells, strict=True)
    ]
    failed = [run for run in runs if run.state in ("failed", "damaged")]
    return {
        "title": title,
        "kind": kind,
        "at_work": at_work,
        "states": {state: counts[state] for state in STATES if counts[state]},
        "head": ["point" if inside is not None else "run", "state", *head, *figures, "where it stands"],
        "rows": table,
        "failures": [
            {"name": run.name, "reason": run.reason or "", "log": list(run.log)} for run in failed[:MOST_FAILURES]
        ],
        "more_failures": max(0, len(failed) - MOST_FAILURES),
        "learning": [
            {"name": run.name, "state": run.state, "told": run.told, "curves": [curve(one) for one in run.curves]}
            for run in learning(runs)
        ],
    }


def learning(runs: Sequence[SeenRun]) -> list[SeenRun]:
    """The runs whose curves are shown."""
    having = [run for run in runs if run.curves]
    return sorted(having, key=lambda run: run.state != "at work")[:MOST_LEARNING]


def curve(one: EpochCurve) -> dict[str, Any]:
    """A curve as plain values."""
    return {"name": one.name, "points": [list(point) for point in one.points]}


def number(value: Any) -> str:
    """A figure as text."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
