"""A characterised 1T-1R cell: its surrogates, linear ranges and effective conductance at each gate voltage."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from numpy.typing import NDArray

from xbar_cli.errors import ModelError
from xbar_cli.vectors import Vector

from .transistor import BitLineSeparable, Separable

_DENSE = 20_001


@dataclass(frozen=True)
class Sampled:
    """Transistors of a cell that were simulated with thresholds drawn from a normal distribution.

    Attributes:
        sigma: its standard deviation [V].
        shift: of every sample's threshold [V].
        g: memristor conductances [S].
        effective: mean effective conductance [vg sample g] [S].
    """

    sigma: float
    shift: Vector
    g: Vector
    effective: NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """A cell at every gate voltage of its table.

    Attributes:
        vg: gate voltages [V], ascending.
        g: memristor conductances of the table [S], ascending.
        vin: input voltages that G_eff is averaged over [V], ascending, none near 0; the last is the largest row voltage, V_dd.
        width_m: width of the transistor [m].
        length_m: its length [m].
        g_off: conductance of the high-resistance state [S].
        g_on: conductance of the low-resistance state [S].
        mean_effective: mean of I / V_in over the input voltages [vg g] [S].
        g_lo: lower edge of the linear range at each gate voltage [S]; NaN where there is no range.
        g_cut: its upper edge [S]; NaN where there is no range.
        current: surrogate of the current into the bit line [A] at each gate voltage.
        power: surrogate of the power drawn from input and gate [W] at each gate voltage.
        bit_line: surrogate of the current into a bit line that is not at 0 V [A]; None where the table has no such axis.
        marked: gate voltages, by number, without a surrogate that keeps to its error: `index` refuses them.
        sampled: transistors that differ; None where none were simulated.
    """

    vg: Vector
    g: Vector
    vin: Vector
    width_m: float
    length_m: float
    g_off: float
    g_on: float
    mean_effective: NDArray[np.float64]
    g_lo: Vector
    g_cut: Vector
    current: tuple[Separable, ...]
    power: tuple[Separable, ...]
    bit_line: tuple[BitLineSeparable, ...] | None = None
    marked: frozenset[int] = frozenset()
    sampled: Sampled | None = None

    @property
    def v_max(self) -> float:
        """Largest row voltage, V_dd [V]."""
        return float(self.vin[-1])

    def index(self, vg: float) -> int:
        """Position of a gate voltage in the table. Raises ModelError where it is not in it, or has no surrogate."""
        nearest = int(np.argmin(np.abs(self.vg - vg)))
        if not np.isclose(self.vg[nearest], vg, rtol=0, atol=1e-6):
            known = ", ".join(f"{v:g}" for v in self.vg)
            raise ModelError(f"gate voltage {vg:g} V is not in the cell's table ({known} V); characterize it there")
        if nearest in self.marked:
            known = ", ".join(f"{v:g}" for i, v in enumerate(self.vg) if i not in self.marked)
            raise ModelError(
                f"the cell has no surrogate at V_g {self.vg[nearest]:g} V: none kept to its error when it was "
                f"characterized; usable: {known} V"
            )
        return nearest

    def effective(self, index: int, g: NDArray[np.float64], *, volt: float | None) -> NDArray[np.float64]:
        """Effective conductance [S] of memristor conductances `g` [S] at gate voltage number `index`.

        Rows that see every input voltage read its mean over them, `mean_V I(G, V) / V`; rows that see one voltage or none read
        `(I(G, volt) − I(G, 0)) / volt`, of which the bit line gets as many as there are driven rows, exactly.

        Args:
            index: number of the gate voltage.
            g: memristor conductances [S].
            volt: the one voltage of driven rows [V], in the table's range; None where rows see all of them.
        """
        if volt is None:
            return scipy.interpolate.CubicSpline(self.g, self.mean_effective[index])(g)
        with jax.enable_x64(True):
            current = self.current[index].astype(jnp.float64)
            values = current.in_g(jnp.asarray(g, jnp.float64)) @ current.in_v(jnp.asarray([volt], jnp.float64))[0]
            return np.asarray(values / volt)

    def memristor(self, index: int, g_eff: NDArray[np.float64], *, volt: float | None) -> NDArray[np.float64]:
        """The memristor conductance [S] in [g_off, g_on] that has the effective conductance `g_eff` [S]: see `effective`.

        Accuracy:
            inverts the curve on a grid of 20 001 conductances: relative error below 1e-7; values outside the curve give
            its ends.
        """
        grid = np.linspace(self.g_off, self.g_on, _DENSE)
        curve = self.effective(index, grid, volt=volt)
        if np.any(np.diff(curve) <= 0):
            raise ModelError(
                f"at V_g {self.vg[index]:g} V the effective conductance does not grow with the memristor's"
            )
        return np.interp(g_eff, curve, grid)

    def has_range(self, index: int) -> bool:
        """Whether there is a linear range at gate voltage number `index`."""
        return bool(np.isfinite(self.g_cut[index]))

    def is_usable(self, index: int) -> bool:
        """Whether gate voltage number `index` has a linear range and a surrogate."""
        return self.has_range(index) and index not in self.marked

    def edges(self, index: int) -> tuple[float, float]:
        """The conductances that weights span at gate voltage number `index`: the linear range, else g_off and g_on [S]."""
        if self.has_range(index):
            return float(self.g_lo[index]), float(self.g_cut[index])
        return self.g_off, self.g_on
