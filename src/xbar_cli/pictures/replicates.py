"""Replicates of a sweep become a mean and a spread."""

import warnings
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from xbar_cli.pictures.grid import SweepGrid, Swept
from xbar_cli.vectors import Floats


@dataclass(frozen=True)
class Estimated:
    """A figure over the axes that are left, with its spread.

    Attributes:
        axes: of the arrays.
        mean: of the replicates, or the figure itself.
        low, high: ends of bars; None where nothing is known.
        spread: what the bars are, in words.
    """

    axes: tuple[Swept, ...]
    mean: Floats
    low: Floats | None
    high: Floats | None
    spread: str


def estimated(grid: SweepGrid, figure: str, *, kept: Collection[str] = ()) -> Estimated:
    """A figure with its seeds averaged: mean and standard deviation; without any, the 95 % interval that comes with it.

    Keys in `kept` stay axes, seeds or not. Axes of one position go.
    """
    wanted = [not axis.is_seed or bool(set(axis.keys) & set(kept)) for axis in grid.axes]
    stays = [axis.size > 1 and keep for axis, keep in zip(grid.axes, wanted, strict=True)]
    axes = tuple(axis for axis, stay in zip(grid.axes, stays, strict=True) if stay)
    gone = tuple(i for i, stay in enumerate(stays) if not stay)
    replicates = int(np.prod([grid.axes[i].size for i in gone]))
    values = grid.figures[figure]
    if replicates > 1:
        return _averaged(axes, values, gone)
    squeezed = values.squeeze(gone)
    ends = [grid.figures.get(f"{figure.removesuffix('_mean')}_ci95_{end}") for end in ("low", "high")]
    low, high = (None if end is None or not np.isfinite(end).any() else end.squeeze(gone) for end in ends)
    return Estimated(axes, squeezed, low, high, "95 % interval over chips" if low is not None else "")


def _averaged(axes: tuple[Swept, ...], values: Floats, over: tuple[int, ...]) -> Estimated:
    """Mean and standard deviation over some dimensions; what failed does not count."""
    counts = np.isfinite(values).sum(axis=over)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of places where nothing is there, or one value
        mean, std = np.nanmean(values, axis=over), np.nanstd(values, axis=over, ddof=1)
    few, many = (int(end) for end in (counts.min(), counts.max()))
    n = f"{many} seeds" if few == many else f"{few} to {many} seeds"
    low, high = mean - np.nan_to_num(std), mean + np.nan_to_num(std)
    return Estimated(axes, mean, low, high, f"mean ± standard deviation of {n}")
