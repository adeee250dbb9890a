"""The surrogate of a cell on a bit line that is not at 0 V: fit and certificate over conductance, input and bit line."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from xbar_cli.vectors import Vector

from .surrogate import NEGLIGIBLE, Certificate, Knots, Values, measured, smallest, split, stable_degrees, unit
from .transistor import BitLineSeparable

Cube = NDArray[np.floating[Any]]
LINE_ORDERS = 9
"""Most coefficients over the bit line's voltage."""


@dataclass(frozen=True)
class LineSamples:
    """Currents [A] at bit-line voltages × conductances × input voltages.

    Attributes:
        u: bit-line voltages [V], ascending.
        g: memristor conductances [S], ascending.
        v: input voltages [V], ascending.
        value: [u g v].
        at_rest: current at v = u, [u g].
        v_floor: below this |v − u| an error counts relative to the signal at it [V].
        knots: of the surrogate's cubics.
    """

    u: Vector
    g: Vector
    v: Vector
    value: Cube
    at_rest: Values
    v_floor: float
    knots: Knots

    def floor(self) -> Cube:
        """What errors are relative to at least, [1 g 1]: the mean signal at the smallest |v − u| not below v_floor."""
        drop = np.abs(self.v - self.u[:, None])
        size = np.where(drop >= self.v_floor * (1 - 1e-9), drop, np.inf)
        nearest = np.isclose(size, size.min(), rtol=1e-6, atol=0)
        signal = np.abs(self.value - self.at_rest[:, :, None]).transpose(1, 0, 2)
        return signal[:, nearest].mean(axis=1)[None, :, None]


@dataclass(frozen=True)
class LineFit:
    """A surrogate in float64 NumPy: splines over conductance, Chebyshev polynomials over both voltages."""

    knots: Knots
    base: "scipy.interpolate.CubicSpline"
    factors: "scipy.interpolate.CubicSpline"
    polynomials: Cube
    v_range: tuple[float, float]
    u_range: tuple[float, float]

    @property
    def rank(self) -> int:
        """Number of products K."""
        return self.polynomials.shape[1]

    def on_grid(self, u: Vector, g: Vector, v: Vector) -> Cube:
        """Its values [u g v] at u × g × v."""
        at = self.knots.position(g)
        lines = chebyshev.chebvander(unit(u, *self.u_range), self.polynomials.shape[0] - 1)
        inputs = chebyshev.chebvander(unit(v, *self.v_range), self.polynomials.shape[2] - 1)
        voltage = np.einsum("un,nkm,vm->ukv", lines, self.polynomials, inputs) * (v - u[:, None])[:, None, :]
        return (lines @ self.base(at).T)[:, :, None] + (g[:, None] * self.factors(at)) @ voltage

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The fields of a `BitLineSeparable` but `log_g`, as NumPy arrays."""
        limits = zip(("v_min", "v_max", "line_min", "line_max"), (*self.v_range, *self.u_range), strict=True)
        return {
            "g_knots": self.knots.g,
            "base": self.base.c,
            "factors": self.factors.c,
            "polynomials": self.polynomials,
            **{name: np.asarray(value) for name, value in limits},
        }

    def to_jax(self) -> BitLineSeparable:
        """The same surrogate as a pytree of float64 JAX arrays."""
        with jax.enable_x64(True):
            arrays = {name: jnp.asarray(array) for name, array in self.arrays().items()}
            return BitLineSeparable(**arrays, log_g=self.knots.log_g)


def fit_line(table: LineSamples, *, rank: int, degree: int) -> LineFit:
    """The surrogate of rank at most `rank` with polynomials of degree `degree` in v and one in u for each bit-line voltage.

    The ratio `(value − at_rest) / (g (v − u))`, of order one, is fitted on all u × v at once: one set of conductance
    factors serves every bit-line voltage.
    """
    v_range, u_range = (min(0.0, float(table.v[0])), float(table.v[-1])), (float(table.u[0]), float(table.u[-1]))
    orders = min(LINE_ORDERS, table.u.size)
    drop = table.v - table.u[:, None]
    weight = np.minimum(np.abs(drop) / table.v_floor, 1.0)
    used = weight > NEGLIGIBLE
    ratio = (table.value - table.at_rest[:, :, None]).transpose(1, 0, 2)[:, used] / (table.g[:, None] * drop[used])
    lines = chebyshev.chebvander(unit(table.u, *u_range), orders - 1)
    inputs = chebyshev.chebvander(unit(table.v, *v_range), degree)
    design = (lines[:, None, :, None] * inputs[None, :, None, :])[used].reshape(-1, orders * (degree + 1))
    factors, polynomials = split(ratio, design, weight[used], rank=rank)
    at_rest = np.linalg.lstsq(lines, table.at_rest, rcond=None)[0]
    return LineFit(
        knots=table.knots,
        base=table.knots.spline(table.g, at_rest.T),
        factors=table.knots.spline(table.g, factors),
        polynomials=polynomials.reshape(-1, orders, degree + 1).transpose(1, 0, 2),
        v_range=v_range,
        u_range=u_range,
    )


def certify_line(fit: LineFit, fresh: LineSamples) -> Certificate:
    """The error of `fit` at freshly simulated points, off the grid on all three axes."""
    return measured(fit.on_grid(fresh.u, fresh.g, fresh.v), fresh.value, fresh.floor())


def choose_line(table: LineSamples, fresh: LineSamples, *, error: float, max_rank: int) -> tuple[LineFit, Certificate]:
    """The surrogate of the smallest rank, then degree, whose certificate on `fresh` keeps to `error`; else the best."""

    def make(rank: int, degree: int) -> tuple[LineFit, Certificate]:
        fit = fit_line(table, rank=rank, degree=degree)
        return fit, certify_line(fit, fresh)

    return smallest(make, degrees=stable_degrees(table.v.size), error=error, max_rank=max_rank)
