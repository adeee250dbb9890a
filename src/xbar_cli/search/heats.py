"""The heats of a batch: more chips of the designs that are left, until each is dropped or has all of its chips."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.errors import ConfigError
from xbar_cli.experiment.grid import Point
from xbar_cli.experiment.plan import read_summary
from xbar_cli.experiment.results import scalars
from xbar_cli.runs.sweep import Outcome
from xbar_cli.search.asked import EVALUATE, Search, chips_in, rungs
from xbar_cli.search.engine import Engine
from xbar_cli.search.racing import broken, rival
from xbar_cli.search.trial import (
    COMPLETE,
    DROPPED,
    FAILED,
    INFEASIBLE,
    RUNNING,
    Trial,
    joined_chips,
    joined_figures,
)


def run_heats(
    search: Search, batch: Sequence[Trial], known: Sequence[Trial], *, engine: Engine, out: Path
) -> list[Trial]:
    """The trials of a batch as they end; `known` are those before it.

    Raises:
        ConfigError: no design yields a figure that is asked for, or none that a race can be judged by.
    """
    trials = list(batch)
    counted = {key for trial in known for keys in trial.runs.values() for key in keys}
    for rung in rungs(search):
        points: dict[int, Point] = {}
        for at, trial in enumerate(trials):
            if trial.state == RUNNING:
                try:
                    points[at] = next_part(search, trial, rung)
                except ConfigError as error:
                    said = str(error).removeprefix(f"{search.experiment.file}: ")
                    trials[at] = replace(trial, state=FAILED, reason=said)
        outcomes = engine(list(points.values())) if points else {}
        for at, point in points.items():
            trials[at] = absorbed(trials[at], point, outcomes, rung=rung, counted=counted, out=out)
        with_figures(search, trials, list(points), first=not known)
        for at in points:
            if trials[at].state == RUNNING:
                trials[at] = judged(search, trials[at], [*known, *trials])
    return trials


def next_part(search: Search, trial: Trial, rung: int) -> Point:
    """The runs of a design with the chips of each evaluation from the rung before up to this one."""
    parts: dict[str, Any] = {}
    for stage, chips in chips_in(search.point(trial.values)).items():
        cuts = sorted({0, *(min(r, len(chips)) for r in rungs(search) if r <= rung)})
        start, stop = cuts[-2:]
        if (start, stop) != (0, len(chips)):
            parts |= {f"{stage}.monte_carlo.first": chips.start + start, f"{stage}.monte_carlo.samples": stop - start}
    return search.point({**trial.values, **parts})


def absorbed(
    trial: Trial, point: Point, outcomes: Mapping[str, Outcome], *, rung: int, counted: set[str], out: Path
) -> Trial:  # fmt: skip
    """A trial with what its new runs found. `counted` are the runs whose chips are counted, and takes in those of this one."""
    bad = next((run for run in point.runs.values() if run.key in outcomes and not outcomes[run.key].ok), None)
    figures, chips, runs = dict(trial.figures), dict(trial.chips), {k: list(v) for k, v in trial.runs.items()}
    spent = trial.spent
    drawn = chips_in(point)
    needed = {name for run in point.runs.values() for name in run.needs}
    for stage, run in point.runs.items():
        summary = read_summary(out / run.key)
        if summary is None:
            if run.key not in needed or bad is not None:
                said = outcomes[bad.key].reason if bad is not None else "its run is not there"
                return replace(trial, state=FAILED, spent=spent, reason=f"stage {bad.stage if bad else stage}: {said}")
            continue  # an earlier stage of a run that is there may stay away
        if stage in drawn and run.key not in counted:
            spent += len(drawn[stage])
        counted.add(run.key)
        if run.key in runs.get(stage, ()):
            continue
        runs.setdefault(stage, []).append(run.key)
        if run.key in needed:
            continue
        found = scalars(summary)
        if run.command == EVALUATE:
            config = EvaluateConfig.model_validate(run.config)
            before = chips.get(stage)
            chips[stage] = joined_chips(before, summary, seed=config.seed, fixed=not config.differing)
            found = joined_figures(figures.get(stage) if before else None, found, chips[stage])
        figures[stage] = found
    return replace(trial, figures=figures, chips=chips, runs=runs, spent=spent, rung=rung)


def with_figures(search: Search, trials: list[Trial], places: Sequence[int], *, first: bool) -> None:
    """Let trials fail whose runs do not yield what is asked for; ConfigError where no trial of the first batch does."""
    wanted = [*(o.figure for o in search.objectives), *(c.figure for c in search.constraints)]
    whole = [at for at in places if trials[at].state == RUNNING]
    problems: list[ConfigError] = []
    for at in whole:
        try:
            for figure in wanted:
                trials[at].place(figure)
        except ConfigError as error:
            problems.append(error)
            trials[at] = replace(trials[at], state=FAILED, reason=str(error))
    if first and problems and len(problems) == len(whole):
        raise ConfigError(f"{search.experiment.file}: search: {problems[0]}")
    if len(rungs(search)) > 1:
        for at in (at for at in whole if trials[at].state == RUNNING):
            _require_means(search, trials[at], wanted)


def _require_means(search: Search, trial: Trial, wanted: Sequence[str]) -> None:
    for figure in wanted:
        stage, name = trial.place(figure)
        chips = trial.chips.get(stage)
        if chips is not None and not name.startswith("ideal_") and name not in chips.means:
            raise ConfigError(
                f"{search.experiment.file}: search: {figure} is no mean over chips, so that no race can be judged by it; "
                "write search.race = false"
            )


def judged(search: Search, trial: Trial, others: Sequence[Trial]) -> Trial:
    """A trial that goes on, is dropped, or has all of its chips."""
    n, race = trial.rung, search.section.race
    whole = {stage: len(chips) for stage, chips in chips_in(search.point(trial.values)).items()}
    if all(chips.fixed or len(chips.samples) >= whole[stage] for stage, chips in trial.chips.items()):
        return replace(trial, state=COMPLETE, rung=max(rungs(search)))
    if (constraint := broken(trial, search.constraints, n=n)) is not None:
        return replace(trial, state=INFEASIBLE, reason=f"breaks {constraint.text} for certain")
    margin = 0.0 if race is None else race.margin
    winner = rival(trial, others, search.objectives, search.constraints, n=n, margin=margin)
    if winner is not None:
        return replace(trial, state=DROPPED, reason=f"trial {winner.number} beats it after {n} chips")
    return trial
