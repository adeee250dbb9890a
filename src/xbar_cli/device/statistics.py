"""Statistics of programmed conductances: what was aimed at, what came out, how much it spreads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from xbar_cli.errors import ConfigError

SAME = 1e-6
"""Conductances this close, relatively, are one: the last bits of single precision, or of a number written to six digits."""
LARGEST_SIEMENS = 1.0
"""No memristive device conducts more: a larger number is of another unit."""
FACTOR = 10.0
"""Means and spreads beyond so many times the largest conductance in use are of another unit."""


def span(values: np.ndarray) -> str:
    """`lowest … highest S` of some conductances."""
    return f"{np.min(values):.4g} … {np.max(values):.4g} S"


def slip(values: np.ndarray, *, low: float, high: float) -> str:
    """What may have happened to conductances that should lie about low … high [S]; empty where nothing explains them."""
    readings = {
        "microsiemens": values * 1e-6,
        "millisiemens": values * 1e-3,
        "nanosiemens": values * 1e-9,
        "ohm": 1 / np.where(values > 0, values, np.inf),
    }
    fitting = [unit for unit, read in readings.items() if low / FACTOR <= float(np.median(read)) <= high * FACTOR]
    return f" (are they {' or '.join(fitting)}?)" if fitting else ""


def check_conductances(values: np.ndarray, *, where: str, column: str) -> None:
    """Raise ConfigError for a column with values above 1 S: these are no conductances of memristive devices."""
    if np.max(np.abs(values)) > LARGEST_SIEMENS:
        hint = slip(np.abs(values), low=1e-6, high=1e-3)
        raise ConfigError(
            f"{where}: {column} spans {span(values)}, and no device conducts more than {LARGEST_SIEMENS:g} S{hint}"
        )


def check_apart(values: np.ndarray, *, g_off: float, g_on: float, where: str, column: str) -> None:
    """Raise ConfigError for conductances that, 0 aside, all lie above or below the devices' G_off … G_on [S]."""
    present = values[values > 0]
    if not present.size or present.max() < g_off * (1 - SAME) or present.min() > g_on * (1 + SAME):
        hint = slip(present, low=g_off, high=g_on) if present.size else ""
        raise ConfigError(
            f"{where}: {column} spans {span(values)}, and the devices lie at {g_off:.4g} … {g_on:.4g} S{hint}"
        )


class Statistics(NamedTuple):
    """Target, mean and standard deviation [S] at ascending targets: states of a table, or knots of a curve."""

    target: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray


def statistics(target: Sequence[float], mean: Sequence[float], sigma: Sequence[float]) -> Statistics:
    """Checked statistics in float64.

    Args:
        target: nominal conductances, strictly ascending [S].
        mean: mean conductances that were reached [S].
        sigma: their standard deviations [S].

    Raises:
        ValueError: unless the three have one length of at least 2, targets ascend strictly from 0 or more, and spreads
            are finite and not negative.
    """
    arrays = [np.asarray(values, np.float64) for values in (target, mean, sigma)]
    lengths = [array.shape for array in arrays]
    if len(set(lengths)) != 1 or arrays[0].ndim != 1 or arrays[0].size < 2:
        raise ValueError(f"target, mean and sigma must be lists of one length of at least 2, got shapes {lengths}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("target, mean and sigma must be finite")
    if arrays[0][0] < 0 or not (np.diff(arrays[0]) > SAME * arrays[0][1:]).all():
        raise ValueError(f"target must ascend from 0 S or more by more than {SAME:g} of itself, got {list(target)}")
    if (arrays[2] < 0).any():
        raise ValueError(f"sigma must not be negative, got {list(sigma)}")
    return Statistics(*arrays)


def fit_for(found: Statistics, *, g_off: float, g_on: float, where: str) -> str | None:
    """Whether statistics can be of devices between G_off and G_on [S], else ConfigError; a remark where they cover a part."""
    check_apart(found.target, g_off=g_off, g_on=g_on, where=where, column="target_siemens")
    for column in ("mean", "sigma"):
        values = getattr(found, column)
        if np.max(np.abs(values)) > FACTOR * g_on:
            hint = slip(np.abs(values), low=g_off if column == "mean" else g_off / 100, high=g_on)
            raise ConfigError(
                f"{where}: {column}_siemens spans {span(values)}, and the devices lie at {g_off:.4g} … {g_on:.4g} S{hint}"
            )
    margin = 0.05 * (g_on - g_off)
    if found.target[0] > g_off + margin or found.target[-1] < g_on - margin:
        return (
            f"{where}: target_siemens spans {span(found.target)}, the devices {g_off:.4g} … {g_on:.4g} S: those beyond take "
            "the statistics of its ends"
        )
    return None
