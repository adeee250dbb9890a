"""`xbar pareto`: accuracy against energy, area and latency over runs, and which of them no other run beats."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from xbar_cli.config.energy import ParetoConfig
from xbar_cli.config.load import write_toml
from xbar_cli.energy.points import COSTS, Candidate, points_of
from xbar_cli.figures import drawing
from xbar_cli.figures.labels import label_of_figure, prefixed
from xbar_cli.figures.style import PAGE
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run

MOST_NAMED = 16
"""Points that a picture names each; of more, those of its front."""


def run(config: ParetoConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Compare the runs of `config`; returns the summary. ConfigError for costs of other hardware than their accuracies.

    Of points of a sweep that is said instead, with the point and in a note.
    """
    points = points_of([Path(name) for name in config.runs])
    if odd := [p.disagreement for p in points if p.disagreement]:
        reporter.note(
            f"accuracy and cost are not of one hardware at {len(odd)} of {len(points)} points; the first: {odd[0]}"
        )
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
        "disagreement": point.disagreement,
        "values": dict(point.values),
        "on_front": on_front,
    }


def label(summary: dict[str, Any]) -> str:
    """A point in few words: scheme, bits, gate voltages, tile."""
    words = [summary["scheme"], f"{summary['bits']} bit" if summary["bits"] else "analog"]
    gates = sorted({vg for vg in summary["vg_volt"] if vg is not None})
    if gates:
        words.append(f"{gates[0]:g} V" if len(gates) == 1 else f"{gates[0]:g}…{gates[-1]:g} V")
    return ", ".join([*words, "x".join(map(str, summary["tile"]))])


def look(number: int | None, point: Candidate) -> dict[str, Any]:
    """Colour and name of one of the points that are named, or how one of the others is drawn."""
    if number is None:
        return {"color": "0.7", "markersize": 3, "linewidth": 0.5, "zorder": 0}
    return {"color": f"C{number % 8}", "markersize": 5, "label": label(point.summary)}


def draw(path: Path, points: list[Candidate], fronts: dict[str, list[bool]], *, against: str) -> Path:
    """Accuracy with its interval against the chosen cost and against area (or energy), fronts joined."""
    panels = list(dict.fromkeys([against, "energy" if against == "area" else "area"]))
    shown = [n for n in range(len(points)) if len(points) <= MOST_NAMED or any(fronts[kind][n] for kind in panels)]
    numbers = {number: place for place, number in enumerate(shown[:MOST_NAMED])}

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
                    **look(numbers.get(number), point),
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
    rows = drawing.legend_rows([label(points[n].summary) for n in numbers], width=PAGE)
    return drawing.save(path, paint, caption=caption, width=PAGE, height=drawing.HEIGHT + 4 * rows)
