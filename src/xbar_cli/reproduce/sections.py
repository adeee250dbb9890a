"""The table `[reproduce]` of an experiment file: what an item claims, how it is judged, what is drawn, its three sizes."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from xbar_cli.config.base import Section
from xbar_cli.outside import quoted

Preset = Literal["smoke", "desk", "full"]
PRESETS: tuple[Preset, ...] = ("smoke", "desk", "full")
"""Bundled data in minutes · what the file says, hours on two processors · the paper's own sizes."""
Reduction = Literal["mean", "min", "max"]
OneLine = Annotated[str, Field(min_length=1, max_length=2000)]


def _checked_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_ -]+)+", text):
        raise ValueError(f"{quoted(text)} names no figure; write STAGE.FIGURE, such as evaluate.accuracy_mean")
    return text


Figure = Annotated[str, AfterValidator(_checked_name)]
"""A stage and a key of its summary, tables within it by dots: `array.models.gated.nrmsd`."""


class Pick(Section):
    """Figures of a stage's summary at some points of the grid."""

    value: Figure
    """`STAGE.FIGURE` of the summary, tables within it by dots: `array.models.gated.nrmsd`."""
    at: int | dict[str, Any] | None = None
    """Of a list, the place (-1 the last), or `{vg_volt = 0.8}`: the place at which that list of the summary has that value."""
    where: dict[str, Any] = Field(default_factory=dict)
    """Swept keys, or the ends of their names, and the value that each must have; a list of values allows any of them."""
    null: float | None = None
    """The number that stands for a null, such as the cut-off where there is none."""
    of: Reduction | None = None
    """What is taken of the points that are left of one seed; without it only one may be left."""


def alike(one: str, other: str) -> bool:
    """Whether two names of swept keys mean the same one: one is the end of the other."""
    return f".{one}".endswith(f".{other}") or f".{other}".endswith(f".{one}")


class Compared(Pick):
    """Figures, or how much they differ from others, seed by seed: `value - minus`, then `/ over`, then `* scale`.

    `minus` and `over` take `where` and `of` from the figures that they stand beside, but for what they name themselves.
    """

    minus: Pick | None = None
    """What is taken away, of the same seed."""
    over: Pick | None = None
    """What it is divided by then, of the same seed."""
    scale: float = 1.0
    """What the result is multiplied by: 100 for per cent."""

    def other(self, name: Literal["minus", "over"]) -> Pick | None:
        """The figures to compare with, with what they take over."""
        found = self.minus if name == "minus" else self.over
        if found is None:
            return None
        kept = {key: value for key, value in self.where.items() if not any(alike(key, own) for own in found.where)}
        return found.model_copy(update={"where": kept | found.where, "of": found.of or self.of})


class Expect(Compared):
    """What the paper says of a quantity, fixed before anything was run."""

    what: OneLine
    """The quantity in words, with its unit: `accuracy lost by ideal training [points]`."""
    paper: float | None = None
    """The paper's number."""
    tolerance: Annotated[float, Field(ge=0)] | None = None
    """Ours may be so far from it."""
    direction: Literal[">", "<"] | None = None
    """The claim of order: ours lies above or below `than`."""
    than: float = 0.0
    """The number that `direction` compares with."""
    presets: tuple[Preset, ...] = PRESETS
    """Sizes at which it is judged."""

    @model_validator(mode="after")
    def _judgeable(self) -> Self:
        if (self.paper is None) != (self.tolerance is None):
            raise ValueError("paper and tolerance go together: a number is judged by both")
        if self.paper is None and self.direction is None:
            raise ValueError("nothing is expected: give paper and tolerance, or direction")
        return self


class PaperPoints(Section):
    """Points of the paper's own figure, as its text gives them."""

    label: OneLine
    """In the plot's legend."""
    x: tuple[float | str, ...]
    """Values along the axis, numbers or the texts that are swept."""
    y: tuple[float, ...]
    """As many values, in the unit of the axis."""

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.x) != len(self.y) or not self.x:
            raise ValueError(f"x has {len(self.x)} values and y {len(self.y)}: they are pairs")
        return self


class PlotLine(Compared):
    """A line of a plot, or one for each value of a swept key."""

    label: str = ""
    """In the legend, before the value of `by`."""
    by: str | None = None
    """A swept key, or the end of its name."""
    by_after: str | None = None
    """Of values that are texts, the number behind this in each is what is meant, such as the 0.1 behind `sigma=`."""


class Plot(Section):
    """A plot in the paper's axes.

    `x` is a swept key (or the end of its name), STAGE.LIST of the lines' stage, or absent: 0, 1, …
    """

    title: str = ""
    """Above the plot in the report."""
    x: str | None = None
    """A swept key, or the end of its name, or STAGE.LIST of the summary; without it 0, 1, …."""
    x_after: str | None = None
    """As `by_after`, of the values along the axis."""
    x_label: OneLine
    """Words along the axis, with the unit."""
    y_label: OneLine
    """Words of the other axis, with the unit."""
    x_scale: float = 1.0
    """What values along the axis are multiplied by: 1e9 for ns."""
    log: tuple[Literal["x", "y"], ...] = ()
    """Axes that are logarithmic."""
    bars: bool = False
    """Bars in groups in place of lines."""
    line: Annotated[tuple[PlotLine, ...], Field(min_length=1)]
    """The lines of ours, a table each."""
    paper: tuple[PaperPoints, ...] = ()
    """The paper's points, a table each."""


class Picture(Section):
    """A figure that a run of a stage has drawn itself, FILE in its folder `figures`, at the first point of `where`."""

    stage: OneLine
    """The stage whose run has drawn it."""
    file: Annotated[str, Field(pattern=r"^[\w.-]+\.png$")]
    """Its name in the run's folder `figures`."""
    title: str = ""
    """Above the figure in the report."""
    where: dict[str, Any] = Field(default_factory=dict)
    """Swept keys and their values, as those of a quantity."""


class ItemSection(Section):
    """A figure or table of a paper: its claim, how it is judged, what is drawn, and its three sizes."""

    figure: OneLine
    """As the paper counts: `Fig. 8`, `Table I`."""
    title: OneLine
    """What the figure shows, in words."""
    claim: OneLine
    """What the paper says, in one sentence."""
    assumptions: tuple[OneLine, ...] = ()
    """What the paper leaves open, and what was taken."""
    fitted: tuple[OneLine, ...] = ()
    """Values that were chosen after results were seen, and by which result."""
    expect: Annotated[tuple[Expect, ...], Field(min_length=1)]
    """The quantities that are judged, a table each."""
    plot: tuple[Plot, ...] = ()
    """Plots in the paper's axes, a table each."""
    picture: tuple[Picture, ...] = ()
    """Figures that runs have drawn themselves, a table each."""
    smoke: dict[str, Any] = Field(default_factory=dict)
    """Keys of stages, and lists of swept keys, that the size replaces; a plain value takes a key out of the grid."""
    desk: dict[str, Any] = Field(default_factory=dict)
    """As `smoke`, for hours on two processors; mostly nothing, as the file says that size."""
    full: dict[str, Any] = Field(default_factory=dict)
    """As `smoke`, for the paper's own sizes."""

    def replaced(self, preset: Preset) -> dict[str, Any]:
        """What a size replaces."""
        return {"smoke": self.smoke, "desk": self.desk, "full": self.full}[preset]
