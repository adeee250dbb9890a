"""How pictures look: widths of a column and a page, type, colours that stay apart in grey, markers and dashes."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.colors import to_hex

MILLIMETRE = 1 / 25.4
"""Of an inch."""
COLUMN, PAGE = 85, 175
"""Widths [mm]: of a column, of a page."""
DPI = 300
TYPE, SMALL, NOTE = 8.0, 7.0, 6.0
"""Sizes [pt] of labels, of ticks and legends, and of the line below the axes."""
LETTER = 1.35
"""Width of a letter of the small size [mm]."""
KINDS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")
"""Colours of what has no order (Okabe and Ito 2008), told apart by people who see few colours."""
STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=KINDS),
    "font.size": TYPE,
    "axes.labelsize": TYPE,
    "axes.titlesize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.6,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.35,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,
    "svg.hashsalt": "xbar",
    "savefig.transparent": False,
}
"""matplotlib's settings of a picture for print; the same bytes for the same values."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = (
    "-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)), (0, (1, 3))
)  # fmt: skip
CELLS = "cividis"
"""Colours of heat maps: even in grey, and for people who see few colours."""


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Matplotlib as pictures are drawn with it, whatever was set before."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def colours(count: int, *, ranked: bool) -> Sequence[str]:
    """A colour for each line: from dark to light where they have an order."""
    if not ranked or count == 1:
        return KINDS[:count]
    ramp = matplotlib.colormaps["viridis"]
    return [to_hex(ramp(0.73 * number / (count - 1))) for number in range(count)]
