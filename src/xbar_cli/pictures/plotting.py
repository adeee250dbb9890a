"""`xbar plot`: a picture of one's own of a sweep or a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.figures.formats import FORMATS, formats_of
from xbar_cli.pictures.choosing import KeysAsked, Kind, picture_of
from xbar_cli.pictures.grid import SweepGrid
from xbar_cli.pictures.naming import figure_called, key_called, listed, selected
from xbar_cli.pictures.picture import Chart
from xbar_cli.pictures.runs import grid_at
from xbar_cli.pictures.sweeps import draw, main_figures

OTHERS = ("bmp", "eps", "gif", "jpeg", "jpg", "ps", "tif", "tiff", "webp")
"""Ends of pictures that are not drawn."""


@dataclass(frozen=True)
class PlotKeys:
    """What is asked for, as it was typed; None is chosen.

    Attributes:
        x, by, facet: swept keys.
        y: a figure.
        where: `KEY=VALUE` texts.
        kind: lines or heat maps.
        width: of the picture [mm].
    """

    x: str | None = None
    y: str | None = None
    by: str | None = None
    facet: str | None = None
    where: tuple[str, ...] = ()
    kind: Kind | None = None
    width: float | None = None


def plot(
    result: Path, wish: PlotKeys, *, out: Path | None = None, formats: str | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Draw a picture of what lies at `result`; the summary. Files are not replaced unless `overwrite` says so."""
    picture, figure = wished(grid_at(result), wish)
    stem, ends = place(out, result=result, figure=figure, formats=formats)
    files = [stem.with_name(f"{stem.name}.{end}") for end in ends]
    for file in files:
        if file.exists() and not overwrite:
            raise RunError(f"{file} exists; overwrite it, or choose another name")
    try:
        draw(stem, picture, formats=ends, width=wish.width)
    except OSError as error:
        raise RunError(f"{files[0]} cannot be written: {error.strerror}") from None
    return {
        "command": "plot",
        "result": str(result),
        "y": figure,
        "panels": len(picture.panels),
        "caption": picture.caption,
        "out": [str(file) for file in files],
    }


def wished(found: SweepGrid | Chart, wish: PlotKeys) -> tuple[Chart, str]:
    """The picture that is asked for of what was found, and its figure."""
    if isinstance(found, Chart):
        asked = [name for name in ("x", "y", "by", "facet", "where", "kind") if getattr(wish, name)]
        if asked:
            raise ConfigError(f"{', '.join(asked)}: an evaluation is drawn as the distribution of its chips")
        return found, "chips"
    grid = selected(found, wish.where)
    figure = figure_called(wish.y, grid) if wish.y is not None else first_figure(grid)
    keys = {name: None if (text := getattr(wish, name)) is None else key_called(text, grid, where=name)
            for name in ("x", "by", "facet")}  # fmt: skip
    return picture_of(grid, figure, KeysAsked(**keys, kind=wish.kind)), figure


def first_figure(grid: SweepGrid) -> str:
    """The figure that is drawn where none is named."""
    main = [*main_figures(grid).values(), *(name for name in grid.figures if name.endswith("accuracy"))]
    if main:
        return main[0]
    if len(grid.figures) == 1:
        return next(iter(grid.figures))
    raise ConfigError(f"y is not given; there are {listed(grid.figures)}")


def place(out: Path | None, *, result: Path, figure: str, formats: str | None) -> tuple[Path, Sequence[str]]:
    """The name of the files without their ends, and these: of `formats`, else the one that `out` ends in, else png."""
    if out is None:
        name = (result.parent if result.is_file() else result).resolve().name
        return Path(f"{name}-{figure}"), formats_of(formats or "png")
    end = out.suffix.removeprefix(".").lower()
    if end in FORMATS:
        if formats is not None and formats_of(formats) != (end,):
            raise ConfigError(f"out ends in .{end} and format is {formats}: leave one of them out")
        return out.with_suffix(""), (end,)
    if end in OTHERS:
        formats_of(end)  # says what there is
    return out, formats_of(formats or "png")
