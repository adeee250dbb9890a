"""Non-linear weight update: conductance as a saturating curve of the number of programming pulses.

`g(p) = g_min + (g_max − g_min) · (1 − exp(−ν x)) / (1 − exp(−ν))`, `x = p/P`: the same curve up and down. ν = 0 is the
straight line, reached smoothly. A negative ν is the mirrored curve: a separate one for depression.

Training keeps p as a hidden float: a device gets pulses in proportion to the gradient with respect to its
*conductance*, so `Δg = −η·g′(p)·∂L/∂g`.

References:
    Kazemi et al. (acm), Fig. 4a; the curve is that of Chen et al., NeuroSim (TCAD 2018), with P pulses from end to end.
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

_SERIES = 0.05
"""Below this |z| the series hold to 1e-9 where the closed forms cancel."""


def expm1_over(z: Array) -> Array:
    """`(exp(z) − 1)/z`, smooth through 0."""
    small = jnp.abs(z) < _SERIES
    safe = jnp.where(small, 1, z)
    series = 1 + z / 2 * (1 + z / 3 * (1 + z / 4 * (1 + z / 5 * (1 + z / 6))))
    return jnp.where(small, series, jnp.expm1(safe) / safe)


def _log1m_over(u: Array) -> Array:
    """`−ln(1 − u)/u`, smooth through 0."""
    small = jnp.abs(u) < _SERIES
    safe = jnp.where(small, 0.5, u)
    series = 1 + u / 2 + u**2 / 3 + u**3 / 4 + u**4 / 5 + u**5 / 6 + u**6 / 7
    return jnp.where(small, series, -jnp.log1p(-safe) / safe)


def conductance(
    p: Float[Array, "*shape"], *, pulses: ArrayLike, nu: ArrayLike, g_min: ArrayLike, g_max: ArrayLike
) -> Float[Array, "*shape"]:
    """Conductance after `p` pulses, g(p) [S].

    Args:
        p: number of pulses from the lowest state, 0 … P, any real number.
        pulses: P, pulses from the lowest state to the highest.
        nu: non-linearity ν; 0 is linear.
        g_min: conductance at p = 0 [S].
        g_max: conductance at p = P [S].
    """
    n, v, low, high = (jnp.asarray(value, p.dtype) for value in (pulses, nu, g_min, g_max))
    x = p / n
    return low + (high - low) * x * expm1_over(-v * x) / expm1_over(-v)


def slope(
    p: Float[Array, "*shape"], *, pulses: ArrayLike, nu: ArrayLike, g_min: ArrayLike, g_max: ArrayLike
) -> Float[Array, "*shape"]:
    """Conductance per pulse, g′(p) [S], at `p`. Arguments as `conductance`."""
    n, v, low, high = (jnp.asarray(value, p.dtype) for value in (pulses, nu, g_min, g_max))
    return (high - low) / n * jnp.exp(-v * p / n) / expm1_over(-v)


def pulse_count(
    g: Float[Array, "*shape"], *, pulses: ArrayLike, nu: ArrayLike, g_min: ArrayLike, g_max: ArrayLike
) -> Float[Array, "*shape"]:
    """The number of pulses that gives conductance `g` [S]: the inverse of `conductance`, with its arguments.

    Accuracy:
        The curve is flat near g_max where ν is large: p is then as uncertain as `rounding of g / g′(p)`.
    """
    n, v, low, high = (jnp.asarray(value, g.dtype) for value in (pulses, nu, g_min, g_max))
    share = (g - low) / (high - low) * expm1_over(-v)
    return n * share * _log1m_over(v * share)
