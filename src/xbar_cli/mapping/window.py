"""Weights on the effective conductance of 1T-1R cells: scale, cut-off and programming (neat, II-B to III, eq. 3).

`|w|` is linear in the cell's effective conductance: `Ḡ = Ḡ_bottom(V_g) + |w| · slope`, with one slope for all gate
voltages, `slope = (Ḡ_top − Ḡ_bottom) / W_max`, taken at the largest gate voltage that has a linear range. Programming inverts the
monotone curve `G → Ḡ` of the layer's own gate voltage. Ḡ is what the rows will read: the mean over the input voltages, or the
conductance at the one voltage of bit-serial and pulse-width inputs (`volt`, see `Cell.effective`).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbar_cli.device import linear_range
from xbar_cli.device.cell import Cell
from xbar_cli.errors import ModelError

MapTarget = Literal["effective", "memristor"]


@dataclass(frozen=True)
class Window:
    """The scale of one layer.

    Attributes:
        bottom: effective conductance of a zero weight [S].
        slope: effective conductance per unit of weight [S].
        w_cut: largest |w| inside the linear range.
    """

    bottom: float
    slope: float
    w_cut: float


def cell_window(cell: Cell, *, vg: float, w_max: float, volt: float | None) -> Window:
    """The scale of a layer of 1T-1R cells at gate voltage `vg` [V], read at `volt` [V] (None: at all input voltages).

    `W_cut = W_max (Ḡ(G_cut; V_g) − Ḡ_bottom(V_g)) / (Ḡ_top − Ḡ_bottom)`. Where a gate voltage has no linear range the weights
    span G_off … G_on there: `require_range` tells.
    """
    index = cell.index(vg)
    bottom, span = _span(cell, index, volt)
    slope = _span(cell, scale_top(cell), volt)[1] / w_max
    return Window(bottom=bottom, slope=slope, w_cut=span / slope)


def scale_top(cell: Cell) -> int:
    """The gate voltage whose linear range W_max fills, by index: `linear_range.scale_top`."""
    fits = np.array([index not in cell.marked for index in range(len(cell.vg))])
    return linear_range.scale_top(np.isfinite(cell.g_cut), fits)


def _span(cell: Cell, index: int, volt: float | None) -> tuple[float, float]:
    """Effective conductance of the lower edge [S], and from there to the upper one."""
    low, high = cell.effective(index, np.array(cell.edges(index)), volt=volt)
    return float(low), float(high - low)


def require_range(cell: Cell, vg: float) -> None:
    """Raise ModelError unless the cell has a linear range at `vg` [V], and one that is not empty where the scale has its top."""
    usable = ", ".join(f"{v:g}" for i, v in enumerate(cell.vg) if cell.is_usable(i)) or "none"
    for index in (cell.index(vg), scale_top(cell)):
        if not cell.has_range(index) or _span(cell, index, None)[1] <= 0:
            raise ModelError(
                f"the cell has no linear range at V_g {cell.vg[index]:g} V, and neat needs one; usable: {usable} V"
            )


class Programmed(NamedTuple):
    """Memristor conductances [S], and the share of them that were wanted beyond what memristors reach."""

    g: NDArray[np.float64]
    beyond: float


def program(cell: Cell, g_eff: NDArray[np.float64], *, vg: float, target: MapTarget, volt: float | None) -> Programmed:
    """Memristor conductances for wanted effective conductances `g_eff` [S] at gate voltage `vg` [V].

    Args:
        cell: the characterised cell.
        g_eff: wanted effective conductances; beyond what g_on gives they saturate at g_on.
        vg: gate voltage of the layer.
        target: `effective` inverts the cell's curve; `memristor` programs the memristor itself to `g_eff` (the error
            that this makes grows with V_g: 2.2 % at 0.8 V, 3.5 % at 1.0 V for the `lp` cell).
        volt: the one voltage of driven rows [V]; None where rows see all input voltages.
    """
    index, ends = cell.index(vg), np.array([cell.g_off, cell.g_on])
    if target == "memristor":
        g, (low, high) = np.clip(g_eff, *ends), ends
    else:
        g, (low, high) = cell.memristor(index, g_eff, volt=volt), cell.effective(index, ends, volt=volt)
    # an end must not count as beyond because of the last bits of a float32 weight
    slack = 1e-6 * (high - low)
    return Programmed(g, float(np.mean((g_eff < low - slack) | (g_eff > high + slack))))
