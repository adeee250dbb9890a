"""The plots of an item, in the paper's own axes, with the paper's points where its text gives them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from xbar_cli.experiment.file import label
from xbar_cli.experiment.grid import Point
from xbar_cli.experiment.results import as_array
from xbar_cli.figures import drawing
from xbar_cli.figures.style import DASHES, MARKERS, PAGE
from xbar_cli.reproduce.sections import Plot, PlotLine
from xbar_cli.reproduce.selection import matching, stage_of, swept_keys
from xbar_cli.reproduce.values import Absent, ItemRuns, SeedMean, figure, quantity

MOST_LINES = 24


@dataclass(frozen=True)
class Drawn:
    """A line as it is drawn: x values (numbers or texts) and what was found at each."""

    label: str
    x: tuple[Any, ...]
    y: tuple[SeedMean, ...]


def lines_of(plot: Plot, found: ItemRuns) -> list[Drawn]:
    """The lines of a plot; points where a figure is not there are left out."""
    drawn: list[Drawn] = []
    for line in plot.line:
        points = matching(found.points, line.where)
        for name, part in parts(line, points):
            drawn.append(swept_line(plot, line, found, part, name) if is_swept(plot, points)
                         else listed_line(plot, line, found, part, name))  # fmt: skip
    return [one for one in drawn if one.x]


def is_swept(plot: Plot, points: Sequence[Point]) -> bool:
    """Whether the axis of a plot is a swept key."""
    return plot.x is not None and bool(points) and bool(swept_keys(plot.x, points[0].values))


def parts(line: PlotLine, points: Sequence[Point]) -> list[tuple[str, list[Point]]]:
    """The points of each value of the key that a line is drawn by, with the name of each."""
    if line.by is None or not points:
        return [(line.label, list(points))]
    key = swept_keys(line.by, points[0].values)[0]
    values = dict.fromkeys(label(meant(point.values[key], line.by_after)) for point in points)
    return [
        (f"{line.label} {value}".strip(), [p for p in points if label(meant(p.values[key], line.by_after)) == value])
        for value in values
    ]


def meant(value: Any, after: str | None) -> Any:
    """The number behind a text in a swept value; the value itself where no text is given, or none is there."""
    if after is None:
        return value
    found = re.search(rf"{re.escape(after)}(-?[0-9.]+(?:e-?[0-9]+)?)", label(value))
    return value if found is None else float(found[1])


def swept_line(plot: Plot, line: PlotLine, found: ItemRuns, points: Sequence[Point], name: str) -> Drawn:
    """A line over a swept key."""
    assert plot.x is not None
    key = swept_keys(plot.x, found.points[0].values)[0]
    known: list[tuple[Any, SeedMean]] = []
    for value in {label(at): at for at in (meant(p.values[key], plot.x_after) for p in points)}.values():
        here = [point for point in points if label(meant(point.values[key], plot.x_after)) == label(value)]
        try:
            known.append((value, quantity(line, found, here)))
        except Absent:
            continue
    x = as_array([value for value, _ in known]).tolist() if known else []
    scaled = tuple(at * plot.x_scale if isinstance(at, (int, float)) else at for at in x)
    return Drawn(name, scaled, tuple(value for _, value in known))


def listed_line(plot: Plot, line: PlotLine, found: ItemRuns, points: Sequence[Point], name: str) -> Drawn:
    """A line over a list of the summary: every place of the lists is a point, its seeds those of the grid."""
    if not points:
        return Drawn(name, (), ())
    summary = found.summary(points[0], stage_of(line))
    try:
        count = len(figure(summary, line.model_copy(update={"at": None})))
        x = range(count) if plot.x is None else figure(found.summary(points[0], plot.x.partition(".")[0]),
                                                       line.model_copy(update={"value": plot.x, "at": None}))  # fmt: skip
    except (Absent, TypeError):
        return Drawn(name, (), ())
    known: list[tuple[Any, SeedMean]] = []
    for place, at in enumerate(x):
        try:
            known.append((at, quantity(placed(line, place), found, points)))
        except Absent:
            continue
    scaled = tuple(at * plot.x_scale if isinstance(at, (int, float)) else at for at, _ in known)
    return Drawn(name, scaled, tuple(value for _, value in known))


def placed(line: PlotLine, place: int) -> PlotLine:
    """A line's figures at one place of their lists; what they are compared with too, unless it says its own place."""
    others = {
        name: other.model_copy(update={"at": place})
        for name in ("minus", "over")
        if (other := getattr(line, name)) is not None and other.at is None
    }
    return line.model_copy(update={"at": place, **others})


def counts(values: Iterable[Any]) -> bool:
    """Whether numbers are whole, and not all the same: their axis has ticks at integers."""
    found = {float(value) for value in values}
    return len(found) > 1 and all(value.is_integer() for value in found)


def draw(path: Path, plot: Plot, lines: Sequence[Drawn], *, caption: str) -> Path:
    """Write a plot as PNG."""
    names = [text for line in lines for text in line.x if isinstance(text, str)]
    names += [x for points in plot.paper for x in points.x if isinstance(x, str)]
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}

    def at(values: Sequence[Any]) -> list[float]:
        return [float(places[value]) if isinstance(value, str) else float(value) for value in values]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for number, line in enumerate(lines[:MOST_LINES]):
            mean = [y.mean for y in line.y]
            ends = [y.ci95 or (y.mean, y.mean) for y in line.y]
            spread = [[abs(y - low) for y, (low, _) in zip(mean, ends, strict=True)],
                      [abs(high - y) for y, (_, high) in zip(mean, ends, strict=True)]]  # fmt: skip
            if plot.bars:
                width = 0.8 / len(lines)
                axes.bar([x + (number - (len(lines) - 1) / 2) * width for x in at(line.x)], mean, width, yerr=spread,
                         label=line.label or "ours", capsize=2)  # fmt: skip
            else:
                own = {"marker": MARKERS[number % len(MARKERS)], "linestyle": DASHES[number % len(DASHES)]}
                axes.errorbar(at(line.x), mean, yerr=spread, capsize=2, label=line.label or "ours", **own)
        for marker, points in zip(cycle("*PXD"), plot.paper, strict=False):
            style = ":" if len(points.x) > 1 else ""
            axes.plot(at(points.x), points.y, f"k{marker}{style}", markersize=6, label=points.label)
        if places:
            drawing.name_bars(axes, list(places))
        axes.set(xlabel=plot.x_label, ylabel=plot.y_label)
        if not places and "x" not in plot.log and counts(x for line in lines for x in line.x):
            drawing.whole(axes.xaxis)
        for side in plot.log:
            getattr(axes, f"set_{side}scale")("log")
            drawing.plain_log(getattr(axes, f"{side}axis"), at=(1.0, 2.0, 5.0))
        drawing.legend_above(figure, axes)

    return drawing.save(path, paint, caption=f"{plot.title}; {caption}", width=PAGE, height=1.4 * drawing.HEIGHT)
