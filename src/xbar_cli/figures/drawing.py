"""One figure of a run: a column or a page wide, in the style of print, its caption in the file's description."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from xbar_cli.figures import saving
from xbar_cli.figures.formats import asked
from xbar_cli.figures.style import COLUMN, LETTER, MILLIMETRE, NOTE, styled

Axes = Any
HEIGHT = 58.0
"""Height of a figure of one panel [mm]."""
ENTRY, MARGIN = 11.0, 12.0
"""Width of a legend's line and gap before its name, and what is left free beside a legend [mm]."""
MATHEMATICS = re.compile(r"\\mathrm|[${}_\\]")
"""What of a text is not seen."""
MOST_NAMED = 9
"""Names that fit beside each other; of more layers a legend names every so many."""


def save(
    path: Path, draw: Callable[[Figure], None], *, caption: str, width: float = COLUMN, height: float = HEIGHT
) -> Path:
    """Draw one figure, so many mm wide and high, as the PNG `path` and in what other formats are asked for."""
    with styled():
        figure = Figure(figsize=(width * MILLIMETRE, height * MILLIMETRE), layout="constrained")
        draw(figure)
        formats = dict.fromkeys(["png", *asked()])
        saving.save(figure, path.with_suffix(""), formats=list(formats), caption=" ".join(caption.split()))
    return path


def whole(axis: Any) -> None:
    """Ticks of an axis of counts at integers."""
    axis.set_major_locator(MaxNLocator(nbins="auto", integer=True, steps=[1, 2, 5, 10]))


def plain_log(axis: Any, *, at: tuple[float, ...]) -> None:
    """A logarithmic axis labelled with plain numbers at these multiples of the powers of ten."""
    axis.set_major_locator(LogLocator(subs=at))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def name_bars(axes: Axes, names: Sequence[str]) -> None:
    """The names under the bars at 0, 1, …; upright and small where there are many."""
    few = len(names) <= MOST_NAMED and sum(map(len, names)) * LETTER < axes.figure.get_figwidth() / MILLIMETRE * 0.75
    axes.set_xticks(range(len(names)), list(names), rotation=0 if few else 90, fontsize=7 if few else 5)


def legend_columns(names: Sequence[str], *, width: float) -> int:
    """Entries of a legend side by side in so many mm."""
    entry = ENTRY + LETTER * max(len(MATHEMATICS.sub("", name)) for name in names)
    return max(1, min(len(names), int((width - MARGIN) / entry)))


def legend_rows(names: Sequence[str], *, width: float) -> int:
    """Rows of a legend above a figure of so many mm."""
    return math.ceil(len(names) / legend_columns(names, width=width)) if names else 0


def by_rows(items: Sequence[Any], *, across: int) -> list[Any]:
    """Items in the order in which a legend, which fills its columns, has them from left to right in rows."""
    down = math.ceil(len(items) / across)
    full = len(items) - across * (down - 1)  # columns that have an item in the last row
    heights = [down if column < full else down - 1 for column in range(across)]
    return [items[row * across + column] for column, height in enumerate(heights) for row in range(height)]


def note_below(figure: Figure, text: str) -> None:
    """What bars and bands are, small, below all panels."""
    figure.supxlabel(text, fontsize=NOTE, color="0.35")


def legend_above(figure: Figure, axes: Axes, *, title: str | None = None, alone: bool = False) -> None:
    """The legend of `axes` above all panels, or `alone` above its own, where it hides nothing."""
    handles, names = axes.get_legend_handles_labels()
    across = legend_columns(names, width=figure.get_figwidth() / MILLIMETRE)
    rows = [by_rows(items, across=across) for items in (handles, names)]
    style = {"title": title, "ncols": across, "handlelength": 2.6, "columnspacing": 1.2, "borderpad": 0.1}
    if alone:
        axes.legend(*rows, loc="lower center", bbox_to_anchor=(0.5, 1.0), **style)
    else:
        figure.legend(*rows, loc="outside upper center", **style)
