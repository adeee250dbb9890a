"""Fitting the separable surrogate of a 1T-1R cell to its SPICE table, and measuring its error off the table's grid."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from .transistor import Separable

Vector = NDArray[np.float64]
DEGREES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
"""Degrees of the voltage polynomials that are tried."""


@dataclass(frozen=True)
class Samples:
    """Values of the current [A] (or power [W]) at conductances × voltages, and at v = 0.

    Attributes:
        g: memristor conductances [S], ascending.
        v: input voltages above 0 [V], ascending.
        value: [g v].
        value_at_zero: [g].
    """

    g: Vector
    v: Vector
    value: NDArray[np.float64]
    value_at_zero: Vector


@dataclass(frozen=True)
class Fit:
    """A surrogate in float64 NumPy: splines over conductance, Chebyshev polynomials over voltage."""

    base: CubicSpline
    factors: CubicSpline
    polynomials: NDArray[np.float64]
    v_max: float

    def on_grid(self, g: Vector, v: Vector) -> NDArray[np.float64]:
        """Its values [g v] at g × v."""
        voltage = v * chebyshev.chebval(2 * v / self.v_max - 1, self.polynomials.T)
        return self.base(g)[:, None] + (g[:, None] * self.factors(g)) @ voltage

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The fields of a `Separable`, as NumPy arrays."""
        spacing = self.base.x[1] - self.base.x[0]
        powers = spacing ** np.array([3.0, 2.0, 1.0, 0.0])
        return {
            "g_knots": self.base.x,
            "base": self.base.c * powers[:, None],
            "factors": self.factors.c * powers[:, None, None],
            "polynomials": self.polynomials,
            "v_max": np.asarray(self.v_max),
        }

    def to_jax(self) -> Separable:
        """The same surrogate as a pytree of float64 JAX arrays."""
        with jax.enable_x64(True):
            return Separable(**{name: jnp.asarray(array) for name, array in self.arrays().items()})


def fit_separable(table: Samples, *, rank: int, degree: int) -> Fit:
    """The surrogate of rank at most `rank` with voltage polynomials of degree `degree`.

    The ratio `(value − value_at_zero) / (g v)`, of order one, is projected on Chebyshev polynomials of v by least squares
    and split by singular values, so that the error is a relative one at every point.

    Args:
        table: the SPICE table; its conductances evenly spaced.
        rank: number K of products.
        degree: degree of the polynomials, below the number of voltages.

    References:
        Eckart and Young (1936): the truncated singular value decomposition is the best approximation of a given rank.
    """
    ratio = (table.value - table.value_at_zero[:, None]) / (table.g[:, None] * table.v)
    v_max = float(table.v[-1])
    orthonormal, triangle = np.linalg.qr(chebyshev.chebvander(2 * table.v / v_max - 1, degree))
    left, singular, right = np.linalg.svd(ratio @ orthonormal, full_matrices=False)
    rank = min(rank, singular.size)
    polynomials = np.linalg.solve(triangle, right[:rank].T).T
    scale = np.abs(polynomials).max(axis=1)
    return Fit(
        base=CubicSpline(table.g, table.value_at_zero),
        factors=CubicSpline(table.g, left[:, :rank] * (singular[:rank] * scale)),
        polynomials=polynomials / scale[:, None],
        v_max=v_max,
    )


@dataclass(frozen=True)
class Certificate:
    """Measured error on points between the table's: relative (max and rms), and of full scale (max)."""

    max_error: float
    rms_error: float
    full_scale_error: float


def certify(fit: Fit, fresh: Samples) -> Certificate:
    """The error of `fit` at freshly simulated points."""
    difference = np.abs(fit.on_grid(fresh.g, fresh.v) - fresh.value)
    relative = difference / np.abs(fresh.value)
    return Certificate(
        max_error=float(relative.max()),
        rms_error=float(np.sqrt(np.mean(relative**2))),
        full_scale_error=float(difference.max() / np.abs(fresh.value).max()),
    )


def choose_surrogate(table: Samples, fresh: Samples, *, error: float, max_rank: int) -> tuple[Fit, Certificate]:
    """The surrogate of the smallest rank, then degree, whose certificate on `fresh` keeps to `error`.

    Returns:
        The surrogate and its certificate; where no rank up to `max_rank` reaches `error`, the best: the caller judges.
    """
    degrees = [degree for degree in DEGREES if degree < table.v.size - 1]
    best: tuple[Fit, Certificate] | None = None
    for rank in range(1, max_rank + 1):
        fit = fit_separable(table, rank=rank, degree=degrees[-1])
        certificate = certify(fit, fresh)
        if best is None or certificate.max_error < best[1].max_error:
            best = (fit, certificate)
        if certificate.max_error > error:
            continue
        for degree in degrees:
            smaller = fit_separable(table, rank=rank, degree=degree)
            measured = certify(smaller, fresh)
            if measured.max_error <= error:
                return smaller, measured
    assert best is not None
    return best
