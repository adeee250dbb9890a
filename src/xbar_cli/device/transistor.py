"""The 1T-1R cell as a differentiable function of conductance and voltage: a separable surrogate of its SPICE table.

`value(g, v) = base(g) + Σ_k a_k(g) b_k(v)` with `a_k(g) = g · spline_k(g)` and `b_k(v) = v · polynomial_k(v)`: an array of
such cells is K matrix products, nothing is looked up for an input, and a cell without a memristor passes only `base`.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Separable:
    """A function of memristor conductance [S] and input voltage [V], separated by its singular values.

    Attributes:
        g_knots: evenly spaced conductances [S].
        base: cubic coefficients of the value at v = 0, highest power first, in (g − knot)/spacing.
        factors: cubic coefficients of the K conductance factors, likewise.
        polynomials: Chebyshev coefficients of the K voltage factors on [0, v_max].
        v_max: largest input voltage [V].
    """

    g_knots: Float[Array, " knots"]
    base: Float[Array, "4 segments"]
    factors: Float[Array, "4 segments rank"]
    polynomials: Float[Array, "rank degree_plus_1"]
    v_max: Float[Array, ""]

    @property
    def rank(self) -> int:
        """Number of products K."""
        return self.polynomials.shape[0]

    def in_g(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape rank"]:
        """The conductance factors a_k(g) = g · spline_k(g)."""
        return g[..., None] * self._cubic(g, self.factors)

    def at_zero(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The value at v = 0: the leakage."""
        return self._cubic(g, self.base[..., None])[..., 0]

    def in_v(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape rank"]:
        """The voltage factors b_k(v) = v · polynomial_k(v), by Clenshaw's recurrence."""
        x = (2 * v / self.v_max - 1)[..., None]
        terms = self.polynomials.T.reshape(self.polynomials.shape[1], *(1,) * v.ndim, self.rank)
        current = previous = jnp.zeros_like(x)
        for coefficient in terms[:0:-1]:
            current, previous = coefficient + 2 * x * current - previous, current
        return v[..., None] * (terms[0] + x * current - previous)

    def __call__(self, g: Float[Array, "*shape"], v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The value of each cell at its own voltage."""
        return self.at_zero(g) + jnp.sum(self.in_g(g) * self.in_v(v), axis=-1)

    def _cubic(self, g: Float[Array, "*shape"], coefficients: Float[Array, "4 segments n"]) -> Float[Array, "*shape n"]:
        spacing = self.g_knots[1] - self.g_knots[0]
        position = (g - self.g_knots[0]) / spacing
        segment = jnp.clip(jnp.floor(jax.lax.stop_gradient(position)), 0, self.base.shape[1] - 1).astype(jnp.int32)
        t = (position - segment.astype(position.dtype))[..., None]
        c = coefficients[:, segment]
        return ((c[0] * t + c[1]) * t + c[2]) * t + c[3]

    def astype(self, dtype: Any) -> "Separable":
        """The same surrogate in another floating-point type."""
        return jax.tree.map(lambda leaf: leaf.astype(dtype), self)
