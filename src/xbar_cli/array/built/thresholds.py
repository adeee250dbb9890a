"""Converters that are a list of thresholds: those of a ramp, or of a bank of comparators; as nominal or as they were built."""

import math
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Thresholds:
    """Converters whose code is the number of thresholds at or below their input.

    Attributes:
        steps: the thresholds in steps above the lowest code, in their order.
        own: which list serves each signal.
        one: whether all row bands have the same lists.
    """

    steps: Float[Array, "bands lists thresholds"]
    own: Int[Array, " signals"]
    one: bool = field(default=False, metadata={"static": True})

    def codes(self, x: Float[Array, "*batch signals"], *, band: Array | int) -> Float[Array, "*batch signals"]:
        """Codes from 0, whole numbers in floats, of inputs in steps above the lowest code, in the tiles of row band `band`.

        A search by halves over the list of each signal: of 31 thresholds it takes half the time that counting takes.
        """
        lists = self.steps[0 if self.one else band]
        count, thresholds = lists.shape
        bits = math.ceil(math.log2(thresholds + 1))
        endless = jnp.full((count, 2**bits - 1 - thresholds), jnp.inf, lists.dtype)
        flat = jnp.concatenate([lists, endless], axis=1).ravel()
        start = (self.own * (2**bits - 1) - 1).reshape((1,) * (x.ndim - 1) + (-1,))
        code = jnp.zeros(x.shape, jnp.int32)
        for k in reversed(range(bits)):
            tried = code + (1 << k)
            code = jnp.where(x >= flat[start + tried], tried, code)
        return code.astype(x.dtype)


def even(thresholds: int) -> Float[Array, " thresholds"]:
    """Thresholds half a step below each code but the lowest."""
    return jnp.arange(1, thresholds + 1, dtype=jnp.float32) - 0.5


def draw_ramp(
    key: Array, nominal: Float[Array, " thresholds"], *, bands: int, ramps: int, mismatch: float
) -> Float[Array, "bands ramps thresholds"]:
    """Thresholds of ramps that climb by unit elements, `mismatch` σ_u of each relative, and end where they should.

    `T_m + 1/2 = M Σ_{i ≤ m} u_i / Σ_{i ≤ M} u_i`: with even thresholds code m is off by `σ_u √(m (1 − m/M))` steps, as a string
    of resistors is; a step is off by σ_u. Ramps never turn back.

    Args:
        key: random key of the chip's layer.
        nominal: thresholds wanted, in steps above the lowest code.
        bands: tiles below each other.
        ramps: of a band: the converters of a tile share one.
        mismatch: relative standard deviation of a unit element.

    References:
        Kuboki et al., Nonlinearity analysis of resistor string A/D converters, IEEE TCAS 29 (1982) 383.
    """
    ends = jnp.concatenate([nominal + 0.5, jnp.full(1, nominal.shape[0] + 1.0, nominal.dtype)])
    span = jnp.diff(ends, prepend=0.0)[None, None]
    drawn = jax.random.normal(key, (bands, ramps, span.shape[-1]))
    built = jnp.maximum(span + mismatch * jnp.sqrt(jnp.maximum(span, 0)) * drawn, 0)
    climbed = jnp.cumsum(built, axis=-1)
    return climbed[..., :-1] * (span.shape[-1] / climbed[..., -1:]) - 0.5


def draw_flash(
    key: Array, nominal: Float[Array, " thresholds"], *, bands: int, converters: int, mismatch: float
) -> Float[Array, "bands converters thresholds"]:
    """Thresholds of comparators whose offsets are `mismatch` steps, in their order: a code counts those that answer.

    A threshold is off by σ, a step by √2 σ.

    Args:
        key: random key of the chip's layer.
        nominal: thresholds wanted, in steps above the lowest code.
        bands: tiles below each other.
        converters: of a band.
        mismatch: standard deviation of a comparator's offset over a step.
    """
    drawn = jax.random.normal(key, (bands, converters, nominal.shape[0]))
    return jnp.sort(nominal[None, None] + mismatch * drawn, axis=-1)
