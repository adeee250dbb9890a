"""Points of a front: an energy run and the accuracy of the same hardware, as runs side by side or as points of a sweep."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.load import stored
from xbar_cli.energy.agreement import Statement, converters_of, of_energy, of_evaluation, paired, programmed_alike
from xbar_cli.energy.presets import FLOATING_POINT
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import quoted
from xbar_cli.runs.listing import SWEEPS, Entry, open_entry
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.seal import ANEW
from xbar_cli.statistics import ACCURACY, estimate

COSTS = {"energy": "energy_joule", "area": "area_m2", "latency": "latency_seconds"}
ENDED = ("done", "cached", "complete")
"""States of points of a sweep, and of trials of a search, that have all of their figures."""


@dataclass(frozen=True)
class Candidate:
    """One mapped network.

    Attributes:
        run: the energy run.
        summary: its summary.
        accuracy: share of right answers.
        interval: 95 % confidence interval; None for a single figure.
        origin: what says so.
        converters: that the accuracy was evaluated with; None without any.
        disagreement: what cost and accuracy contradict each other in; None where they are of one hardware.
        values: what is swept of it, by dotted key, where it is the point of a sweep.
    """

    run: str
    summary: dict[str, Any]
    accuracy: float
    interval: list[float] | None
    origin: str
    converters: dict[str, Any] | None
    disagreement: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """RunError for figures that a run cannot have."""
        given = {"accuracy": self.accuracy, **{key: self.summary.get(key) for key in COSTS.values()}}
        for key, value in given.items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise RunError(f"{self.run}: {key} is {quoted(value)}: damaged; {ANEW}")

    def cost(self, against: str) -> float:
        """Energy [J], area [m²] or latency [s]."""
        return float(self.summary[COSTS[against]])


class EvaluateRun(NamedTuple):
    """An evaluate run: where it is, its configuration, its summary."""

    path: Path
    config: EvaluateConfig
    summary: dict[str, Any]

    @property
    def mapped(self) -> Path:
        """The run that it evaluates."""
        return Path(self.config.run).resolve()


def points_of(paths: Sequence[Path]) -> list[Candidate]:
    """Energy runs, with the accuracy of the evaluate runs of the same mapped network where there are some; points of sweeps."""
    sweeps = [(path, entry) for path in paths if (entry := open_entry(path)) is not None and entry.command in SWEEPS]
    swept = [found for _, entry in sweeps for found in points_of_sweep(entry)]
    comparable([(found.run, found.summary) for found in swept])
    singles = [path for path in paths if path not in [sweep for sweep, _ in sweeps]]
    both = swept + (points_of_runs(singles) if singles else [])
    comparable([(found.run, found.summary) for found in both])
    return both


def points_of_sweep(entry: Entry) -> list[Candidate]:
    """The points of a sweep, or the designs of a search, that have all of their figures.

    Each has one energy run, and evaluate runs where that says no accuracy: those of a search are of parts of its chips. What
    cost and accuracy contradict each other in is said with the point: whoever wrote the stages may leave out what costs nothing.
    """
    opened = functools.cache(open_point)
    found: dict[tuple[str, ...], Candidate] = {}
    for values, runs, parts in swept_runs(entry):
        kinds = {run: of for run in runs if (of := opened(run)) is not None}
        costs = [(run, of) for run, of in kinds.items() if not isinstance(of, EvaluateRun)]
        chips = [of for of in kinds.values() if isinstance(of, EvaluateRun)]
        if len(costs) == 1 and len(chips) > 1 and not parts:  # several evaluations: the one of what is costed
            chips = [of for of in chips if of.mapped.name == Path(costs[0][1]["run"]).name] or chips
        if len(costs) != 1 or (len(chips) > 1 and not parts):
            have = f"{len(costs)} energy and {len(chips)} evaluate runs"
            raise RunError(
                f"{entry.path}: a point has {have}: a front takes one energy run and at most one evaluate run"
            )
        (path, summary), key = costs[0], tuple(map(str, (costs[0][0], *(of.path for of in chips))))
        if key not in found:
            found[key] = point(str(path), summary, chips, refuse=False, values=values)
    if not found:
        raise RunError(f"{entry.path}: no point of that sweep is done; `xbar {entry.command}` goes on with it")
    return list(found.values())


def swept_runs(entry: Entry) -> Iterator[tuple[Mapping[str, Any], list[Path], bool]]:
    """The swept values and run directories of each point that is done, and whether several may be of one stage."""
    summary = entry.summary
    try:
        of_front = {design["trial"]: design["runs"] for design in summary.get("front", ())}
        for place in summary["list"]:
            runs = place.get("runs") or of_front.get(
                place.get("trial"), {}
            )  # searches of before kept those of the front
            if place["state"] in ENDED and runs:
                names = [name for of in runs.values() for name in ([of] if isinstance(of, str) else of)]
                yield place["values"], [entry.path / Path(name).name for name in names], entry.command == "search"
    except (KeyError, TypeError, AttributeError):
        raise RunError(f"{entry.path}: its list of points is damaged; {ANEW}") from None


def open_point(path: Path) -> EvaluateRun | dict[str, Any] | None:
    """An evaluate run of a sweep, or the summary of an energy run; None of another run. RunError where it is gone."""
    found = open_entry(path)
    if found is None:
        raise RunError(f"{path} is gone: `xbar run`, or `xbar search`, computes it again")
    if found.command not in ("energy", "evaluate"):
        return None
    whole, summary = open_run(path, commands=("energy", "evaluate"), use="xbar pareto")
    return summary if found.command == "energy" else EvaluateRun(path, stored(EvaluateConfig, whole.path), summary)


def points_of_runs(paths: Sequence[Path]) -> list[Candidate]:
    """Energy runs, each with the evaluate run of the same mapped network where there is one."""
    costs: list[tuple[str, dict[str, Any]]] = []
    evaluations: dict[Path, EvaluateRun] = {}
    for path in paths:
        found, summary = open_run(path, commands=("energy", "evaluate"), use="xbar pareto")
        if summary["command"] == "energy":
            if summary.get("preset"):
                raise RunError(f"{path} is a preset: a front is of mapped networks")
            costs.append((str(path), summary))
            continue
        one = EvaluateRun(path, stored(EvaluateConfig, found.path), summary)
        if one.mapped in evaluations:
            raise RunError(f"{path} and {evaluations[one.mapped].path} evaluate the same mapped run: give one of them")
        evaluations[one.mapped] = one
    comparable(costs)
    chips = [[of] if (of := evaluations.get(Path(s["run"]).resolve())) is not None else [] for _, s in costs]
    points = [point(path, summary, own) for (path, summary), own in zip(costs, chips, strict=True)]
    used = {Path(summary["run"]).resolve() for _, summary in costs}
    for mapped, evaluation in evaluations.items():
        if mapped not in used:
            raise RunError(
                f"{evaluation.path} evaluates {mapped.name}, of which no energy run is given: xbar energy costs it"
            )
    if not points:
        raise RunError("no energy run among the runs: xbar energy makes one")
    return points


def comparable(costs: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Raise RunError where costs or accuracies are not of one kind: the model, the data set, the worst case or data."""
    kinds: tuple[Callable[[dict[str, Any]], str], ...] = (
        lambda summary: f"by model {summary['model']}",
        lambda summary: f"on {summary['dataset']}",
        lambda summary: "in the worst case" if summary["images"] == 0 else "with the activity of data",
    )
    for kind in kinds:
        (first, start), *others = [(path, kind(summary)) for path, summary in costs] or [("", "")]
        for path, value in others:
            if value != start:
                raise RunError(f"{first} is {start}, {path} {value}: they cannot be compared")


def point(
    path: str,
    summary: dict[str, Any],
    chips: Sequence[EvaluateRun],
    *,
    refuse: bool = True,
    values: Mapping[str, Any] | None = None,
) -> Candidate:
    """An energy run with its accuracy, over the chips of one evaluation that may have several parts.

    Where cost and accuracy are of other hardware it is a ConfigError with `refuse`, else said with the point.
    """
    swept = dict(values or {})
    if summary.get("preset"):
        raise RunError(f"{path} is a preset: a front is of mapped networks")
    stated = of_energy(Path(path), summary)
    if chips:
        contradiction, known = None, None
        try:
            known = converters_of(of_evaluation(*chips[0]))
            agree(path, summary, stated, chips[0])
        except ConfigError as error:
            if refuse:
                raise
            contradiction = str(error)
        mean, interval = accuracy_of(chips)
        by = f"evaluate run {chips[0].path}"
        return Candidate(path, summary, mean, interval, by, known, contradiction, swept)
    if summary["accuracy"] is None or summary["accuracy_from"] == FLOATING_POINT:
        raise RunError(
            f"{path} holds no accuracy of the arrays: give an evaluate run of {summary['run']} too, or cost it with the "
            "`activity` of one"
        )
    own = (summary[f"accuracy{key}"] for key in ("", "_ci95", "_from", "_converters"))
    return Candidate(path, summary, *own, values=swept)


def agree(path: str, summary: dict[str, Any], stated: Statement, evaluation: EvaluateRun) -> None:
    """Raise ConfigError unless an evaluation is of the hardware that is costed."""
    if evaluation.mapped.name != Path(summary["run"]).name:
        raise ConfigError(f"evaluate run {evaluation.path} is of {evaluation.mapped.name}, energy run {path} of "
                          f"{Path(summary['run']).name}: these may be mapped in other ways")  # fmt: skip
    evaluated = of_evaluation(*evaluation)
    rows, columns = summary["tile"]
    paired(stated, summary["operation"], evaluated, tile=(rows, columns))
    if any(vg is not None for vg in summary["vg_volt"]) and "programmed_volt" in summary["operation"]:
        costed = f"energy run {path}", summary["operation"]["programmed_volt"]
        programmed_alike(costed, (evaluated.by, evaluated.values.get("v_read_volt")))


def accuracy_of(chips: Sequence[EvaluateRun]) -> tuple[float, list[float] | None]:
    """The mean accuracy of chips and its 95 % interval: of one evaluation as it says, of several parts of one over all."""
    seen: list[float] = []
    for path, _, summary in chips:
        if "accuracy_mean" not in summary:
            raise RunError(f"{path} has {summary.get('metric')} and no accuracy, which a front is of")
        own = [summary["accuracy_mean"]] if len(chips) == 1 else summary.get("accuracy_samples")
        if not isinstance(own, list) or not own or not all(is_share(x) for x in own):
            raise RunError(f"{path}: its accuracies are {quoted(own)}: damaged; {ANEW}")
        seen += own
    if len(chips) == 1:
        return seen[0], chips[0].summary["accuracy_ci95"]
    over = estimate(seen, within=ACCURACY)
    return over.mean, None if over.ci95 is None else list(over.ci95)


def is_share(value: object) -> bool:
    """Whether it is a number from 0 to 1."""
    return isinstance(value, (int, float)) and 0 <= value <= 1
