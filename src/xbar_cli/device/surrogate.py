"""Fitting the separable surrogate of a 1T-1R cell to its table, and measuring its error off the table's grid."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from xbar_cli.vectors import Vector

if TYPE_CHECKING:
    import xbar_cli.device.transistor

Values = NDArray[np.floating[Any]]
DEGREES = tuple(range(2, 29))
"""Degrees of the voltage polynomials that are tried."""
NEGLIGIBLE = 1e-3
"""Points nearer to the voltage of no current than this share of `v_floor` are left out of the fit."""


@dataclass(frozen=True)
class Knots:
    """The conductances of a surrogate's cubics [S]: evenly spaced, or with `log_g` of evenly spaced logarithm."""

    g: Vector
    log_g: bool = False

    def position(self, g: Vector) -> Vector:
        """Positions of conductances, counted in knots; below the first of logarithmic knots 0."""
        if self.log_g:
            return np.log(np.maximum(g, self.g[0]) / self.g[0]) / np.log(self.g[1] / self.g[0])
        return (g - self.g[0]) / (self.g[1] - self.g[0])

    def spline(self, g: Vector, values: Values) -> "scipy.interpolate.CubicSpline":
        """The cubic spline of `values` at the conductances `g`, with segments between the knots."""
        spline = scipy.interpolate.CubicSpline(self.position(g), values)
        count = np.arange(self.g.size, dtype=np.float64)
        if g.size == count.size and np.allclose(spline.x, count, rtol=0, atol=1e-6):
            return scipy.interpolate.CubicSpline(count, values)
        return scipy.interpolate.CubicSpline(count, spline(count))


@dataclass(frozen=True)
class Samples:
    """Values of the current [A] (or power [W]) at conductances × voltages, and at v = 0.

    Attributes:
        g: memristor conductances [S], ascending.
        v: input voltages [V], ascending, the last above 0.
        value: [g v].
        value_at_zero: [g].
        v_floor: below this |v| an error counts relative to the value at it [V]; 0: every error is relative to its value.
        knots: of the surrogate's cubics; None where `g` are evenly spaced and serve themselves.
    """

    g: Vector
    v: Vector
    value: Values
    value_at_zero: Vector
    v_floor: float = 0.0
    knots: Knots | None = None

    def floor(self) -> Values:
        """What errors are relative to at least, [g 1]: the mean signal at the smallest |v| not below v_floor."""
        size = np.where(np.abs(self.v) >= self.v_floor * (1 - 1e-9), np.abs(self.v), np.inf)
        nearest = np.isclose(size, size.min(), rtol=1e-6, atol=0) & np.isfinite(size)
        return np.abs(self.value - self.value_at_zero[:, None])[:, nearest].mean(axis=1, keepdims=True)


@dataclass(frozen=True)
class Fit:
    """A surrogate in float64 NumPy: splines over conductance, Chebyshev polynomials over voltage."""

    knots: Knots
    base: "scipy.interpolate.CubicSpline"
    factors: "scipy.interpolate.CubicSpline"
    polynomials: Values
    v_min: float
    v_max: float

    @property
    def rank(self) -> int:
        """Number of products K."""
        return self.polynomials.shape[0]

    def on_grid(self, g: Vector, v: Vector) -> Values:
        """Its values [g v] at g × v."""
        voltage = v * chebyshev.chebval(unit(v, self.v_min, self.v_max), self.polynomials.T)
        at = self.knots.position(g)
        return self.base(at)[:, None] + (g[:, None] * self.factors(at)) @ voltage

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The fields of a `Separable` but `log_g`, as NumPy arrays."""
        return {
            "g_knots": self.knots.g,
            "base": self.base.c,
            "factors": self.factors.c,
            "polynomials": self.polynomials,
            "v_min": np.asarray(self.v_min),
            "v_max": np.asarray(self.v_max),
        }

    def truncated(self, rank: int) -> "Fit":
        """The same with the first `rank` products only: what fitting at that rank gives."""
        factors = scipy.interpolate.CubicSpline.construct_fast(self.factors.c[..., :rank], self.factors.x)
        return replace(self, factors=factors, polynomials=self.polynomials[:rank])

    def to_jax(self) -> "xbar_cli.device.transistor.Separable":
        """The same surrogate as a pytree of float64 JAX arrays. JAX is imported here: fitting does without."""
        import jax
        import jax.numpy as jnp

        from .transistor import Separable

        with jax.enable_x64(True):
            arrays = {name: jnp.asarray(array) for name, array in self.arrays().items()}
            return Separable(**arrays, log_g=self.knots.log_g)


def unit(v: Vector, low: float, high: float) -> Vector:
    """[low, high] to [−1, 1]."""
    return (2 * v - high - low) / (high - low)


def split(ratio: Values, design: Values, weight: Vector, *, rank: int) -> tuple[Values, Values]:
    """`ratio ≈ factors @ polynomials @ design.T`, of rank at most `rank`.

    The rows are projected on the design's columns by weighted least squares and split by singular values; each row of
    `polynomials` has 1 as its largest coefficient.

    Args:
        ratio: [g points].
        design: [points n], the polynomials' basis at the points.
        weight: [points].
        rank: number K of products.

    Returns:
        factors [g K] and polynomials [K n].

    References:
        Eckart and Young (1936): the truncated singular value decomposition is the best approximation of a given rank.
    """
    orthonormal, triangle = np.linalg.qr(design * weight[:, None])
    left, singular, right = np.linalg.svd((ratio * weight) @ orthonormal, full_matrices=False)
    rank = min(rank, singular.size)
    polynomials = np.linalg.solve(triangle, right[:rank].T).T
    scale = np.abs(polynomials).max(axis=1)
    return left[:, :rank] * (singular[:rank] * scale), polynomials / scale[:, None]


def fit_separable(table: Samples, *, rank: int, degree: int) -> Fit:
    """The surrogate of rank at most `rank` with voltage polynomials of degree `degree`.

    The ratio `(value − value_at_zero) / (g v)`, of order one, is fitted, so that the error is a relative one at every
    point (below `v_floor` one of the value at it).

    Args:
        table: the table; its conductances evenly spaced unless it names its knots.
        rank: number K of products.
        degree: degree of the polynomials, below the number of voltages.
    """
    weight = np.ones(table.v.size) if table.v_floor == 0 else np.minimum(np.abs(table.v) / table.v_floor, 1.0)
    used = (weight > NEGLIGIBLE) & (table.v != 0)
    v = table.v[used]
    ratio = (table.value[:, used] - table.value_at_zero[:, None]) / (table.g[:, None] * v)
    v_min, v_max = min(0.0, float(table.v[0])), float(table.v[-1])
    design = chebyshev.chebvander(unit(v, v_min, v_max), degree)
    factors, polynomials = split(ratio, design, weight[used], rank=rank)
    knots = table.knots or Knots(table.g)
    return Fit(
        knots=knots,
        base=knots.spline(table.g, table.value_at_zero),
        factors=knots.spline(table.g, factors),
        polynomials=polynomials,
        v_min=v_min,
        v_max=v_max,
    )


@dataclass(frozen=True)
class Certificate:
    """Measured error on points between the table's: relative (max and rms), and of full scale (max)."""

    max_error: float
    rms_error: float
    full_scale_error: float


def measured(found: Values, value: Values, floor: Values) -> Certificate:
    """The errors of `found` against `value`, relative to each value or, where that is larger, to `floor`."""
    difference = np.abs(found - value)
    relative = difference / np.maximum(np.abs(value), floor)
    return Certificate(
        max_error=float(relative.max()),
        rms_error=float(np.sqrt(np.mean(relative**2))),
        full_scale_error=float(difference.max() / np.abs(value).max()),
    )


def certify(fit: Fit, fresh: Samples) -> Certificate:
    """The error of `fit` at freshly simulated points."""
    return measured(fit.on_grid(fresh.g, fresh.v), fresh.value, fresh.floor())


def cross_validate(table: Samples, *, rank: int, degree: int, folds: int = 5) -> Certificate:
    """The error at points that were left out of the fit, for tables that nobody can simulate anew.

    Every inner conductance and every inner voltage is left out once, `folds` groups of each, and predicted from the rest.
    """
    worst: list[Certificate] = []
    knots = table.knots or Knots(table.g)
    floor = table.floor()
    for fold in range(folds):
        for name, axis in (("g", 0), ("v", 1)):
            points = np.arange(table.value.shape[axis])
            out = (points % folds == fold) & (points > 0) & (points < points.size - 1)
            if not out.any():
                continue
            rest = _taken(table, name, ~out, knots)
            fit = fit_separable(rest, rank=rank, degree=min(degree, rest.v.size - 2))
            left = _taken(table, name, out, knots)
            worst.append(measured(fit.on_grid(left.g, left.v), left.value, floor[out] if axis == 0 else floor))
    return Certificate(
        max_error=max(c.max_error for c in worst),
        rms_error=float(np.sqrt(np.mean([c.rms_error**2 for c in worst]))),
        full_scale_error=max(c.full_scale_error for c in worst),
    )


def _taken(table: Samples, name: str, keep: NDArray[np.bool_], knots: Knots) -> Samples:
    """A table of some of the conductances, or of some of the voltages."""
    if name == "g":
        return replace(
            table, g=table.g[keep], value=table.value[keep], value_at_zero=table.value_at_zero[keep], knots=knots
        )
    return replace(table, v=table.v[keep], value=table.value[:, keep], knots=knots)


def stable_degrees(points: int) -> list[int]:
    """The degrees that least squares on `points` evenly spaced voltages bears.

    References:
        Björck, Dahlquist (1974), Numerical Methods, 4.4.4: well conditioned up to a degree of about 2 √points; the
        certificate measures what a little more than that gives.
    """
    return [degree for degree in DEGREES if degree < points - 1 and degree <= 2.9 * points**0.5] or [1]


F = TypeVar("F")


def smallest(
    make: Callable[[int, int], tuple[F, Certificate]], *, degrees: Sequence[int], error: float, max_rank: int
) -> tuple[F, Certificate]:
    """The fit `make(rank, degree)` of the smallest rank, then degree, whose certificate keeps to `error`.

    Where no rank up to `max_rank` reaches it, the best with its certificate: the caller judges.
    """
    best: tuple[F, Certificate] | None = None
    for rank in range(1, max_rank + 1):
        found = make(rank, degrees[-1])
        if best is None or found[1].max_error < best[1].max_error:
            best = found
        if found[1].max_error <= error:
            smaller = (make(rank, degree) for degree in degrees[:-1])
            return next((tried for tried in smaller if tried[1].max_error <= error), found)
    assert best is not None
    return best


def choose_surrogate(table: Samples, fresh: Samples | None, *, error: float, max_rank: int) -> tuple[Fit, Certificate]:
    """The surrogate of the smallest rank, then degree, whose certificate keeps to the relative `error`; else the best.

    The certificate is measured on `fresh` points off the grid of `table`, or by cross-validation where there are none.
    """

    @functools.cache
    def whole(degree: int) -> Fit:
        return fit_separable(table, rank=max_rank, degree=degree)

    def make(rank: int, degree: int) -> tuple[Fit, Certificate]:
        fit = whole(degree).truncated(rank)
        return fit, cross_validate(table, rank=rank, degree=degree) if fresh is None else certify(fit, fresh)

    usable = table.v.size if fresh is not None else int(0.8 * table.v.size)
    return smallest(make, degrees=stable_degrees(usable), error=error, max_rank=max_rank)
