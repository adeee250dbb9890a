"""A picture as a value: panels of lines or cells on common axes. Nothing here draws."""

from dataclasses import dataclass

from xbar_cli.figures.labels import Label
from xbar_cli.pictures.values import Along

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Trace:
    """A line, or points beside each other where the axis has names.

    Attributes:
        name: in the legend; empty where there is one line.
        y: a value at each place of the axis, NaN where there is none.
        low, high: ends of the interval or spread about them; None where nothing is known of it.
    """

    name: str
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes: lines, or the rows of a heat map from bottom to top, and what it is of."""

    title: str
    lines: tuple[Trace, ...] = ()
    cells: tuple[Numbers, ...] = ()


@dataclass(frozen=True)
class Chart:
    """What is drawn.

    Attributes:
        x: the axis of all panels.
        figure: what is drawn against it, in the unit of the lines and cells.
        panels: small multiples, in order.
        by: what lines or the rows of heat maps are told apart by; None where there is one line.
        spread: what bars and bands are, in words; empty where there are none.
        log: whether the figure is drawn logarithmically.
        about: what is missing, in words; empty where nothing is.
        bars: whether values are the heights of bars, as wide as places are apart.
        marks: lines across the panel at these places of x, by name.
    """

    x: Along
    figure: Label
    panels: tuple[Panel, ...]
    by: Along | None
    spread: str
    log: bool
    about: str = ""
    bars: bool = False
    marks: tuple[tuple[str, float], ...] = ()

    @property
    def legend(self) -> tuple[str, ...]:
        """The entries of the legend; none where there is nothing to tell apart."""
        if self.heat or (self.by is None and not self.marks):
            return ()
        return tuple(line.name for line in self.panels[0].lines if line.name) + tuple(name for name, _ in self.marks)

    @property
    def heat(self) -> bool:
        """Whether it is a heat map."""
        return any(panel.cells for panel in self.panels)

    @property
    def note(self) -> str:
        """What stands below the axes: what bars are, and what is missing."""
        return "; ".join(part for part in (self.spread, self.about) if part)

    @property
    def caption(self) -> str:
        """What a caption says: the axes in words, and what bars are."""
        said = f"{self.figure.words} against {self.x.label.words}"
        if self.by is not None:
            said += f", {'rows' if self.heat else 'lines'}: {self.by.label.words}"
        return "; ".join(part for part in (said, self.note) if part).replace(r"\$", "$")
