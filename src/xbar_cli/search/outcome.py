"""What a search found: its summary, results.nc, the trials as CSV, the front."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from xbar_cli.experiment.file import SEARCH
from xbar_cli.experiment.results import as_array, unit_of
from xbar_cli.report.tables import as_csv
from xbar_cli.runs.directory import CONFIG, SUMMARY
from xbar_cli.runs.results import RESULTS, Field, field, write_fields
from xbar_cli.runs.seal import seal
from xbar_cli.runs.whole import write_whole
from xbar_cli.search.agreement import disagreement
from xbar_cli.search.asked import Search, rungs
from xbar_cli.search.drawing import draw
from xbar_cli.search.objectives import front, hypervolume, small, violations
from xbar_cli.search.trial import COMPLETE, DROPPED, FAILED, INFEASIBLE, REPEATED, Trial

CSV = "trials.csv"
STATES = (COMPLETE, DROPPED, INFEASIBLE, FAILED, REPEATED)


def excess(search: Search, trial: Trial) -> float:
    """How far a design is from meeting all constraints: the largest violation, as a share of its bound."""
    found = violations(search.constraints, {c.figure: trial.value(c.figure) for c in search.constraints})
    return max((max(found[c.text], 0.0) / (abs(c.bound) or 1.0) for c in search.constraints), default=0.0)


def feasible(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The designs with all of their chips that meet the constraints."""
    return [trial for trial in trials if trial.state == COMPLETE and excess(search, trial) == 0]


def vector(search: Search, trial: Trial) -> tuple[float, ...]:
    """The objectives so that small is good."""
    return small(search.objectives, [trial.value(o.figure) for o in search.objectives])


def on_front(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The designs that no other one beats, by the first objective."""
    good = feasible(search, trials)
    marks = front([vector(search, trial) for trial in good])
    best = [trial for trial, mark in zip(good, marks, strict=True) if mark]
    return sorted(best, key=lambda trial: vector(search, trial))


def reference_of(search: Search, trials: Sequence[Trial]) -> dict[str, float]:
    """Where the hypervolume ends: as given, else the worst value of the designs of `feasible`; nothing without any."""
    good = feasible(search, trials)
    found = {o.figure: -o.sign * max(-o.sign * t.value(o.figure) for t in good) for o in search.objectives if good}
    return found | search.section.reference if good else {}


def volume(search: Search, trials: Sequence[Trial], reference: Mapping[str, float]) -> float:
    """The hypervolume of the front, in the units of the objectives."""
    if not reference:
        return 0.0
    ends = small(search.objectives, [reference[o.figure] for o in search.objectives])
    return hypervolume([vector(search, trial) for trial in feasible(search, trials)], ends)


def entry(search: Search, trial: Trial, out: Path | None = None) -> dict[str, Any]:
    """A trial for the summary, with the names of its runs, one a stage and part of the chips; with `out`, where they are."""
    wanted = dict.fromkeys([*(o.figure for o in search.objectives), *(c.figure for c in search.constraints)])
    return {
        "trial": trial.number,
        "state": trial.state,
        "reason": trial.reason,
        "values": dict(trial.values),
        "figures": {name: trial.value(name) for name in wanted if trial.figures},
        "chips": trial.spent,
        "runs": {stage: [key if out is None else str(out / key) for key in keys] for stage, keys in trial.runs.items()},
    }


def summarise(search: Search, trials: Sequence[Trial], *, out: Path) -> dict[str, Any]:
    """The summary of a search."""
    states = Counter(trial.state for trial in trials)
    best, reference = on_front(search, trials), reference_of(search, trials)
    known = [trial for trial in trials if trial.figures and trial.state not in (FAILED, REPEATED)]
    nearest = min(known, key=lambda trial: excess(search, trial), default=None) if known and not best else None
    return {
        "command": SEARCH,
        "experiment": search.experiment.name,
        "objectives": [f"{o.direction} {o.figure}" for o in search.objectives],
        "constraints": [c.text for c in search.constraints],
        "axes": [d.name for d in search.space.dimensions],
        "sampler": search.section.sampler,
        "seed": search.section.seed,
        "designs": search.space.size(),
        "rungs": rungs(search),
        "trials": len(trials),
        **{state: states[state] for state in STATES},
        "feasible": len(feasible(search, trials)),
        "chips": sum(trial.spent for trial in trials),
        "chips_without_race": search.chips * sum(trial.state not in (REPEATED, FAILED) for trial in trials),
        "hypervolume": volume(search, trials, reference),
        "reference": reference,
        "front": [entry(search, t, out) for t in best],
        "nearest": None if nearest is None else entry(search, nearest, out),
        "disagreement": next(filter(None, (disagreement(search, trial, out) for trial in best)), None),
        "list": [entry(search, trial) for trial in trials],
        "results": str(out / RESULTS) if any(trial.figures for trial in trials) else None,
        "csv": str(out / CSV),
        "out": str(out),
    }


def columns(search: Search, trials: Sequence[Trial]) -> dict[str, list[Any]]:
    """A column for each axis, what became of the trials, and each figure; None where a trial has none."""
    best = {trial.number for trial in on_front(search, trials)}
    keys = [key for d in search.space.dimensions for key in d.keys]
    named = [trial.named() for trial in trials]
    names = sorted({name for found in named for name in found})
    return {
        "trial": [trial.number for trial in trials],
        **{key: [trial.values.get(key) for trial in trials] for key in keys},
        "state": [trial.state for trial in trials],
        "on_front": [int(trial.number in best) for trial in trials],
        "chips": [trial.spent for trial in trials],
        **{name: [found.get(name) for found in named] for name in names},
    }


def fields_of(found: Mapping[str, Sequence[Any]]) -> dict[str, Field]:
    """The columns over the dimension `trial`: numbers, with NaN where there is none, or texts."""
    fields: dict[str, Field] = {}
    for name, values in found.items():
        whole = [value for value in values if value is not None]
        array = as_array(whole)
        if len(whole) < len(values):
            texts = array.dtype.kind not in "if"
            filled: Any = np.full(len(values), "" if texts else np.nan, dtype=object if texts else float)
            filled[[value is not None for value in values]] = array
            array = filled
        fields[name] = field(("trial",), array, unit=unit_of(name), long_name=name.replace("_", " "))
    return fields


def conclude(search: Search, trials: Sequence[Trial], *, out: Path, seconds: float) -> dict[str, Any]:
    """Write what a search found, and sum up."""
    summary = summarise(search, trials, out=out)
    found = columns(search, trials)
    keys = " ".join(key for d in search.space.dimensions for key in d.keys)
    if summary["results"]:
        attributes = {"xbar_kind": SEARCH, "experiment": search.experiment.name, "coordinates": keys}
        whole = out / f"{RESULTS}.new"
        write_fields(whole, fields_of(found), attributes=attributes)
        whole.replace(out / RESULTS)
        history = [
            (sum(t.spent for t in trials[:n]), volume(search, trials[:n], summary["reference"]))
            for n in range(1, len(trials) + 1)
        ]
        draw(out / "figures", search, trials, on_front(search, trials), history)
    write_whole(out / CSV, as_csv(list(found), zip(*found.values(), strict=True)))
    write_whole(out / CONFIG, tomli_w.dumps({**search.experiment.tree(), SEARCH: dict(search.tables)}))
    write_whole(out / SUMMARY, json.dumps(summary | {"wall_seconds": seconds}, indent=1, allow_nan=False) + "\n")
    seal(out, within="*")
    return summary | {"wall_seconds": seconds}


def dry_run(search: Search, *, out: Path) -> dict[str, Any]:
    """What a search would do: its axes, how many designs there are, the budget."""
    budget = search.section.budget
    return {
        "command": SEARCH,
        "dry_run": True,
        "experiment": search.experiment.name,
        "stages": list(search.experiment.stages),
        "objectives": [f"{o.direction} {o.figure}" for o in search.objectives],
        "constraints": [c.text for c in search.constraints],
        "axes": [described(search, n) for n in range(len(search.space.dimensions))],
        "designs": search.space.size(),
        "chips_per_design": search.chips,
        "rungs": rungs(search),
        "sampler": search.section.sampler,
        "seed": search.section.seed,
        "budget": {"trials": budget.trials, "chips": budget.chips},
        "out": str(out),
    }


def described(search: Search, number: int) -> dict[str, Any]:
    """An axis for a dry run."""
    dimension = search.space.dimensions[number]
    positions = dimension.positions()
    ends = [next(iter(dimension.at(at).values())) for at in dimension.ends()]
    return {
        "keys": list(dimension.keys),
        "values": ends if positions is not None and len(positions) == len(ends) else None,
        "low": ends[0],
        "high": ends[-1],
        "log": getattr(dimension.values, "log", False),
        "count": None if positions is None else len(positions),
        "when": " and ".join(f"{t.key} {t.relation} {t.value!r}" for t in dimension.when) or None,
    }
