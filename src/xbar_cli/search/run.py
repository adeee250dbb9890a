"""`xbar search`: designs proposed in batches, raced, told; what is complete stays, and the same command goes on."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.experiment.file import JOURNAL
from xbar_cli.runs.directory import DONE, SUMMARY
from xbar_cli.runs.opening import read_summary
from xbar_cli.search.asked import Search
from xbar_cli.search.engine import Engine
from xbar_cli.search.heats import run_heats
from xbar_cli.search.objectives import violations
from xbar_cli.search.outcome import conclude
from xbar_cli.search.study import Proposal, Round, Study, open_study
from xbar_cli.search.trial import FAILED, REPEATED, Trial
from xbar_cli.workflows.run import only_one

BY_CHANCE, ENOUGH = 10, 100
"""Designs in turn that were tried before: after so many chance proposes the next; after so many nothing new is waited for."""


class SearchWatcher(Protocol):
    """Is told how a search stands."""

    def standing(self, trials: Sequence[Trial], search: Search) -> None:
        """These trials have ended."""
        ...


def run(
    search: Search, *, out: Path, engine: Callable[[], AbstractContextManager[Engine]], watcher: SearchWatcher
) -> dict[str, Any]:
    """Search in the folder `out`, from where it stands there; returns the summary. RunError where it is of something else."""
    with only_one(out):
        if (out / SUMMARY).exists() and (command := read_summary(out)["command"]) != "search":
            raise RunError(f"{out} holds the results of `xbar {command}`; choose another folder")
        began = time.perf_counter()
        study = open_study(search, out)
        (out / DONE).unlink(missing_ok=True)
        known = told(search, study)
        watcher.standing(known, search)
        with engine() as compute:
            while (batch := next_batch(search, study, known)) is not None:
                try:
                    tell(search, study, batch, known, engine=compute, out=out)
                except ConfigError:
                    if not known:  # nothing was learnt: what is asked for may still be changed
                        (out / JOURNAL).unlink(missing_ok=True)
                    raise
                known = told(search, study)
                watcher.standing(known, search)
        return conclude(search, known, out=out, seconds=time.perf_counter() - began)


def told(search: Search, study: Study) -> list[Trial]:
    """The trials that have ended."""
    try:
        return [
            trial_of(search, asked).recorded(asked.outcome) for asked in study.trials() if asked.outcome is not None
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RunError(
            f"{JOURNAL} of the search is damaged ({type(error).__name__}); remove it to search anew; runs that are complete "
            "are used again"
        ) from None


def trial_of(search: Search, asked: Proposal) -> Trial:
    """The design of a trial that was asked for."""
    return Trial(asked.number, search.space.design(asked.positions))


def room(search: Search, known: Sequence[Trial]) -> int:
    """How many designs may be proposed next: those of a batch, as far as the budget reaches whatever they come to."""
    budget, size = search.section.budget, search.section.batch
    tried = sum(trial.state != REPEATED for trial in known)
    if budget.trials is not None:
        size = min(size, budget.trials - tried)
    if budget.chips is not None and search.chips:
        size = min(size, (budget.chips - sum(trial.spent for trial in known)) // search.chips)
    whole = search.space.size()
    return size if whole is None else min(size, whole - tried)


def next_batch(search: Search, study: Study, known: Sequence[Trial]) -> list[Trial] | None:
    """The trials to run next, those that a killed process left first; None where the search is at its end."""
    asked, batch = study.trials(), study.batch()
    if batch is None or _is_over(search, asked, batch):
        if (batch is not None and batch.closed) or (size := room(search, known)) < 1:
            return None
        batch = Round(len(asked), size)
        study.begin(batch)
    seen = {trial_of(search, a).design for a in asked[: batch.start]}
    found: list[Trial] = []
    fresh = again = 0
    while True:
        if batch.start + len(found) < len(asked):
            trial = trial_of(search, asked[batch.start + len(found)])
        elif fresh == batch.size or batch.closed:
            break
        elif again >= ENOUGH:
            batch = replace(batch, closed=True)
            study.begin(batch)
            break
        else:
            trial = trial_of(search, study.ask(number=batch.start + len(found), by_chance=again >= BY_CHANCE))
        repeated = trial.design in seen
        again, fresh = (again + 1, fresh) if repeated else (0, fresh + 1)
        seen.add(trial.design)
        found.append(replace(trial, state=REPEATED) if repeated else trial)
    done = {trial.number for trial in known}
    return [trial for trial in found if trial.number not in done]


def _is_over(search: Search, asked: Sequence[Proposal], batch: Round) -> bool:
    """Whether all of a batch was asked for and told."""
    seen = {trial_of(search, a).design for a in asked[: batch.start]}
    fresh = len({trial_of(search, a).design for a in asked[batch.start :]} - seen)
    return (fresh == batch.size or batch.closed) and all(a.outcome is not None for a in asked[batch.start :])


def tell(
    search: Search, study: Study, batch: Sequence[Trial], known: Sequence[Trial], *, engine: Engine, out: Path
) -> None:
    """Run the trials of a batch, and enter how they end into the journal."""
    before = list(known)
    ended = {
        t.number: t
        for t in run_heats(search, [t for t in batch if t.state != REPEATED], before, engine=engine, out=out)
    }
    first = {trial.design: trial for trial in reversed([*before, *ended.values()])}
    for trial in batch:
        found = ended.get(trial.number) or repeated(trial, first[trial.design])
        enter(search, study, found)


def repeated(trial: Trial, first: Trial) -> Trial:
    """A trial of a design that was tried: the same values, and nothing spent."""
    figures = {} if first.state == FAILED else first.figures
    return replace(trial, state=REPEATED, figures=figures, reason=f"the design of trial {first.number}")


def enter(search: Search, study: Study, trial: Trial) -> None:
    """Tell a trial."""
    good = trial.state != FAILED and bool(trial.figures)
    values = [trial.value(o.figure) for o in search.objectives] if good else None
    broken: Mapping[str, float] = {}
    if good:
        broken = violations(search.constraints, {c.figure: trial.value(c.figure) for c in search.constraints})
    study.tell(trial.number, values, broken, trial.record())
