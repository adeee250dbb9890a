"""A given signed matrix on non-negative conductances, and back: DE, BC and ACM.

A *scale* is conductance per unit of weight [S]: the devices of weight w differ by `scale·w`. It is one number (of the
network or of the layer) or one per output column. All three periphery matrices have S·1 = 0, so that a lowest
conductance G_min > 0 cancels in the difference, and decoding is the difference over the scale.
"""

from typing import NamedTuple

from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.mapping.periphery import check_scheme, reference_conductance
from xbar_cli.numerics import namespace
from xbar_cli.types import AnyArray


class Encoded(NamedTuple):
    """Conductances, and what the range cost.

    Attributes:
        g: conductances [rows n_d], within [G_min, G_max] [S].
        scale: the scale that the conductances have and that decodes them [S], shaped as it was given.
        scale_kept: scale over the one asked for: 1 for DE and BC, below 1 where ACM's running sums did not fit.
        clipped_share: share of the weights that were cut at the range: 0 for ACM.
    """

    g: AnyArray
    scale: AnyArray
    scale_kept: AnyArray
    clipped_share: AnyArray


def full_scale(scheme: str, *, g_min: float, g_max: float) -> float:
    """The largest |ΔG| of one weight [S]: G_max − G_min, half of it for BC. Over the largest |w| it is the scale.

    Raises:
        ValueError: unknown scheme, or not 0 <= g_min < g_max.

    References:
        Kazemi et al. (acm), sections II and III-D.
    """
    if not 0 <= g_min < g_max:
        raise ValueError(f"g_min and g_max must satisfy 0 <= g_min < g_max, got {g_min} S and {g_max} S")
    return (g_max - g_min) / (2 if check_scheme(scheme) == "bc" else 1)


def encode(scheme: str, w: Float[AnyArray, "rows out"], *, g_min: float, g_max: float, scale: ArrayLike) -> Encoded:
    """Conductances whose differences are `scale·w`.

    DE leaves the device of the other sign at G_min. BC sits about its reference column, the last one, in the middle of
    the range. ACM takes running sums, `m_j+1 = m_j − scale·w_j`, and shifts each row so that its lowest device is at
    G_min; where the widest row does not fit, all of the layer is scaled down by the least factor that fits. With G_min
    = 0, DE leaves the unused device absent: this is tat's mapping of weights on `levels.discretise_ratio`.

    Args:
        scheme: "de", "bc" or "acm".
        w: signed weights.
        g_min: lowest conductance [S].
        g_max: highest conductance [S].
        scale: conductance per unit of weight [S], one number or one per output.

    Raises:
        ValueError: as `full_scale`, or a scale that is neither one number nor one per output.

    Accuracy:
        Conductances carry the rounding of G_max in their dtype, so decoded weights that of `G_max/scale`: about 1e-7 of
        the largest weight in float32, for ACM about 1e-7 of the widest running sum.

    References:
        Kazemi et al. (acm), sections II and III.
    """
    xp = namespace(w)
    span = full_scale(scheme, g_min=g_min, g_max=g_max)
    per_weight = xp.asarray(scale, w.dtype)
    delta = w * _columns(per_weight, w.shape[1])
    one, zero = xp.ones((), w.dtype), xp.zeros((), w.dtype)
    if scheme == "acm":
        g, kept = _running_sums(delta, g_min=g_min, span=span)
        return Encoded(g, per_weight * kept, kept, zero)
    # A weight at the end of the range must not count as clipped because of the last bit of its product.
    clipped = xp.mean((xp.abs(delta) > span * (1 + 4 * float(xp.finfo(w.dtype).eps))).astype(w.dtype))
    delta = xp.clip(delta, -span, span)
    if scheme == "de":
        pairs = xp.stack([xp.maximum(delta, 0), xp.maximum(-delta, 0)], axis=-1)
        g = g_min + pairs.reshape(w.shape[0], -1)
    else:
        g = reference_conductance(g_min=g_min, g_max=g_max) + xp.pad(delta, ((0, 0), (0, 1)))
    return Encoded(xp.clip(g, g_min, g_max), per_weight, one, clipped)


def _columns(scale: AnyArray, n_out: int) -> AnyArray:
    """A scale in a shape that multiplies `[rows out]`."""
    if scale.ndim == 0:
        return scale
    if scale.shape != (n_out,):
        raise ValueError(f"scale must be one number or one per output ({n_out}), got shape {scale.shape}")
    return scale[None, :]


def _running_sums(delta: AnyArray, *, g_min: float, span: float) -> tuple[AnyArray, AnyArray]:
    """ACM's conductances [S] and the factor by which all of `delta` had to shrink."""
    xp = namespace(delta)
    sums = xp.pad(-xp.cumsum(delta, axis=1), ((0, 0), (1, 0)))
    sums = sums - xp.min(sums, axis=1, keepdims=True)
    widest = xp.max(sums)
    kept = xp.where(widest > span, span / xp.where(widest > 0, widest, 1), 1).astype(delta.dtype)
    return xp.clip(g_min + kept * sums, g_min, g_min + span), kept
