"""Arrays of 1T-1R cells with ideal wires: `I = Σ_k b_k(V) @ a_k(G)`, K matrix products (neat, eq. 1)."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.device.mismatch import AnyCell
from xbar_cli.numerics import along_last

from .ideal import Contract


def currents(
    surrogate: AnyCell, g: Float[Array, "rows cols"], v: Float[Array, "*batch rows"]
) -> Float[Array, "*batch cols"]:
    """Column currents [A] of one array of cells with conductances `g` [S] at row voltages `v` [V], 0 ≤ v ≤ v_max.

    Accuracy:
        that of the surrogate, stated in its certificate; wires, drivers and sense nodes are ideal.
    """
    terms = jnp.concatenate([v * factor for factor in surrogate.per_volt(v)], axis=-1)
    factors = jnp.moveaxis(surrogate.in_g(g), -1, 0).reshape(-1, g.shape[1])
    products = terms @ factors
    return products + along_last(surrogate.at_zero(g).sum(axis=0), products)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Drive:
    """How activations become row voltages: `v = v_max · |x| / full_scale`, at most v_max; signs in two phases.

    Attributes:
        full_scale: activation that gives v_max, from calibration.
        signed: 1.0 where activations have both signs, and each product is two reads, x⁺ and x⁻, subtracted; else 0.0.
    """

    full_scale: Float[Array, ""]
    signed: Float[Array, ""]

    def share(self, x: Array) -> Array:
        """Row voltage over v_max, with the sign of the phase it counts in: in [−1, 1], or in [0, 1] where not signed."""
        return jnp.clip(x / self.full_scale, -self.signed, 1)

    def beyond(self, x: Array) -> Array:
        """1 where an activation is outside what rows can be driven with, and is cut, else 0."""
        share = x / self.full_scale
        return ((share > 1) | (share < -self.signed)).astype(x.dtype)

    def fraction(self, x: Array) -> Array:
        """|v| / v_max of each activation; negative ones count only where the drive is signed."""
        return jnp.abs(self.share(x))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GatedLayer:
    """A layer on 1T-1R arrays, folded to K kernels in units of weight.

    The K matrix products are one, of K times the rows: their sums need no pass over memory. Convolutions are taken one by
    one: stacked along the input channels, XLA's on a CPU falls off a cliff between 16 and 24 channels (5×5 window: 33
    against 244 ms).

    Attributes:
        kernel: `combine(a_k(G))` decoded.
        leakage: decoded sum of the currents at v = 0 of each output; two phases cancel it.
        surrogate: the cell, of which the voltage factors are used here.
        drive: activations to row voltages.
        digital: weights that the digital side adds, applied to the activations that the rows see; None where there are none.
    """

    kernel: Float[Array, "rank *window in out"]
    leakage: Float[Array, " out"]
    surrogate: AnyCell
    drive: Drive
    digital: Float[Array, "*window in out"] | None = None

    def __call__(self, x: Array, contract: Contract) -> Array:
        """The layer's outputs, decoded at the nominal scale, before any bias."""
        share = self.drive.share(x)
        v = self.surrogate.v_max * share
        terms = [v * factor for factor in self.surrogate.per_volt(jnp.abs(v))]
        if self.kernel.ndim == 3 and getattr(contract, "groups", 1) == 1:
            y = contract(jnp.concatenate(terms, axis=-1), self.kernel.reshape(-1, self.kernel.shape[-1]))
        else:
            y = functools.reduce(jnp.add, map(contract, terms, self.kernel))
        y = y + along_last(self.leakage, y)
        if self.digital is None:
            return y
        return y + contract(self.drive.full_scale * share, self.digital)
