"""What a closed programming loop leaves: a residual error inside the tolerance of the verification."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device import draws


def write_verify(
    key: Array,
    g: Float[Array, "*shape"],
    *,
    tolerance_siemens: ArrayLike,
    tolerance_relative: ArrayLike,
    sigma_over_tolerance: ArrayLike,
) -> Float[Array, "*shape"]:
    """Write, read and repeat until `|G − target| <= T`: a normal error cut at ±T, `T = T_abs + T_rel·G`.

    One attempt misses by N(0, σ_w²); the first that falls inside is kept, so the residual is the truncated normal. A
    large `σ_w/T` gives the uniform distribution (variance T²/3), a small one the plain normal.

    Args:
        key: random key of the chip.
        g: target conductances [S].
        tolerance_siemens: absolute part of the accepted distance [S].
        tolerance_relative: accepted distance over target.
        sigma_over_tolerance: σ_w/T of a single attempt, above 0.

    References:
        Alibart et al., Nanotechnology 23, 075201 (2012): tuning to 1 % by write and verify.
    """
    tolerance = jnp.asarray(tolerance_siemens, g.dtype) + jnp.asarray(tolerance_relative, g.dtype) * g
    ratio = jnp.asarray(sigma_over_tolerance, g.dtype)
    residual = draws.truncated_normal(key, g, bound=1 / ratio)
    return g + tolerance * jnp.clip(ratio * residual, -1, 1)
