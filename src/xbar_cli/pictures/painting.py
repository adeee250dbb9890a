"""A picture in matplotlib."""

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from xbar_cli.figures.drawing import legend_above, legend_rows, note_below
from xbar_cli.figures.style import (
    CELLS,
    COLUMN,
    DASHES,
    KINDS,
    LETTER,
    MARKERS,
    MILLIMETRE,
    NOTE,
    PAGE,
    colours,
    styled,
)
from xbar_cli.pictures.picture import Chart, Panel, Trace
from xbar_cli.pictures.values import Along, written
from xbar_cli.vectors import Floats

PANEL_HEIGHT, ROW_HEIGHT = 50.0, 46.0
"""Height of one panel, and of each of several [mm]."""
MOST_BANDS, BAND_FROM = 4, 6
"""Bands, where lines are few and places many; else bars."""
MOST_WRITTEN = 64
"""Cells that their value is written in."""
BAR_STEP = 0.012
"""Bars of neighbouring lines are so far apart, as a share of the axis."""
FEW = 2
"""Panels side by side in a column."""
SHORT = 4
"""Letters of a name that stands in the room that a number takes."""


def paint(picture: Chart, *, width: float | None = None) -> Figure:
    """Draw a picture, `width` mm wide (one panel: a column; more: a page)."""
    count = len(picture.panels)
    wide = width or (COLUMN if count == 1 else PAGE)
    across = 1 if count == 1 else min(count, 3 if wide > COLUMN else FEW)
    down = math.ceil(count / across)
    legend = rows_above(picture, wide)
    tall = (PANEL_HEIGHT if count == 1 else ROW_HEIGHT * down) + 4.0 * legend + (4.0 if picture.note else 0.0)
    tall += standing(picture, wide / across)
    with styled():
        figure = Figure(figsize=(wide * MILLIMETRE, tall * MILLIMETRE), layout="constrained")
        grid = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
        drawn: Any = None
        for axes, panel in zip(grid, picture.panels, strict=False):
            drawn = cells(axes, panel, picture) if picture.heat else lines(axes, panel, picture)
            axes.set_title(panel.title, pad=3)
        for place, axes in enumerate(grid):
            finish(axes, picture, place=place, across=across)
        if picture.heat:
            bar = figure.colorbar(drawn, ax=grid[:count], pad=0.02, aspect=25)
            bar.set_label(picture.figure.text)
            bar.outline.set_linewidth(0.6)
        elif picture.legend:
            legend_above(figure, grid[0], title=picture.by.label.text if picture.by else None)
        if picture.note:
            note_below(figure, picture.note)
        for _ in range(2):  # ticks depend on the layout, and the layout on them
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def finish(axes: Any, picture: Chart, *, place: int, across: int) -> None:
    """Scales, ticks and labels of one panel; a place without a panel is empty."""
    count = len(picture.panels)
    if place >= count:
        axes.set_visible(False)
        return
    ruled(axes, "x", picture.x, placed=picture.heat)
    lowest = place + across >= count
    axes.tick_params(labelbottom=lowest, labelleft=place % across == 0)
    if lowest:
        axes.set_xlabel(picture.x.label.text)
    if picture.heat:
        assert picture.by is not None
        ruled(axes, "y", picture.by, placed=True)
        axes.grid(visible=False)
    elif picture.log:
        axes.set_yscale("log")
        plain_log(axes.yaxis)
    else:
        axes.ticklabel_format(axis="y", useOffset=False)
    if place % across == 0:
        axes.set_ylabel(picture.by.label.text if picture.heat and picture.by else picture.figure.text)


def ruled(axes: Any, side: str, along: Along, *, placed: bool) -> None:
    """One axis with the scale and the ticks of a swept key; `placed` ones have a place for each value, as names have."""
    axis = getattr(axes, f"{side}axis")
    if along.scale == "names" or placed:
        axis.set_major_locator(FixedLocator(list(range(len(along.names)))))
        axis.set_major_formatter(FuncFormatter(lambda value, _: name_at(along, value)))
        axis.set_minor_locator(NullLocator())
        across = axes.get_subplotspec().get_gridspec().ncols
        if side == "x" and crowded(along, axes.figure.get_figwidth() / MILLIMETRE / across):
            axis.set_tick_params(rotation=90)
        if not placed:
            axes.set_xlim(-0.5, len(along.names) - 0.5)
        return
    if along.scale == "log":
        axes.set_xscale("log")
    if along.ticks and not axes.patches:
        places = [drawn_at(along)[at] for at in along.ticks]
        axis.set_major_locator(FixedLocator(places))
        axis.set_major_formatter(FixedFormatter([along.names[at] for at in along.ticks]))
        axis.set_minor_locator(NullLocator())
    elif along.scale == "log":
        plain_log(axis)
    else:
        axis.set_major_locator(MaxNLocator(nbins="auto", integer=along.whole, steps=[1, 2, 5, 10]))
    if along.scale == "broken":
        broken(axes, along)


def plain_log(axis: Any) -> None:
    """A logarithmic axis with plain numbers at powers of ten, or at 1, 2 and 5 where it spans few."""
    low, high = sorted(axis.get_view_interval())
    few = math.log10(high / low) < 1.7
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    axis.set_minor_formatter(NullFormatter())


def name_at(along: Along, place: float) -> str:
    """The name of a place of an axis of names."""
    at = round(place)
    return along.names[at] if 0 <= at < len(along.names) and abs(at - place) < 1e-6 else ""


def drawn_at(along: Along) -> tuple[float, ...]:
    """Where places are in the coordinates of the axis."""
    return along.seen if along.scale == "broken" else along.places


def crowded(along: Along, wide: float) -> bool:
    """Whether names beside each other would touch in a panel, `wide` mm with its labels."""
    return (max(map(len, along.names)) + 1) * LETTER * len(along.names) > 0.8 * wide


def standing(picture: Chart, wide: float) -> float:
    """Height of names that have to stand below the panels, beyond that of numbers [mm]."""
    if not (picture.heat or picture.x.scale == "names") or not crowded(picture.x, wide):
        return 0.0
    return max(LETTER * (max(map(len, picture.x.names)) - SHORT), 0.0)


def broken(axes: Any, along: Along) -> None:
    """Two strokes where the axis leaves out what lies between 0 and the smallest value."""
    at = sum(along.seen[:2]) / 2
    axes.plot([at], [0], marker=[(-0.6, -1), (0, 1), (0.6, 1), (0, -1), (-0.6, -1)], markersize=5, color="white",
              markeredgewidth=0, clip_on=False, zorder=5, transform=axes.get_xaxis_transform())  # fmt: skip
    for shift in (-1.5, 1.5):
        axes.annotate("/", (at, 0), xycoords=axes.get_xaxis_transform(), xytext=(shift, 0), textcoords="offset points",
                      ha="center", va="center", fontsize=6)  # fmt: skip


def lines(axes: Any, panel: Panel, picture: Chart) -> None:
    """The lines of a panel."""
    if picture.bars:
        bars(axes, panel, picture)
        return
    ranked = picture.by is not None and (picture.by.numeric or picture.by.ranked)
    tints = colours(len(panel.lines), ranked=ranked)
    for number, line in enumerate(panel.lines):
        one_line(axes, line, picture, number=number, count=len(panel.lines), colour=tints[number])


def one_line(axes: Any, line: Trace, picture: Chart, *, number: int, count: int, colour: str) -> None:
    """A line with its band or bars; beside the others where the axis has names."""
    x, y = np.asarray(drawn_at(picture.x)), np.asarray(line.y)
    beside = picture.x.scale == "names"
    joined = not beside or picture.x.ranked
    banded = not beside and count <= MOST_BANDS and len(x) >= BAND_FROM
    if beside or (line.low is not None and not banded):
        x = apart(x, picture, number=number - (count - 1) / 2, count=count)
    style = {
        "color": colour,
        "marker": MARKERS[number],
        "linestyle": DASHES[number] if joined else "none",
        "label": line.name or None,
    }
    if line.low is None or line.high is None:
        axes.plot(x, y, **style)
    elif banded:
        axes.fill_between(x, line.low, line.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, y, **style)
    else:
        bars = np.clip([y - np.asarray(line.low), np.asarray(line.high) - y], 0, None)
        axes.errorbar(x, y, yerr=bars, capsize=1.8, elinewidth=0.8, capthick=0.8, **style)


def bars(axes: Any, panel: Panel, picture: Chart) -> None:
    """The bars of a panel, and the lines across it."""
    x = np.asarray(picture.x.places)
    axes.bar(x, panel.lines[0].y, width=float(x[1] - x[0]), color="0.75", edgecolor="0.3", linewidth=0.5)
    for number, (name, place) in enumerate(picture.marks):
        axes.axvline(place, color=KINDS[number + 1], linestyle=DASHES[number + 1], label=name)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def apart(x: Floats, picture: Chart, *, number: float, count: int) -> Floats:
    """Places beside those of the other lines, so that bars do not hide each other: `number` steps to the right."""
    if picture.x.scale == "names":
        return x + number * min(0.12, (0.2 if picture.x.ranked else 0.6) / count)
    if picture.x.scale == "log":
        return x * (x[-1] / x[0]) ** (BAR_STEP * number)
    return x + BAR_STEP * number * (x[-1] - x[0])


def cells(axes: Any, panel: Panel, picture: Chart) -> Any:
    """A heat map, all panels with one scale of colours."""
    every = np.concatenate([np.ravel(other.cells) for other in picture.panels])
    values = np.ma.masked_invalid(panel.cells)
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    rows, columns = values.shape
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    drawn = axes.pcolormesh(*edges, values, cmap=CELLS, vmin=low, vmax=high)
    axes.set_facecolor("0.85")  # of what is missing
    if values.size <= MOST_WRITTEN and len(picture.panels) == 1:
        decimals = max(0, 2 - math.floor(math.log10(max(abs(low), abs(high), 1e-300))))
        for (row, column), value in np.ndenumerate(values.filled(np.nan)):
            if np.isfinite(value):
                tint = "w" if value < (low + high) / 2 else "k"
                axes.text(column, row, f"{value:.{decimals}f}", ha="center", va="center", fontsize=NOTE, color=tint)
    return drawn


def rows_above(picture: Chart, wide: float) -> int:
    """Rows of the legend, its title with them."""
    return (picture.by is not None) + legend_rows(picture.legend, width=wide) if picture.legend else 0
