"""The study: Optuna's samplers asked and told, its journal in the folder of the search. No type of Optuna leaves this file."""

import contextlib
import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.experiment.file import JOURNAL
from xbar_cli.search.asked import Search
from xbar_cli.search.space import Dimension, Listed, Real, Space, Whole
from xbar_cli.search.trial import checked

if TYPE_CHECKING:
    import optuna

NAME = "search"
EXPERIMENT, OUTCOME, PLAN = "experiment", "outcome", "plan"
"""Attributes of the study and its trials."""
INSTALL = "pip install 'xbar-cli[search]'"


@dataclass(frozen=True)
class Proposal:
    """A trial as the journal has it: its positions on the axes, and the outcome where it was told."""

    number: int
    positions: Mapping[str, Any]
    outcome: Mapping[str, Any] | None


@dataclass(frozen=True)
class Round:
    """Trials that are proposed together: the number of the first, how many designs; `closed` where no more new ones came."""

    start: int
    size: int
    closed: bool = False


class Held:
    """A lock of the journal that is always free: the folder's own lock is held, and dies with its process."""

    def acquire(self) -> bool:
        """It is had."""
        return True

    def release(self) -> None:
        """Nothing to give back."""


class Study:
    """The journal of a search: every trial that was asked for, and what it came to."""

    def __init__(self, search: Search, study: "optuna.Study") -> None:
        """Of a search, on an Optuna study that is open."""
        self._search, self._study = search, study

    def trials(self) -> list[Proposal]:
        """Every trial in the order of its number; one that was asked for in part has all of its positions after this."""
        found: list[Proposal] = []
        for trial in self._study.get_trials(deepcopy=False):
            done = trial.state.is_finished()
            positions = dict(trial.params) if done else self._positions(trial.number)
            found.append(Proposal(trial.number, positions, trial.user_attrs.get(OUTCOME) if done else None))
        return found

    def ask(self, *, number: int, by_chance: bool) -> Proposal:
        """A new trial, its design a function of the seed, its number, and the trials before it."""
        self._study.sampler = sampler(self._search, number, by_chance=by_chance)
        with quiet():
            if by_chance:
                self._study.set_user_attr(f"{NAME}.{number}", True)
            assert self._study.ask().number == number
        return Proposal(number, self._positions(number), None)

    def tell(
        self, number: int, values: Sequence[float] | None, violations: Mapping[str, float], outcome: Mapping[str, Any]
    ) -> None:  # fmt: skip
        """How a trial ended: the objectives' values, None where it failed."""
        import optuna

        trial = self._opened(number)
        with quiet():
            for name, value in violations.items():
                trial.set_constraint(name, value)
            trial.set_user_attr(OUTCOME, dict(outcome))
            failed = optuna.trial.TrialState.FAIL if values is None else None
            self._study.tell(number, None if values is None else list(values), state=failed)

    def batch(self) -> Round | None:
        """The last batch that was begun."""
        found = self._study.user_attrs.get(PLAN)
        try:
            return None if found is None else checked(Round, found)
        except (TypeError, ValueError):
            raise RunError(f"{JOURNAL} of the search is damaged ({PLAN}); remove it to search anew") from None

    def begin(self, batch: Round) -> None:
        """Begin a batch, or close it."""
        self._study.set_user_attr(PLAN, {"start": batch.start, "size": batch.size, "closed": batch.closed})

    def _opened(self, number: int) -> "optuna.Trial":
        """A trial that is under way, as whoever asked for it had it."""
        import optuna

        self._study.sampler = sampler(self._search, number, by_chance=self._by_chance(number))
        with quiet():
            return optuna.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)

    def _positions(self, number: int) -> dict[str, Any]:
        """Where a trial is on every axis; what a killed process did not decide is decided now, as it would have been."""
        found: dict[str, Any] = {}
        with quiet():
            _ = self._opened(number).relative_params  # a generation's parents are chosen, and kept
            trial = self._opened(number)
            _ = trial.relative_params  # what is sampled at once, before what is sampled axis by axis
            by_chance = self._by_chance(number)
            for place, dimension in enumerate(self._search.space.dimensions):
                self._study.sampler = sampler(self._search, number, by_chance=by_chance, axis=place)
                found[dimension.name] = suggested(trial, dimension)
        return found

    def _by_chance(self, number: int) -> bool:
        return bool(self._study.user_attrs.get(f"{NAME}.{number}", False))


def suggested(trial: "optuna.Trial", dimension: Dimension) -> Any:
    """The position of a trial on an axis. Lists in order are whole numbers, so that neighbours are alike."""
    name = dimension.name
    match dimension.values:
        case Real(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case Whole(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case Listed(rows=rows, ordered=True):
            return trial.suggest_int(name, 0, len(rows) - 1)
        case Listed(rows=rows):
            return trial.suggest_categorical(name, list(range(len(rows))))
        case _:
            assert_never(dimension.values)


def sampler(search: Search, number: int, *, by_chance: bool, axis: int | None = None) -> "optuna.samplers.BaseSampler":
    """What proposes the trial of this number, or one axis of it: new each time, so that the journal is all there is to keep."""
    from optuna import samplers

    section = search.section
    seed = int.from_bytes(hashlib.sha256(f"{section.seed}/{number}/{axis}".encode()).digest()[:4])
    kind = "random" if by_chance and section.sampler != "grid" else section.sampler
    with quiet():
        match kind:
            case "tpe":
                return samplers.TPESampler(seed=seed, n_startup_trials=2 * section.batch, multivariate=True)
            case "nsga2":
                return samplers.NSGAIISampler(seed=seed, population_size=max(2, 2 * section.batch))
            case "random":
                return samplers.RandomSampler(seed=seed)
            case "grid":
                return in_turn(search.space, number)
            case _:
                assert_never(kind)


def in_turn(space: Space, number: int) -> "optuna.samplers.BaseSampler":
    """A sampler that proposes design `number` of the grid, the last one beyond its end."""
    from optuna.samplers import PartialFixedSampler, RandomSampler

    found = list(islice(space.grid(), number + 1))[-1]
    return PartialFixedSampler(found, RandomSampler(seed=0))


def open_study(search: Search, folder: Path) -> Study:
    """The study in a folder, a new one where there is none. RunError where the journal is of another experiment, or damaged."""
    optuna = require_optuna()
    file = folder / JOURNAL
    mend(file)
    lock: Any = Held()
    directions = ["maximize" if o.sign > 0 else "minimize" for o in search.objectives]
    try:
        with quiet():
            storage = optuna.storages.JournalStorage(
                optuna.storages.journal.JournalFileBackend(str(file), lock_obj=lock)
            )
            study = optuna.create_study(storage=storage, study_name=NAME, directions=directions, load_if_exists=True)
            if EXPERIMENT not in study.user_attrs and not study.get_trials(deepcopy=False):
                study.set_user_attr(EXPERIMENT, search.identity)
    except OSError:
        raise
    except Exception as error:  # the journal's reader meets damage anywhere
        raise RunError(
            f"{file} is damaged ({type(error).__name__}); remove it to search anew; runs that are complete are used again"
        ) from None
    if study.user_attrs.get(EXPERIMENT) != search.identity:
        raise RunError(
            f"{file} is of another experiment, or its stages, axes, objectives, sampler or seed were others; choose another "
            "folder"
        )
    return Study(search, study)


def require_optuna() -> Any:
    """Optuna; ConfigError with the line that installs it."""
    try:
        import optuna
        from optuna.storages import journal as journal
    except ImportError:
        raise ConfigError(f"a search needs optuna 5, which is not installed: {INSTALL}") from None
    if not hasattr(optuna.Trial, "set_constraint"):
        raise ConfigError(f"a search needs optuna 5, and {optuna.__version__} is installed: {INSTALL}")
    return optuna


def mend(file: Path) -> None:
    """Cut a line that a killed process left half-written off the end of a journal."""
    if not file.exists():
        return
    content = file.read_bytes()
    if content and not content.endswith(b"\n"):
        with file.open("r+b") as opened:
            opened.truncate(content.rfind(b"\n") + 1)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what Optuna says of features that are new, and of its progress."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
