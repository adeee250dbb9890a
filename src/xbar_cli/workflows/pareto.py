"""`xbar pareto`: accuracy against energy, area and latency over runs, and which of them no other run beats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.energy import ParetoConfig
from xbar_cli.config.load import stored, write_toml
from xbar_cli.energy.agreement import converters_of, of_energy, of_evaluation, paired, programmed_alike
from xbar_cli.energy.presets import FLOATING_POINT
from xbar_cli.errors import RunError
from xbar_cli.figures import drawing
from xbar_cli.figures.labels import label_of_figure, prefixed
from xbar_cli.figures.style import PAGE
from xbar_cli.outside import quoted
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.listing import SWEEPS, Entry, open_entry
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.seal import ANEW

COSTS = {"energy": "energy_joule", "area": "area_m2", "latency": "latency_seconds"}


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
    """

    run: str
    summary: dict[str, Any]
    accuracy: float
    interval: list[float] | None
    origin: str
    converters: dict[str, Any] | None

    def __post_init__(self) -> None:
        """RunError for figures that a run cannot have."""
        given = {"accuracy": self.accuracy, **{key: self.summary.get(key) for key in COSTS.values()}}
        for key, value in given.items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise RunError(f"{self.run}: {key} is {quoted(value)}: damaged; {ANEW}")

    def cost(self, against: str) -> float:
        """Energy [J], area [m²] or latency [s]."""
        return float(self.summary[COSTS[against]])


def run(config: ParetoConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Compare the runs of `config`; returns the summary. ConfigError for costs of other hardware than their accuracies."""
    points = points_of([Path(name) for name in config.runs])
    fronts = {against: front([(p.cost(against), p.accuracy) for p in points]) for against in COSTS}
    write_toml(run.path / CONFIG, config)
    draw(run.figures / "pareto.png", points, fronts, against=config.against)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    order = sorted(range(len(points)), key=lambda i: points[i].cost(config.against))
    rows = [row(points[i], {against: marks[i] for against, marks in fronts.items()}) for i in order]
    return {
        "command": "pareto",
        "model": points[0].summary["model"],
        "against": config.against,
        "points": rows,
        "front": [r["run"] for r in rows if r["on_front"][config.against]],
        "out": str(run.final),
    }


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
    """The points of a sweep that are done: each has an energy stage, and an evaluate stage where that says no accuracy."""
    found: dict[tuple[str, ...], Candidate] = {}
    for place in entry.summary["list"]:
        if place["state"] not in ("done", "cached"):
            continue
        runs = [entry.path / Path(run).name for run in place["runs"].values()]
        kinds = {run: of.command for run in runs if (of := open_entry(run)) is not None}
        costs, chips = ([run for run in runs if kinds.get(run) == kind] for kind in ("energy", "evaluate"))
        if len(costs) != 1 or len(chips) > 1:
            have = f"{len(costs)} energy and {len(chips)} evaluate runs"
            raise RunError(
                f"{entry.path}: a point has {have}: a front takes one energy run and at most one evaluate run"
            )
        if (key := tuple(map(str, (*costs, *chips)))) not in found:
            (found[key],) = points_of_runs([*costs, *chips])
    if not found:
        raise RunError(f"{entry.path}: no point of that sweep is done; `xbar run` goes on with it")
    return list(found.values())


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
        config = stored(EvaluateConfig, found.path)
        mapped = Path(config.run).resolve()
        if mapped in evaluations:
            raise RunError(f"{path} and {evaluations[mapped].path} evaluate the same mapped run: give one of them")
        evaluations[mapped] = EvaluateRun(path, config, summary)
    comparable(costs)
    points = [point(path, summary, evaluations) for path, summary in costs]
    used = {Path(summary["run"]).resolve() for _, summary in costs}
    for mapped, evaluation in evaluations.items():
        if mapped not in used:
            raise RunError(
                f"{evaluation.path} evaluates {mapped.name}, of which no energy run is given: xbar energy costs it"
            )
    if not points:
        raise RunError("no energy run among the runs: xbar energy makes one")
    return points


class EvaluateRun(NamedTuple):
    """An evaluate run: where it is, its configuration, its summary."""

    path: Path
    config: EvaluateConfig
    summary: dict[str, Any]


def comparable(costs: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Raise RunError where costs or accuracies are not of one kind: the model, the data set, the worst case or data."""
    kinds = (
        lambda summary: f"by model {summary['model']}",
        lambda summary: f"on {summary['dataset']}",
        lambda summary: "in the worst case" if summary["images"] == 0 else "with the activity of data",
    )
    for kind in kinds:
        (first, start), *others = [(path, kind(summary)) for path, summary in costs] or [("", "")]
        for path, value in others:
            if value != start:
                raise RunError(f"{first} is {start}, {path} {value}: they cannot be compared")


def point(path: str, summary: dict[str, Any], evaluations: dict[Path, EvaluateRun]) -> Candidate:
    """An energy run with its accuracy."""
    stated = of_energy(Path(path), summary)
    evaluation = evaluations.get(Path(summary["run"]).resolve())
    if evaluation is not None:
        evaluated, found = of_evaluation(*evaluation), evaluation.summary
        rows, columns = summary["tile"]
        paired(stated, summary["operation"], evaluated, tile=(rows, columns))
        if any(vg is not None for vg in summary["vg_volt"]) and "programmed_volt" in summary["operation"]:
            costed = f"energy run {path}", summary["operation"]["programmed_volt"]
            programmed_alike(costed, (evaluated.by, evaluated.values.get("v_read_volt")))
        known = found["accuracy_mean"], found["accuracy_ci95"], evaluated.by, converters_of(evaluated)
        return Candidate(path, summary, *known)
    if summary["accuracy"] is None or summary["accuracy_from"] == FLOATING_POINT:
        raise RunError(
            f"{path} holds no accuracy of the arrays: give an evaluate run of {summary['run']} too, or cost it with the "
            "`activity` of one"
        )
    return Candidate(path, summary, *(summary[f"accuracy{key}"] for key in ("", "_ci95", "_from", "_converters")))


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points (cost, accuracy) no other one dominates: none costs no more and is no less accurate, and better in one."""
    return [
        not any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for c, a in points)
        for cost, accuracy in points
    ]


def row(point: Candidate, on_front: dict[str, bool]) -> dict[str, Any]:
    """One point for the summary."""
    kept = ("network", "dataset", "scheme", "bits", "tile", "vg_volt", "energy_joule", "area_m2", "latency_seconds")
    return {
        "run": point.run,
        **{key: point.summary[key] for key in kept},
        "accuracy": point.accuracy,
        "accuracy_ci95": point.interval,
        "accuracy_from": point.origin,
        "accuracy_converters": point.converters,
        "operation": point.summary["operation"],
        "on_front": on_front,
    }


def label(summary: dict[str, Any]) -> str:
    """A point in few words: scheme, bits, gate voltages, tile."""
    words = [summary["scheme"], f"{summary['bits']} bit" if summary["bits"] else "analog"]
    gates = sorted({vg for vg in summary["vg_volt"] if vg is not None})
    if gates:
        words.append(f"{gates[0]:g} V" if len(gates) == 1 else f"{gates[0]:g}…{gates[-1]:g} V")
    return ", ".join([*words, "x".join(map(str, summary["tile"]))])


def draw(path: Path, points: list[Candidate], fronts: dict[str, list[bool]], *, against: str) -> Path:
    """Accuracy with its interval against the chosen cost and against area (or energy), fronts joined."""
    panels = list(dict.fromkeys([against, "energy" if against == "area" else "area"]))

    def paint(figure: Figure) -> None:
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for panel, kind in zip(axes, panels, strict=True):
            name = prefixed(label_of_figure(COSTS[kind]), max(point.cost(kind) for point in points))
            scale = name.factor
            for number, point in enumerate(points):
                low, high = point.interval or (point.accuracy, point.accuracy)
                bars = [[100 * (point.accuracy - low)], [100 * (high - point.accuracy)]]
                best = fronts[kind][number]
                panel.errorbar(
                    point.cost(kind) * scale, 100 * point.accuracy, yerr=bars, fmt="o" if best else "x", capsize=3,
                    color=f"C{number % 8}", markersize=5, label=label(point.summary),
                )  # fmt: skip
            both = zip(points, fronts[kind], strict=True)
            chosen = sorted((p.cost(kind) * scale, 100 * p.accuracy) for p, best in both if best)
            panel.plot(*zip(*chosen, strict=True), color="0.5", linewidth=1, zorder=0)
            panel.set(xlabel=name.text, xscale="log")
            drawing.plain_log(panel.xaxis, at=(1.0, 2.0, 3.0, 5.0))
            panel.margins(x=0.15)
        axes[0].set_ylabel("accuracy (%)")
        drawing.legend_above(figure, axes[0], title=r"scheme, device, $V_\mathrm{g}$, tile")

    models = {p.summary["model"] for p in points}
    caption = f"model {', '.join(sorted(models))}; dots, line: no other run costs less and is as accurate; bars: 95 % intervals"
    rows = drawing.legend_rows([label(p.summary) for p in points], width=PAGE)
    return drawing.save(path, paint, caption=caption, width=PAGE, height=drawing.HEIGHT + 4 * rows)
