"""Statistics from measurements: a CSV of target and measured conductances becomes a table or a smooth curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int

from xbar_cli.device.fitting.columns import COLUMNS, column, device_place, read_table
from xbar_cli.device.statistics import SAME, Statistics, check_conductances, span, statistics
from xbar_cli.errors import ConfigError

SLIP = 100.0
"""Medians of the two columns further apart than this are of different units."""


class Measurements(NamedTuple):
    """Target and measured conductances [S], and the number of the device of each; None where the file does not say."""

    target: Float[np.ndarray, " n"]
    measured: Float[np.ndarray, " n"]
    device: Int[np.ndarray, " n"] | None


def read_measurements(path: str | Path) -> Measurements:
    """Read a CSV whose first line names the columns `target_siemens` and `measured_siemens`, or the same in another unit.

    A column `device` says which device a line is of; others are left out.

    Args:
        path: the file. Empty lines and lines that begin with # are skipped.

    Raises:
        ConfigError: with file and line, for a missing file, column or value, a unit that is not known, or a value that is no
            finite conductance; with both ranges, for columns of another unit or sign.
    """
    path = Path(path)
    table = read_table(path, wanted=", ".join(COLUMNS))
    columns = [column(table.header, kind, where=table.where) for kind in ("target", "measured")]
    target, measured = (table.siemens(found) for found in columns)
    _check_columns(target, measured, [found.name for found in columns], where=str(path))
    place = device_place(table.header)
    return Measurements(target, measured, None if place is None else table.named(place)[1])


def _check_columns(target: np.ndarray, measured: np.ndarray, names: Sequence[str], *, where: str) -> None:
    """Refuse columns that are no conductances, or not of the same devices: a slip of unit or sign."""
    first, second = names
    for name, values in zip(names, (target, measured), strict=True):
        check_conductances(values, where=where, column=name)
    if target.min() < 0:
        raise ConfigError(f"{where}: {first} spans {span(target)}; a conductance is 0 or more")
    if np.median(measured) < 0:
        raise ConfigError(f"{where}: {second} spans {span(measured)}, most of it below 0: turn the sign")
    middles = np.median(target), np.median(measured)
    if min(middles) > 0 and max(middles) > SLIP * min(middles):
        raise ConfigError(
            f"{where}: {first} spans {span(target)} and {second} {span(measured)}: one of them is in another unit"
        )


def fit_states(target: Float[np.ndarray, " n"], measured: Float[np.ndarray, " n"], *, min_count: int) -> Statistics:
    """Mean and standard deviation (n − 1) of every distinct target: a table for `variation.per_state`.

    Targets that differ by less than a millionth of themselves are one state.

    Args:
        target: target conductances [S].
        measured: measured conductances [S].
        min_count: measurements that a state needs, at least 2.

    Raises:
        ConfigError: fewer than two states, a state with fewer measurements, or a negative target.
    """
    if min_count < 2:
        raise ValueError(f"min_count must be at least 2, got {min_count}")
    states, index = distinct(target)
    count = np.bincount(index)
    if count.min() < min_count:
        state = states[int(count.argmin())]
        raise ConfigError(
            f"state {state:.6g} S has {count.min()} measurement(s), a table needs {min_count}: fit a smooth curve"
        )
    groups = [measured[index == state] for state in range(states.size)]
    return _checked(states, np.array([x.mean() for x in groups]), np.array([x.std(ddof=1) for x in groups]))


def distinct(target: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " states"], np.ndarray]:
    """The distinct targets, ascending, and which of them each is; neighbours within a millionth count as one, their median."""
    order = np.argsort(target, kind="stable")
    ascending = target[order]
    group = np.concatenate([[0], np.cumsum(np.diff(ascending) > SAME * np.abs(ascending[1:]))])
    index = np.empty(target.size, int)
    index[order] = group
    return np.array([np.median(ascending[group == n]) for n in range(group[-1] + 1)]), index


def fit_smooth(
    target: Float[np.ndarray, " n"], measured: Float[np.ndarray, " n"], *, degree: int, knots: int
) -> Statistics:
    """Mean and variance as polynomials of the target by least squares, read off at equidistant knots.

    The mean is fitted to the measurements and the variance to the squared residuals, in Bernstein polynomials with
    coefficients of 0 or more, so that it is nowhere negative; the curve is for `variation.smooth`.

    Args:
        target: target conductances [S].
        measured: measured conductances [S].
        degree: degree of both polynomials.
        knots: number of knots, at least 2.

    Raises:
        ConfigError: too few distinct targets for the degree.
    """
    if degree < 0 or knots < 2:
        raise ValueError(f"degree must be at least 0 and knots at least 2, got {degree} and {knots}")
    targets = distinct(target)[0].size
    if targets < max(degree + 1, 2) or target.size < degree + 3:
        raise ConfigError(
            f"{target.size} measurements at {targets} targets do not determine polynomials of degree {degree}"
        )
    fit = np.polynomial.Polynomial.fit
    mean = fit(target, measured, degree)
    # Least squares shrinks the residuals by the degrees of freedom that the mean used up.
    residual = (measured - mean(target)) ** 2 * target.size / (target.size - degree - 1)
    unit = residual.mean() or 1.0
    grid = np.linspace(target.min(), target.max(), knots)
    coefficients, _ = scipy.optimize.nnls(_bernstein(target, grid, degree=degree), residual / unit)
    return _checked(grid, mean(grid), np.sqrt(unit * _bernstein(grid, grid, degree=degree) @ coefficients))


def _bernstein(x: np.ndarray, span: np.ndarray, *, degree: int) -> np.ndarray:
    """Bernstein polynomials of a degree at `x` on the range of `span`: [x degree + 1], none negative there."""
    t = ((x - span[0]) / (span[-1] - span[0]))[:, None]
    k = np.arange(degree + 1)
    return scipy.special.comb(degree, k) * t**k * (1 - t) ** (degree - k)


def _checked(target: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> Statistics:
    try:
        return statistics(target.tolist(), mean.tolist(), sigma.tolist())
    except ValueError as error:
        raise ConfigError(f"the measurements give no usable statistics: {error}") from error
