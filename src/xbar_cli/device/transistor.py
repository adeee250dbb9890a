"""The 1T-1R cell as a differentiable function of conductance and voltage: a separable surrogate of its SPICE table.

`value(g, v) = base(g) + Σ_k a_k(g) b_k(v)` with `a_k(g) = g · spline_k(g)` and `b_k(v) = v · polynomial_k(v)`: an array of
such cells is K matrix products, nothing is looked up for an input, and a cell without a memristor passes only `base`.
`BitLineSeparable` follows the voltage of the bit line too: `b_k(v, u) = (v − u) · polynomial_k(v, u)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from numpy.polynomial import polynomial


def cubic(
    g: Float[Array, "*shape"], knots: Float[Array, " knots"], coefficients: Float[Array, "4 segments n"], *, log_g: bool
) -> Float[Array, "*shape n"]:
    """Piecewise cubics at the conductances `g` [S]: the segment is computed, not searched.

    Args:
        g: conductances; beyond the knots the outer cubics go on, but below the first of logarithmic knots its value stays.
        knots: evenly spaced, or with `log_g` of evenly spaced logarithm [S].
        coefficients: highest power first, in (position − segment), positions counted in knots.
        log_g: how the knots are spaced.
    """
    if log_g:
        position = jnp.log(jnp.maximum(g, knots[0]) / knots[0]) / jnp.log(knots[1] / knots[0])
    else:
        position = (g - knots[0]) / (knots[1] - knots[0])
    last = coefficients.shape[1] - 1
    segment = jnp.clip(jnp.floor(jax.lax.stop_gradient(position)), 0, last).astype(jnp.int32)
    t = (position - segment.astype(position.dtype))[..., None]
    c = coefficients[:, segment]
    return ((c[0] * t + c[1]) * t + c[2]) * t + c[3]


def series(x: Float[Array, "*shape"], coefficients: Float[Array, "orders n"]) -> Float[Array, "*shape n"]:
    """Chebyshev series at `x` in [−1, 1], by the three-term recurrence.

    The polynomials are shared and the sums independent of one another; each step of Clenshaw's recurrence would wait for
    the one before.
    """
    terms = coefficients.reshape(*coefficients.shape, *(1,) * x.ndim)
    x = x[None]
    twice, before, now = 2 * x, jnp.ones_like(x), x
    total = terms[0] + jnp.zeros_like(x)
    for coefficient in terms[1:]:
        total = total + coefficient * now
        before, now = now, twice * now - before
    return jnp.moveaxis(total, 0, -1)


@cache
def parity_powers(degree: int) -> np.ndarray:
    """T_0 … T_degree as `T_n(x) = even(z) + x odd(z)`, z = 2x² − 1: [2 powers n], the highest power of z first.

    `T_2m(x) = T_m(z)` and `T_2m+1(x) = x W_m(z)`; both follow `P_m+1 = 2z P_m − P_m−1`, from 1 and z, and from 1 and 2z − 1.
    """
    table = np.zeros((2, degree // 2 + 1, degree + 1))
    for half, first in ((0, (0.0, 1.0)), (1, (-1.0, 2.0))):
        before, now = np.ones(1), np.array(first)
        for n in range(half, degree + 1, 2):
            table[half, : before.size, n] = before
            before, now = now, polynomial.polysub(2 * polynomial.polymulx(now), before)
    return table[:, ::-1].copy()


def polynomials_at(x: Float[Array, "*shape"], coefficients: Float[Array, "n orders"]) -> list[Float[Array, "*shape"]]:
    """The n Chebyshev series at `x` in [−1, 1], each an array of its own.

    Even and odd part are powers of z = 2x² − 1, by Horner's rule: one multiplication and addition for each coefficient,
    half of what a recurrence takes, and two sums that do not wait for each other. Each series is a loop of its own over
    the array; to share the T_n among them they would have to go through memory.

    Accuracy:
        powers of z magnify rounding by up to (1 + √2)^(degree/2) on the highest coefficients, which are small for smooth
        functions: the current of real cells is within 1e-6 of itself in float32, at any degree to 28.
    """
    table = jnp.asarray(parity_powers(coefficients.shape[1] - 1), coefficients.dtype)
    halves = jnp.einsum("hpn,kn->khp", table, coefficients, precision=jax.lax.Precision.HIGHEST)
    z = 2 * x * x - 1
    return [_horner(z, even) + x * _horner(z, odd) for even, odd in halves]


def _horner(z: Float[Array, "*shape"], coefficients: Float[Array, " powers"]) -> Float[Array, "*shape"]:
    """A polynomial, the highest power first."""
    total = jnp.broadcast_to(coefficients[0], z.shape)
    for coefficient in coefficients[1:]:
        total = total * z + coefficient
    return total


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Separable:
    """A function of memristor conductance [S] and input voltage [V], separated by its singular values.

    Attributes:
        g_knots: conductances of the cubics [S]: evenly spaced, or their logarithms are.
        base: cubic coefficients of the value at v = 0, highest power first, positions counted in knots.
        factors: cubic coefficients of the K conductance factors, likewise.
        polynomials: Chebyshev coefficients of the K voltage factors on [v_min, v_max].
        v_min: smallest input voltage [V], 0 or below.
        v_max: largest input voltage [V].
        log_g: whether the logarithms of the knots are evenly spaced.
    """

    g_knots: Float[Array, " knots"]
    base: Float[Array, "4 segments"]
    factors: Float[Array, "4 segments rank"]
    polynomials: Float[Array, "rank degree_plus_1"]
    v_min: Float[Array, ""]
    v_max: Float[Array, ""]
    log_g: bool = field(default=False, metadata={"static": True})

    @property
    def rank(self) -> int:
        """Number of products K."""
        return self.polynomials.shape[0]

    def in_g(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape rank"]:
        """The conductance factors a_k(g) = g · spline_k(g)."""
        return g[..., None] * cubic(g, self.g_knots, self.factors, log_g=self.log_g)

    def at_zero(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The value at v = 0: the leakage."""
        return cubic(g, self.g_knots, self.base[..., None], log_g=self.log_g)[..., 0]

    def in_v(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape rank"]:
        """The voltage factors b_k(v) = v · polynomial_k(v)."""
        return jnp.stack([v * factor for factor in self.per_volt(v)], axis=-1)

    def per_volt(self, v: Float[Array, "*shape"]) -> list[Float[Array, "*shape"]]:
        """b_k(v) / v = polynomial_k(v), one array a factor."""
        span = self.v_max - self.v_min
        return polynomials_at(v * (2 / span) - (self.v_max + self.v_min) / span, self.polynomials)

    def __call__(self, g: Float[Array, "*shape"], v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The value of each cell at its own voltage."""
        return self.at_zero(g) + jnp.sum(self.in_g(g) * self.in_v(v), axis=-1)

    def astype(self, dtype: Any) -> "Separable":
        """The same surrogate in another floating-point type."""
        return jax.tree.map(lambda leaf: leaf.astype(dtype), self)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CellTerms:
    """What the conductances of an array contribute to its currents: looked up once for many voltages.

    Attributes:
        base: Chebyshev coefficients over v_bl of the current at v_in = v_bl [A].
        factors: the conductance factors a_k(g).
    """

    base: Float[Array, "*shape line_orders"]
    factors: Float[Array, "*shape rank"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BitLineSeparable:
    """The current into a bit line [A] over memristor conductance [S], input voltage and bit-line voltage [V].

    `i(g, v_in, v_bl) = base(g, v_bl) + Σ_k a_k(g) (v_in − v_bl) p_k(v_in, v_bl)`: body effect and drain saturation are in
    the polynomials `p_k`. (Shifting gate and word line by v_bl instead errs by 1.2 % of full scale at 10 mV.)

    Attributes:
        g_knots: conductances of the cubics [S]: evenly spaced, or their logarithms are.
        base: cubic coefficients over g of the Chebyshev coefficients over v_bl of the current at v_in = v_bl.
        factors: cubic coefficients of the K conductance factors.
        polynomials: Chebyshev coefficients over v_bl and v_in of the K voltage factors.
        v_min: smallest input voltage [V], 0 or below.
        v_max: largest input voltage [V].
        line_min: smallest bit-line voltage [V].
        line_max: largest bit-line voltage [V].
        log_g: whether the logarithms of the knots are evenly spaced.
    """

    g_knots: Float[Array, " knots"]
    base: Float[Array, "4 segments line_orders"]
    factors: Float[Array, "4 segments rank"]
    polynomials: Float[Array, "line_orders rank degree_plus_1"]
    v_min: Float[Array, ""]
    v_max: Float[Array, ""]
    line_min: Float[Array, ""]
    line_max: Float[Array, ""]
    log_g: bool = field(default=False, metadata={"static": True})

    @property
    def rank(self) -> int:
        """Number of products K."""
        return self.polynomials.shape[1]

    def terms(self, g: Float[Array, "*shape"]) -> CellTerms:
        """What depends on the conductances alone."""
        return CellTerms(
            base=cubic(g, self.g_knots, self.base, log_g=self.log_g),
            factors=g[..., None] * cubic(g, self.g_knots, self.factors, log_g=self.log_g),
        )

    def current(
        self, terms: CellTerms, v_in: Float[Array, "*shape"], v_bl: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """The current of each cell [A] at its own input and bit-line voltage."""
        orders, rank, width = self.polynomials.shape
        x = (2 * v_in - self.v_max - self.v_min) / (self.v_max - self.v_min)
        y = (2 * v_bl - self.line_max - self.line_min) / (self.line_max - self.line_min)
        lines = series(y, jnp.eye(orders, dtype=y.dtype))
        in_v = series(x, jnp.moveaxis(self.polynomials, 2, 0).reshape(width, -1)).reshape(*x.shape, orders, rank)
        factors = jnp.einsum("...nk,...n->...k", in_v, lines)
        return jnp.sum(terms.base * lines, axis=-1) + (v_in - v_bl) * jnp.sum(terms.factors * factors, axis=-1)

    def __call__(
        self, g: Float[Array, "*shape"], v_in: Float[Array, "*shape"], v_bl: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """The current of each cell [A]."""
        return self.current(self.terms(g), v_in, v_bl)

    def astype(self, dtype: Any) -> "BitLineSeparable":
        """The same surrogate in another floating-point type."""
        return jax.tree.map(lambda leaf: leaf.astype(dtype), self)


def mixed(cells: Sequence[BitLineSeparable], weights: Float[Array, " cells"]) -> BitLineSeparable:
    """The sum of surrogates that count so much each: the products of all, beside each other.

    Args:
        cells: on the same knots and voltages, such as those of one table at several gate voltages.
        weights: how much each counts.
    """
    first, orders = cells[0], max(cell.polynomials.shape[2] for cell in cells)
    counted = [
        weight * jnp.pad(cell.polynomials, ((0, 0), (0, 0), (0, orders - cell.polynomials.shape[2])))
        for weight, cell in zip(weights, cells, strict=True)
    ]
    return replace(
        first,
        base=jnp.tensordot(weights, jnp.stack([cell.base for cell in cells]), 1),
        factors=jnp.concatenate([cell.factors for cell in cells], axis=-1),
        polynomials=jnp.concatenate(counted, axis=1),
    )
