"""Statistics of programmed conductances: what was aimed at, what came out, how much it spreads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


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
    if arrays[0][0] < 0 or not (np.diff(arrays[0]) > 0).all():
        raise ValueError(f"target must ascend strictly from 0 S or more, got {list(target)}")
    if (arrays[2] < 0).any():
        raise ValueError(f"sigma must not be negative, got {list(sigma)}")
    return Statistics(*arrays)
