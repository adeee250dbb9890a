"""The pictures that a sweep draws by itself: its main results, a file each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.errors import ConfigError
from xbar_cli.pictures.choosing import picture_of
from xbar_cli.pictures.grid import SweepGrid
from xbar_cli.pictures.picture import Chart

MAIN = {
    "accuracy_mean": "accuracy",
    "test_accuracy": "accuracy",
    "metric_value": "metric",
    "energy_joule": "energy",
    "area_m2": "area",
    "latency_seconds": "latency",
}
"""The figures that are drawn, whichever stage they are of, and the name of the file of each."""
MOST_PICTURES = 8


def main_figures(grid: SweepGrid) -> dict[str, str]:
    """The figures of a sweep that are drawn by themselves, by the names of their files: those of `MAIN` that vary."""
    found: dict[str, str] = {}
    for end, file in MAIN.items():
        for name, values in grid.figures.items():
            stage = name.removesuffix(end)
            if name.endswith(end) and stage[-1:] in ("", "_") and varies(values):
                found.setdefault(f"{stage}{file}", name)
    if any(file.endswith("accuracy") for file in found):  # of a classification it is the same
        found = {file: name for file, name in found.items() if not file.endswith("metric")}
    return dict(list(found.items())[:MOST_PICTURES])


def varies(values: Any) -> bool:
    """Whether a figure has two values."""
    finite = values[np.isfinite(values)]
    return finite.size > 1 and bool(finite.max() > finite.min())


def draw_sweep(
    folder: Path, grid: SweepGrid, *, formats: Sequence[str] = ("png",), anew: bool = True
) -> list[dict[str, Any]]:
    """Draw the main results of a sweep into a folder; what was drawn, each with its files and caption, or why not.

    Pictures that are there stay, unless they are drawn `anew`.
    """
    drawn: list[dict[str, Any]] = []
    for file, name in main_figures(grid).items():
        try:
            picture = picture_of(grid, name)
        except ConfigError as error:
            drawn.append({"figure": name, "files": [], "caption": f"not drawn: {error}"})
            continue
        paths = [folder / f"{file}.{end}" for end in formats]
        if anew or not all(path.exists() for path in paths):
            draw(folder / file, picture, formats=formats)
        drawn.append({"figure": name, "files": [str(path) for path in paths], "caption": picture.caption})
    return drawn


def draw(stem: Path, picture: Chart, *, formats: Sequence[str], width: float | None = None) -> list[Path]:
    """Draw a picture as files of these formats, called `stem` but for their ends."""
    from xbar_cli.figures.saving import save
    from xbar_cli.pictures.painting import paint

    stem.parent.mkdir(parents=True, exist_ok=True)
    return save(paint(picture, width=width), stem, formats=formats, caption=picture.caption)
