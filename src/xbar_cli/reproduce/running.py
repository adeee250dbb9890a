"""Running the items of papers through the sweep engine, and what is there of each: one folder of runs a paper."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.data.datasets import status
from xbar_cli.experiment.grid import Point
from xbar_cli.experiment.plan import Plan, describe_point, read_summary, spent_on
from xbar_cli.experiment.watching import SweepWatcher
from xbar_cli.reproduce.items import Item
from xbar_cli.reproduce.values import ItemRuns
from xbar_cli.runs.sweep import Outcome
from xbar_cli.workflows.run import compute_missing, only_one

RETRIES = 1


@dataclass(frozen=True)
class ItemPlan:
    """An item in a folder.

    Attributes:
        item: the item.
        plan: of its points whose data sets are there.
        without: why other points are not run, a line for each data set that is missing.
    """

    item: Item
    plan: Plan
    without: tuple[str, ...]

    def state(self) -> dict[str, Any]:
        """What there is, for a dry run."""
        return {
            "paper": self.item.paper,
            "item": self.item.name,
            "points": len(self.item.points),
            "runs": len(self.plan.runs),
            "runs_cached": len(self.plan.cached),
            "reason": "; ".join(self.without) or None,
        }


@dataclass(frozen=True)
class Ran:
    """An item after its runs.

    Attributes:
        item: the item.
        found: what is complete of it.
        cost: wall and processor seconds of its runs, each in the process that computed it.
        out: folder of the runs.
        notes: what was not run, a line for each reason.
    """

    item: Item
    found: ItemRuns
    cost: Mapping[str, float]
    out: Path
    notes: tuple[str, ...]


def plans_of(items: Sequence[Item], out: Path) -> list[ItemPlan]:
    """What each item comes to in the folder of its paper."""
    there = {row.name for row in status(None) if row.available}
    return [plan_of(item, out / item.paper, there) for item in items]


def plan_of(item: Item, out: Path, there: set[str]) -> ItemPlan:
    """What an item comes to in a folder, with the data sets that are there."""
    lacking = [data_sets(point) - there for point in item.points]
    points = tuple(point for point, names in zip(item.points, lacking, strict=True) if not names)
    runs = {run.key: run for point in points for run in point.runs.values()}
    cached = frozenset(key for key in runs if read_summary(out / key) is not None)
    names = sorted(set[str]().union(*lacking))
    without = tuple(f"the data set {name} is not there (xbar data import {name})" for name in names)
    return ItemPlan(item, Plan(item.experiment, out, points, runs, cached), without)


def data_sets(point: Point) -> set[str]:
    """The data sets that the trainings of a point read."""
    names = {run.config["dataset"]["name"] for run in point.runs.values() if run.command == "train"}
    return {name for name in names if not name.startswith("@")}  # which a stage makes


def run_items(plans: Sequence[ItemPlan], *, workers: int | None, watcher: SweepWatcher) -> list[Ran]:
    """Compute what is missing of the items, paper by paper, and gather what is there."""
    folders = dict.fromkeys(plan.plan.out for plan in plans)
    ran: list[Ran] = []
    with ExitStack() as held:
        for folder in folders:
            held.enter_context(only_one(folder))
        for folder in folders:
            own = [plan for plan in plans if plan.plan.out == folder]
            outcomes = compute_missing([p.plan for p in own], workers=workers, retries=RETRIES, watcher=watcher)
            ran += [gather(plan, outcomes) for plan in own]
    return ran


def gather(plan: ItemPlan, outcomes: Mapping[str, Outcome]) -> Ran:
    """What is complete of an item, and why the rest is not."""
    out = plan.plan.out
    read = {key: read_summary(out / key) for key in plan.plan.runs}
    summaries = {key: summary for key, summary in read.items() if summary is not None}
    points = tuple(p for p in plan.plan.points if all(run.key in summaries for run in p.runs.values()))
    entries = [describe_point(plan.plan, point, outcomes) for point in plan.plan.points]
    failed = [f"stage {e['stage']} failed: {e['reason']}" for e in entries if e["state"] == "failed"]
    notes = (*plan.without, *dict.fromkeys(failed))
    found = ItemRuns(plan.item.experiment, points, summaries)
    return Ran(plan.item, found, cost_of(out, summaries), out, notes)


def cost_of(out: Path, keys: Mapping[str, Any]) -> dict[str, float]:
    """Wall and processor seconds of runs, as their workers wrote them down; nothing of a run that has no such note."""
    total = {"wall_seconds": 0.0, "cpu_seconds": 0.0}
    for key in keys:
        if (spent := spent_on(out, key)) is not None:
            total = {name: seconds + spent[name] for name, seconds in total.items()}
    return total
