"""The linear range of a 1T-1R cell: tolerance metric, G_lo and G_cut, and weight cut-off (neat, Section II)."""

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from xbar_cli.vectors import Vector

Metric = Literal["spread", "deviation", "std"]


def tolerance_metric(g_eff: NDArray[np.float64], *, metric: Metric) -> NDArray[np.float64]:
    """How far the effective conductance departs from a constant over the input voltages, as a share of its mean.

    `spread`: (max − min) / |mean|. `deviation`: max |G_eff − mean| / |mean|. `std`: standard deviation / |mean|.

    Args:
        g_eff: effective conductance I / V_in [S], input voltages on the last axis.
        metric: which of the three.

    References:
        neat, Section II-C (tm is described, not defined; `spread` is our default).
    """
    mean = np.abs(g_eff.mean(axis=-1))  # measured noise around 0 may have a negative mean
    match metric:
        case "spread":
            return np.ptp(g_eff, axis=-1) / mean
        case "deviation":
            return np.abs(g_eff - g_eff.mean(axis=-1, keepdims=True)).max(axis=-1) / mean
        case "std":
            return g_eff.std(axis=-1) / mean


@dataclass(frozen=True)
class LinearRange:
    """Memristor conductances [S] between which the metric stays within the tolerance."""

    g_lo: float
    g_cut: float


def scale_top(usable: NDArray[np.bool_], fits: NDArray[np.bool_]) -> int:
    """The gate voltage whose linear range W_max fills, by index: the largest that has one (`usable`) and a surrogate (`fits`).

    Where there is none, the largest with a surrogate; the largest where none has one.
    """
    for candidates in (usable & fits, fits):
        if candidates.any():
            return int(np.flatnonzero(candidates)[-1])
    return usable.size - 1


def linear_range(g: Vector, tm: Vector, *, tolerance: float, g_off: float, g_on: float) -> LinearRange | None:
    """The widest interval inside [g_off, g_on] on which `tm` is at most `tolerance`; None where there is none.

    Args:
        g: memristor conductances of the table [S], ascending, reaching beyond g_off and g_on.
        tm: tolerance metric at each.
        tolerance: its bound.
        g_off: conductance of the high-resistance state [S].
        g_on: conductance of the low-resistance state [S].

    Accuracy:
        tm is interpolated by a cubic spline; its crossings are roots of the spline.
    """
    spline = scipy.interpolate.CubicSpline(g, tm - tolerance)
    roots = spline.roots(extrapolate=False)
    edges = np.concatenate([[g_off], np.sort(roots[(roots > g_off) & (roots < g_on)]), [g_on]])
    best: LinearRange | None = None
    for low, high in itertools.pairwise(edges):
        inside = spline(0.5 * (low + high)) <= 0
        if inside and (best is None or high - low > best.g_cut - best.g_lo):
            best = LinearRange(g_lo=float(low), g_cut=float(high))
    return best
