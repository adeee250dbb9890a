"""Whether what an item expects and draws is there to be had of its stages and grid: one line where it is not."""

from collections.abc import Sequence

from xbar_cli.config.base import require
from xbar_cli.experiment.file import Experiment
from xbar_cli.experiment.grid import Point
from xbar_cli.outside import quoted
from xbar_cli.reproduce.sections import Compared, ItemSection, Plot, Preset
from xbar_cli.reproduce.selection import check_key, check_pick, matching, require_stage, swept_keys


def check_item(about: ItemSection, experiment: Experiment, points: Sequence[Point], *, preset: Preset) -> None:
    """Raise ConfigError, with the file and the key, for a selection that the grid of this size does not have."""
    file = f"{experiment.file}: reproduce"
    for number, expect in enumerate(about.expect):
        if preset in expect.presets:
            check_compared(expect, experiment, points, where=f"{file}.expect.{number} ({preset})")
    for number, plot in enumerate(about.plot):
        check_plot(plot, experiment, points, where=f"{file}.plot.{number} ({preset})")
    for number, picture in enumerate(about.picture):
        where = f"{file}.picture.{number} ({preset})"
        require_stage(picture.stage, experiment, where=where)
        require(bool(matching(points, picture.where)), f"{where}: where: no point has all of these values")


def check_compared(
    found: Compared, experiment: Experiment, points: Sequence[Point], *, where: str, single: bool = True
) -> None:
    """The same of figures and those that they are compared with."""
    check_pick(found, experiment, points, where=where, single=single)
    for name in ("minus", "over"):
        other = found.other(name)
        if other is not None:
            check_pick(other, experiment, points, where=f"{where}.{name}", single=single)


def check_plot(plot: Plot, experiment: Experiment, points: Sequence[Point], *, where: str) -> None:
    """The same of the lines of a plot and its axis."""
    if plot.x is not None and not swept_keys(plot.x, points[0].values):
        stage = plot.x.partition(".")[0]
        swept = ", ".join(points[0].values) or "none"
        require(
            "." in plot.x and stage in experiment.stages,
            f"{where}: x = {quoted(plot.x)} is neither swept nor STAGE.LIST; swept are {swept}",
        )
    for number, line in enumerate(plot.line):
        here = f"{where}.line.{number}"
        check_compared(line, experiment, points, where=here, single=False)
        if line.by is not None:
            check_key(line.by, points, where=f"{here}: by")
