"""What encoding is held against: the periphery matrix itself, and weights from conductances by it."""

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.mapping.encode import full_scale
from xbar_cli.mapping.periphery import combine, device_columns
from xbar_cli.numerics import namespace
from xbar_cli.types import AnyArray


def matrix(scheme: str, n_out: int) -> Float[np.ndarray, "n_out n_d"]:
    """The periphery matrix S, entries −1, 0 and 1.

    Raises:
        ValueError: unknown scheme, or n_out < 1.
    """
    n_columns = device_columns(scheme, n_out)
    s = np.zeros((n_out, n_columns))
    j = np.arange(n_out)
    match scheme:
        case "de":
            s[j, 2 * j], s[j, 2 * j + 1] = 1, -1
        case "bc":
            s[j, j], s[j, -1] = 1, -1
        case _:
            s[j, j], s[j, j + 1] = 1, -1
    return s


def weight_scale(
    scheme: str, w: Float[AnyArray, "rows out"], *, g_min: float, g_max: float, per_column: bool
) -> Float[AnyArray, ""] | Float[AnyArray, " out"]:
    """The largest scale [S] at which no weight is clipped, for the layer or for each output column.

    For ACM single weights fit at this scale but running sums may not: `encode` then keeps less.

    Args:
        scheme: "de", "bc" or "acm".
        w: the weights of a layer.
        g_min: lowest conductance [S].
        g_max: highest conductance [S].
        per_column: one scale for each output instead of one for all.

    Raises:
        ValueError: as `full_scale`.
    """
    xp = namespace(w)
    largest = xp.max(xp.abs(w), axis=0) if per_column else xp.max(xp.abs(w))
    span = full_scale(scheme, g_min=g_min, g_max=g_max)
    return span / xp.where(largest > 0, largest, 1)


def decode(scheme: str, m: Float[AnyArray, "*batch n_d"], *, scale: ArrayLike) -> Float[AnyArray, "*batch out"]:
    """Signed weights from conductances, or signed outputs from column currents.

    Args:
        scheme: "de", "bc" or "acm".
        m: conductances [S], giving weights; or currents [A], giving weights times volts, to be divided by the volts of
            a unit input.
        scale: the scale of `Encoded` [S].

    Raises:
        ValueError: unknown scheme or a number of columns that it cannot have.
    """
    xp = namespace(m)
    signed = combine(scheme, m)
    per_weight = xp.asarray(scale, m.dtype)
    if per_weight.ndim:
        per_weight = per_weight.reshape((1,) * (signed.ndim - 1) + (-1,))
    return signed / per_weight
