"""Successive-approximation converters whose capacitors are unequal."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.numerics import along_last


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sar:
    """Converters that compare their input with the sum of the capacitors tried so far, the largest first.

    A code m stands at `D(m) = Σ_k b_k(m) w_k` steps above the lowest; the code of an input x is what the search for the largest
    m with `D(m) − 1/2 ≤ x` ends at. Codes may be missing.

    Attributes:
        weights: steps that each bit's capacitor adds, the lowest first, of the converter behind each signal.
    """

    weights: Float[Array, "bands bits signals"]

    def codes(self, x: Float[Array, "*batch signals"], *, band: Array | int) -> Float[Array, "*batch signals"]:
        """Codes from 0, whole numbers in floats, of inputs in steps above the lowest code, in the tiles of row band `band`."""
        weights = self.weights[band]
        level, code = jnp.zeros_like(x), jnp.zeros_like(x)
        for k in reversed(range(weights.shape[0])):
            tried = level + along_last(weights[k], x)
            kept = x >= tried - 0.5
            level, code = jnp.where(kept, tried, level), jnp.where(kept, code + 2.0**k, code)
        return code


def draw_sar(key: Array, *, bands: int, converters: int, bits: int, mismatch: float) -> Float[Array, "bands bits own"]:
    """Steps that the capacitors of every converter add: `w_k = 2^b C_k/ΣC`, `C_k = 2^k C_u (1 + σ_u N(0, 1)/√2^k)`.

    The array has a capacitor for each bit, of 2^k equal units, and one unit that no bit switches. Code m then stands off by
    `σ_u √(m (1 − m/2^b))` steps, 2^(b/2 − 1) σ_u in the middle, where the step is off by √(2^b) σ_u: the most of all.

    Args:
        key: random key of the chip's layer.
        bands: tiles below each other.
        converters: of a band.
        bits: of a converter.
        mismatch: σ_u, relative standard deviation of a unit capacitor.

    References:
        Saberi et al., IEEE TCAS-I 58 (2011) 1736 (binary weighted array; the closed form follows from independent units);
        Spear et al., IEEE JXCDC 9 (2023): its part in the accuracy of analog networks.
    """
    units = jnp.asarray(
        [1, *(2**k for k in range(bits))], jnp.float32
    )  # the capacitor that no bit switches, and each bit's
    drawn = jax.random.normal(key, (bands, bits + 1, converters))
    size = units[None, :, None]
    capacitors = size + mismatch * jnp.sqrt(size) * drawn
    return (capacitors * (2.0**bits / capacitors.sum(axis=1, keepdims=True)))[:, 1:]
