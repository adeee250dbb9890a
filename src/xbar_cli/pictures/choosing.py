"""Which axis of a sweep goes where: along x, as lines, as panels. A pure function of the results."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from xbar_cli.errors import ConfigError
from xbar_cli.figures.labels import Label, label_of_figure, prefixed
from xbar_cli.pictures.grid import SweepGrid, Swept
from xbar_cli.pictures.picture import Chart, Panel, Trace
from xbar_cli.pictures.replicates import Estimated, estimated
from xbar_cli.pictures.values import Along, together
from xbar_cli.vectors import Floats

Kind = Literal["line", "heat"]
MOST_LINES, MOST_PANELS = 8, 12
LOG_FROM = 30.0
"""Largest over smallest of a figure from which it is drawn logarithmically."""


@dataclass(frozen=True)
class KeysAsked:
    """What a picture is asked for by dotted key; what is None is chosen.

    Attributes:
        x: the key along the axis.
        by: the key that lines, or the rows of a heat map, are told apart by.
        facet: the key of the panels.
        kind: lines or heat maps.
    """

    x: str | None = None
    by: str | None = None
    facet: str | None = None
    kind: Kind | None = None

    @property
    def keys(self) -> list[str]:
        """The keys that are named."""
        return [key for key in (self.x, self.by, self.facet) if key is not None]


@dataclass(frozen=True)
class Roles:
    """Positions of axes: one along x, at most one as lines, the others as panels."""

    x: int
    by: int | None
    panels: tuple[int, ...]
    heat: bool


def picture_of(grid: SweepGrid, figure: str, asked: KeysAsked | None = None) -> Chart:
    """The picture of a figure of a sweep; ConfigError where there is no axis, or there are too many."""
    asked = asked or KeysAsked()
    grid, idle = grid.without_idle(figure, kept=grid.keys if asked.kind == "heat" else asked.keys)
    found = estimated(grid, figure, kept=asked.keys)
    if not found.axes:  # nothing but seeds is swept
        found = estimated(grid, figure, kept=grid.keys)
    if not found.axes:
        raise ConfigError("the sweep has one point: there is no axis to draw")
    axes = tuple(seen_by(axis, asked.keys) for axis in found.axes)
    drawn = tuple(together(axis.keys, axis.values, axis.units) for axis in axes)
    chosen = roles(axes, drawn, asked)
    count = math.prod(axes[i].size for i in chosen.panels)
    if count > MOST_PANELS:
        names = ", ".join(axes[i].keys[0] for i in chosen.panels)
        raise ConfigError(f"{names} make {count} panels; at most {MOST_PANELS} are drawn: choose values of some")
    chart = composed(found, grid, figure, drawn=drawn, chosen=chosen)
    said = f"the same for every {', '.join(key.rpartition('.')[2] for key in idle)}" if idle else ""
    return replace(chart, about="; ".join(filter(None, [chart.about, said])))


def seen_by(axis: Swept, keys: Sequence[str]) -> Swept:
    """An axis of several keys, by the one of them that is asked for."""
    return next((axis.by(key) for key in keys if key in axis.keys), axis)


def roles(axes: Sequence[Swept], drawn: Sequence[Along], asked: KeysAsked) -> Roles:
    """The numeric axis with most values goes along x, the next in the file makes lines, the rest panels; what is asked first.

    Two numeric axes become a heat map where the second has more values than lines can be told apart.
    """
    named = {
        role: next(i for i, axis in enumerate(axes) if key in axis.keys)
        for role, key in (("x", asked.x), ("by", asked.by), ("facet", asked.facet))
        if key is not None
    }
    if len(set(named.values())) < len(named):
        raise ConfigError("x, by and facet name one axis twice: keys that vary together are one axis")
    free = [i for i in range(len(axes)) if i not in named.values()]
    if "x" in named:
        x = named["x"]
    elif not free:
        raise ConfigError("no axis is left for x: name fewer of by and facet")
    else:
        x = max(free, key=lambda i: (drawn[i].numeric, drawn[i].numeric * axes[i].size, i))
        free.remove(x)
    by = named.get("by")
    if by is None and free:
        fits = [i for i in free if axes[i].size <= MOST_LINES] or free
        by = fits[0]
        free.remove(by)
    panels = tuple([named["facet"]] if "facet" in named else []) + tuple(free)
    many = by is not None and axes[by].size > MOST_LINES
    heat = asked.kind == "heat" or (asked.kind is None and many)
    if heat and by is None:
        raise ConfigError("a heat map has two axes, and one is swept")
    if many and not heat:
        assert by is not None
        raise ConfigError(f"{axes[by].keys[0]} has {axes[by].size} values; at most {MOST_LINES} lines are drawn")
    return Roles(x, by, panels, heat)


def composed(found: Estimated, grid: SweepGrid, figure: str, *, drawn: Sequence[Along], chosen: Roles) -> Chart:
    """The picture with its roles decided."""
    label = label_of_figure(figure, unit=grid.units[figure])
    finite = found.mean[np.isfinite(found.mean)]
    if not finite.size:
        raise ConfigError(f"{figure} is not there at any point")
    label = prefixed(label, float(np.abs(finite).max()) * label.factor)
    scaled = replace(found, **{
        end: None if (values := getattr(found, end)) is None else sorted_by(values, drawn) * label.factor
        for end in ("mean", "low", "high")
    })  # fmt: skip
    panels = [
        panel_at(scaled, places, drawn, chosen)
        for places in product(*(range(len(drawn[i].places)) for i in chosen.panels))
    ]
    by = None if chosen.by is None else drawn[chosen.by]
    spread = "" if chosen.heat and found.spread.startswith("95") else found.spread
    if chosen.heat:
        spread = spread.replace("mean ± standard deviation", "mean")
    missing = int(found.mean.size - finite.size)
    about = f"{missing} of {found.mean.size} points are missing" if missing else ""
    log = not chosen.heat and is_wide(finite, label)
    return Chart(drawn[chosen.x], label, tuple(panels), by, spread, log, about)


def is_wide(values: Floats, label: Label) -> bool:
    """Whether values that are no shares span so much that they are drawn logarithmically."""
    return label.unit != "%" and bool(values.min() > 0) and float(values.max() / values.min()) >= LOG_FROM


def sorted_by(values: Floats, drawn: Sequence[Along]) -> Floats:
    """Values with every axis in the order in which it is drawn."""
    for dim, axis in enumerate(drawn):
        values = np.take(values, axis.order, axis=dim)
    return values


def panel_at(found: Estimated, places: Sequence[int], drawn: Sequence[Along], chosen: Roles) -> Panel:
    """The panel at these places of its axes."""
    index: list[int | slice] = [slice(None)] * len(drawn)
    for dim, place in zip(chosen.panels, places, strict=True):
        index[dim] = place
    title = ", ".join(entry(drawn[dim], place) for dim, place in zip(chosen.panels, places, strict=True))
    rows = range(1) if chosen.by is None else range(len(drawn[chosen.by].places))

    def row(values: Floats | None, at: int) -> tuple[float, ...] | None:
        if chosen.by is not None:
            index[chosen.by] = at
        return None if values is None else tuple(values[tuple(index)].tolist())

    if chosen.heat:
        return Panel(title, cells=tuple(row(found.mean, at) or () for at in rows))
    names = ("",) if chosen.by is None else drawn[chosen.by].names
    lines = (Trace(names[at], row(found.mean, at) or (), row(found.low, at), row(found.high, at)) for at in rows)
    return Panel(title, lines=tuple(lines))


def entry(axis: Along, place: int) -> str:
    """A position in a panel's title: symbol or words, value, unit."""
    label = axis.label
    name = f"${label.symbol}$ =" if label.symbol else label.words.partition(" (")[0]
    return f"{name} {axis.names[place]}{f' {label.unit}' if label.unit else ''}"
