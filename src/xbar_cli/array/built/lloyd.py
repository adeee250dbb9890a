"""Thresholds and levels that err least on what is to be converted."""

import numpy as np
from numpy.typing import NDArray

Sorted = NDArray[np.float64]


def lloyd_max(values: Sorted, weights: Sorted, *, count: int, rounds: int = 5000) -> tuple[Sorted, Sorted]:
    """The `count` levels of least mean squared error, and the thresholds midway between them.

    Levels are the means of what lies between their thresholds, over and over. The first thresholds are those of the density
    to the power 1/3, the best of many levels (Panter and Dite), so that none is left without values. A level of no value
    stands midway between its thresholds.

    Args:
        values: in ascending order.
        weights: how often each is there.
        count: of levels.
        rounds: at most; it ends when no threshold moves by more than 1e-9 of the span.

    References:
        Lloyd, Least squares quantization in PCM, IEEE Trans. Inf. Theory 28 (1982) 129; Max, IRE Trans. Inf. Theory 6 (1960)
        7; Panter and Dite, Proc. IRE 39 (1951) 44.
    """
    span = values[-1] - values[0]
    thresholds = companded(values, weights, count=count)
    mass = np.concatenate([[0.0], np.cumsum(weights)])
    moment = np.concatenate([[0.0], np.cumsum(weights * values)])
    while True:
        levels = means(values, mass, moment, thresholds)
        moved = (levels[1:] + levels[:-1]) / 2
        rounds -= 1
        if rounds == 0 or np.abs(moved - thresholds).max(initial=0) <= 1e-9 * span:
            return moved, levels
        thresholds = moved


def means(values: Sorted, mass: Sorted, moment: Sorted, thresholds: Sorted) -> Sorted:
    """Mean of the values between thresholds, from running sums of weights and moments; the middle where there are none."""
    ends = np.concatenate([[0], np.searchsorted(values, thresholds), [len(values)]])
    within, moments = np.diff(mass[ends]), np.diff(moment[ends])
    edges = np.concatenate([values[:1], thresholds, values[-1:]])
    middle = (edges[1:] + edges[:-1]) / 2
    return np.where(within > 0, moments / np.where(within > 0, within, 1), middle)


def companded(values: Sorted, weights: Sorted, *, count: int) -> Sorted:
    """Thresholds that part the density to the power 1/3 into `count` equal shares."""
    parts = min(len(values), 16 * count)
    counts, edges = np.histogram(values, bins=parts, weights=weights)
    run = np.concatenate([[0.0], np.cumsum(np.cbrt(counts))])
    return np.interp(run[-1] * np.arange(1, count) / count, run, edges)
