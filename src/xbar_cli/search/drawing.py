"""Figures of a search: the front among all designs, and how much of the plane was commanded after so many chips."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from xbar_cli.experiment.results import unit_of
from xbar_cli.figures import drawing
from xbar_cli.figures.labels import Label, label_of_figure, prefixed
from xbar_cli.figures.style import KINDS
from xbar_cli.search.asked import Search
from xbar_cli.search.trial import COMPLETE, DROPPED, FAILED, INFEASIBLE, REPEATED, Trial

MARKS = {
    COMPLETE: ("o", "0.35", "all chips"),
    DROPPED: ("x", "0.65", "dropped"),
    INFEASIBLE: ("v", "0.65", "infeasible"),
}
"""Marker, colour and name of what became of a design."""
DECADES = 20.0
"""Ratio of the ends from which an axis is logarithmic."""


def draw(
    folder: Path, search: Search, trials: Sequence[Trial], best: Sequence[Trial], history: Sequence[tuple[int, float]]
) -> None:  # fmt: skip
    """The front of the first two objectives, and the history of the hypervolume."""
    folder.mkdir(exist_ok=True)
    if len(search.objectives) > 1:
        draw_front(folder / "front.png", search, trials, best)
    draw_history(folder / "history.png", search, history)


def axis_of(name: str, values: Sequence[float]) -> tuple[Label, str]:
    """Label of an axis, with the prefix that suits its values, and its scale."""
    wide = min(values, default=0.0) > 0 and max(values) > DECADES * min(values)
    label = label_of_figure(name, unit=unit_of(name))
    return prefixed(label, max(map(abs, values), default=0.0)), "log" if wide else "linear"


def draw_front(path: Path, search: Search, trials: Sequence[Trial], best: Sequence[Trial]) -> Path:
    """The first objective against the second, the designs of the front joined."""
    x, y = search.objectives[1].figure, search.objectives[0].figure
    shown = [trial for trial in trials if trial.figures and trial.state not in (FAILED, REPEATED)]

    (across, x_scale), (up, y_scale) = (axis_of(name, [t.value(name) for t in shown]) for name in (x, y))

    def places(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
        return [t.value(x) * across.factor for t in trials], [t.value(y) * up.factor for t in trials]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for state, (marker, colour, name) in MARKS.items():
            own = [trial for trial in shown if trial.state == state]
            if own:
                axes.scatter(*places(own), marker=marker, color=colour, s=12,
                             label=f"{name} ({len(own)})")  # fmt: skip
        if best:
            axes.plot(*places(best), "s-", color=KINDS[2], markersize=4,
                      label=f"front ({len(best)})")  # fmt: skip
        axes.set(xlabel=across.text, ylabel=up.text, xscale=x_scale, yscale=y_scale)
        drawing.legend_above(figure, axes)

    spent = sum(trial.spent for trial in trials)
    caption = (
        f"{len(shown)} designs, {spent} evaluations of a chip; front: no other design with all of its chips beats it"
    )
    return drawing.save(path, paint, caption=caption)


def draw_history(path: Path, search: Search, history: Sequence[tuple[int, float]]) -> Path:
    """The hypervolume after so many chips, or trials where no chips are counted."""
    chips = bool(history) and history[-1][0] > 0
    x = [spent if chips else number for number, (spent, _) in enumerate(history, start=1)]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.step(x, [found for _, found in history], where="post", color=KINDS[1])
        axes.set(xlabel="evaluations of a chip" if chips else "trials", ylabel="hypervolume", ylim=(0, None))

    return drawing.save(
        path, paint, caption=f"hypervolume of {', '.join(o.figure for o in search.objectives)}, own units"
    )
