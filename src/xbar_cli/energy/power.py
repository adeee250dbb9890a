"""Mean power of the cells of a layer from its conductances and its activity."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from xbar_cli.chip.activity import LayerActivity
from xbar_cli.device.transistor import Separable
from xbar_cli.energy.activity import Coding

STEPS = 511
"""Of a table over the conductances of a layer, linear between: the power of cells is smooth in conductance."""
BLOCK = 1 << 16
"""Cells that are counted at once: what fits a processor's cache."""


def layer_watt(g: NDArray[np.float32], activity: LayerActivity, *, coding: Coding, name: str, phases: int) -> float:
    """Mean power of all cells of a layer [W], summed over the phases and pulses of one read.

    A pulse narrower than a whole one counts by its width: the power is that of the read's time. Conductances `g` [S] are those of
    resistive cells, or of the memristors of 1T-1R cells, an idle row of which still draws its power at V = 0, in both phases.

    Accuracy:
        exact in the mean for resistive cells (V² G) and for separable powers, to float rounding and 1e-6 for the table of
        cells.
    """
    driven = activity.driven(coding.kind, coding.bits)
    power = coding.powers.get(name)
    if power is None:
        return coding.volt**2 * float(g.sum(axis=1, dtype=np.float64) @ driven)
    factors, idle = row_factors(power, g)
    rest = phases * coding.cycles * idle
    weights = voltage_factors(power)
    if coding.single:  # rows are at the one voltage, or idle
        return float(driven @ factors @ at_voltage(power, weights, coding.volt)) + rest
    return float(np.sum(factors @ weights * activity.moments[:, : weights.shape[1]])) + rest


def at_voltage(power: Separable, weights: NDArray[np.float64], volt: float) -> NDArray[np.float64]:
    """The voltage factors at one voltage [rank]: `Σ_n weights_n f T_n(2f − 1)`, f = V / V_max."""
    f = volt / float(power.v_max)
    return f * np.asarray(chebyshev.chebval(2 * f - 1, weights.T), np.float64)


def voltage_factors(power: Separable) -> NDArray[np.float64]:
    """The voltage factors b_k(V) in terms of `f T_n(2f − 1)`, f = V / V_max [rank orders] [V]."""
    low, high = float(power.v_min), float(power.v_max)
    coefficients = np.asarray(power.polynomials, np.float64)
    points = chebyshev.chebpts1(coefficients.shape[1])
    v = high * (points + 1) / 2
    values = chebyshev.chebval((2 * v - high - low) / (high - low), coefficients.T)
    return np.asarray(high * chebyshev.chebfit(points, values.T, len(points) - 1).T, np.float64)


def row_factors(power: Separable, g: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Sums of the conductance factors a_k(g) over each row [rows rank], and of the power at V = 0 over all cells [W].

    Cells are counted by step of a table, not looked up in it: for each row and step their number, and how far into the step
    they are in sum.
    """
    low, high = float(g.min()), float(g.max())
    grid = np.linspace(low, high if high > low else low + (low or 1.0) * 1e-6, STEPS + 1)
    table = np.asarray(_table(power, jnp.asarray(grid, jnp.float32)), np.float64).T
    table = np.concatenate([table, table[-1:]])  # the largest conductance begins a step of its own
    ends, slopes = table[:-1], np.diff(table, axis=0)
    scale = np.float32(STEPS / (grid[-1] - low))
    sums = np.empty((len(g), ends.shape[1]))
    rows = max(1, BLOCK // g.shape[1])
    for top in range(0, len(g), rows):
        place = (g[top : top + rows] - np.float32(low)) * scale
        step = place.astype(np.intp)
        place -= step
        step += len(ends) * np.arange(len(place))[:, None]
        counts = np.bincount(step.ravel(), minlength=len(place) * len(ends)).reshape(len(place), -1)
        inside = np.bincount(step.ravel(), place.ravel(), minlength=len(place) * len(ends)).reshape(len(place), -1)
        sums[top : top + rows] = counts @ ends + inside @ slopes
    return sums[:, :-1], float(sums[:, -1].sum())


@jax.jit
def _table(power: Separable, g: Float[jax.Array, " points"]) -> Float[jax.Array, "values points"]:
    """The conductance factors and the power at V = 0."""
    same = power.astype(g.dtype)
    return jnp.concatenate([same.in_g(g).T, same.at_zero(g)[None]])
