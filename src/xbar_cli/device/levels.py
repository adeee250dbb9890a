"""The conductances or weights that a device can be programmed to, and programming to the nearest of them.

Levels are static facts: ascending float64 NumPy arrays. Programming is elementwise JAX; the straight-through versions
have the gradient of the identity.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.device.statistics import SAME, check_apart, check_conductances, span
from xbar_cli.errors import ConfigError
from xbar_cli.numerics import namespace, straight_through
from xbar_cli.outside import quoted, read_text
from xbar_cli.tables import check_point
from xbar_cli.types import AnyArray

MAX_BITS = 16

MOST_LEVELS = 65536
"""Levels that a device may have."""
LIMIT_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Shares of the largest weight that the limit `auto` tries."""


def check_bits(bits: int) -> int:
    """`bits` itself. Raises ValueError unless it is from 1 to 16."""
    if not 1 <= bits <= MAX_BITS:
        raise ValueError(f"bits must be from 1 to {MAX_BITS}, got {bits}")
    return bits


def uniform_levels(bits: int, *, g_min: float, g_max: float) -> Float[np.ndarray, " levels"]:
    """2^B levels at equal distances from `g_min` to `g_max` [S].

    Args:
        bits: B, from 1 to 16.
        g_min: lowest conductance, 0 or more [S].
        g_max: highest conductance [S].

    Raises:
        ValueError: bits out of range, or not 0 <= g_min < g_max.

    References:
        Kazemi et al. (acm), section IV: weights quantised uniformly to B bits.
    """
    if not 0 <= g_min < g_max:
        raise ValueError(f"g_min and g_max must satisfy 0 <= g_min < g_max, got {g_min} S and {g_max} S")
    return np.linspace(g_min, g_max, 2 ** check_bits(bits))


def ratio_levels(bits: int, *, ratio: float, limit: float) -> Float[np.ndarray, " levels"]:
    """0, an absent device, and 2^B − 1 levels at equal distances from `limit/ratio` to `limit`.

    With 4 bits and ratio 15 these are {0, 1, … 15}/15 of the limit. One bit leaves {0, limit}.

    Args:
        bits: B, from 1 to 16.
        ratio: largest over smallest level of a present device, above 1.
        limit: the largest level, a weight or a conductance [S].

    Raises:
        ValueError: bits out of range, ratio <= 1, or limit <= 0.

    References:
        Chakraborty, Roy, Roy (tat), sections II-D and III-C.
    """
    check_bits(bits)
    if not (math.isfinite(ratio) and ratio > 1):
        raise ValueError(f"ratio must be finite and above 1, got {ratio}")
    if not (math.isfinite(limit) and limit > 0):
        raise ValueError(f"limit must be finite and above 0, got {limit}")
    present = np.linspace(limit, limit / ratio, 2**bits - 1)[::-1]
    return np.concatenate([[0.0], present])


def read_levels(path: str | Path) -> Float[np.ndarray, " levels"]:
    """Levels from a text file: one conductance [S] a line, ascending; empty lines and # comments are skipped.

    Raises:
        ConfigError: with file and line, for a value that is no number, negative, or not above the one before; fewer
            than two levels; values above 1 S, which are of another unit; a file that cannot be read.
    """
    path = Path(path)
    lines = read_text(path).splitlines()
    levels: list[float] = []
    for number, line in enumerate(lines, start=1):
        if not (text := line.split("#")[0].strip()):
            continue
        if ";" in text:
            raise ConfigError(f"{path}:{number}: {quoted(text)} has semicolons; write one level a line")
        check_point(f"{path}:{number}", text)
        try:
            value = float(text)
        except ValueError:
            raise ConfigError(f"{path}:{number}: {quoted(text)} is not one number") from None
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{path}:{number}: a level must be finite and not negative, got {value} S")
        if len(levels) == MOST_LEVELS:
            raise ConfigError(f"{path}:{number}: more than {MOST_LEVELS} levels")
        if levels and value <= levels[-1] * (1 + SAME):
            raise ConfigError(f"{path}:{number}: levels must ascend, but {value} S follows {levels[-1]} S")
        levels.append(value)
    if len(levels) < 2:
        raise ConfigError(f"{path}: needs at least two levels, holds {len(levels)}")
    found = np.asarray(levels)
    check_conductances(found, where=str(path), column="its levels")
    return found


def check_levels(levels: Float[np.ndarray, " levels"], *, g_off: float, g_on: float, where: str) -> None:
    """Raise ConfigError, with both ranges, for levels that, 0 aside, leave the devices' G_off … G_on [S] by a hundredth."""
    check_apart(levels, g_off=g_off, g_on=g_on, where=where, column="its levels")
    present = levels[levels > 0]
    if present[0] < 0.99 * g_off or present[-1] > 1.01 * g_on:
        raise ConfigError(
            f"{where}: its levels span {span(present)}, beyond the devices' {g_off:.4g} … {g_on:.4g} S, in which variation and "
            "faults are counted: set these by mapping.r_on_ohm and mapping.r_off_ohm, or by mapping.technology"
        )


def nearest_index(g: Float[AnyArray, "*shape"], levels: Float[np.ndarray, " levels"]) -> AnyArray:
    """Index of the level nearest to each `g`; half way goes to the lower one. ValueError unless the levels ascend."""
    if levels.ndim != 1 or levels.size < 2 or not (np.diff(levels) > 0).all():
        raise ValueError(f"levels must be at least two, strictly ascending, got an array of shape {levels.shape}")
    middles = (levels[1:] + levels[:-1]) / 2
    if isinstance(g, np.ndarray):
        return np.searchsorted(middles.astype(g.dtype), g)
    method = "compare_all" if levels.size <= 32 else "scan"
    return jnp.searchsorted(jnp.asarray(middles, g.dtype), g, method=method)


def nearest(g: Float[AnyArray, "*shape"], levels: Float[np.ndarray, " levels"]) -> Float[AnyArray, "*shape"]:
    """Every `g` programmed to the nearest level; beyond the ends, to the end. Arguments as `nearest_index`."""
    return namespace(g).asarray(levels, dtype=g.dtype)[nearest_index(g, levels)]


def discretise_ratio(w: Float[Array, "*shape"], *, limit: ArrayLike, bits: int, ratio: float) -> Float[Array, "*shape"]:
    """Signed weights on the levels of `ratio_levels`: sign(w) · nearest level to |w|, 0 for an absent device.

    Args:
        w: weights.
        limit: the |w| that maps to the highest level; larger ones are cut there. May be traced.
        bits: B, from 1 to 16.
        ratio: largest over smallest |w| of a present device, above 1.

    Accuracy:
        By rounding, which is faster than `nearest`: the same level but within rounding of the middle between two.

    References:
        Chakraborty, Roy, Roy (tat), section III-C.
    """
    levels = ratio_levels(bits, ratio=ratio, limit=1.0)
    scale = jnp.asarray(limit, w.dtype)
    share = jnp.abs(w) * (1 / scale)  # products: quotients of whole layers take a step's time
    if bits == 1:
        return jnp.sign(w) * jnp.where(share > 0.5, scale, 0)
    low, distance = float(levels[1]), float(levels[2] - levels[1])
    index = jnp.clip(jnp.ceil(share * (1 / distance) - (low / distance + 0.5)), 0, len(levels) - 2)
    size = jnp.where(share > low / 2, (low + index * distance) * scale, 0)
    return jnp.where(w < 0, -size, size)


def discretise_ratio_straight_through(
    w: Float[Array, "*shape"], *, limit: ArrayLike, bits: int, ratio: float
) -> Float[Array, "*shape"]:
    """`discretise_ratio` in the forward pass, the identity in the backward pass."""
    return straight_through(lambda x: discretise_ratio(x, limit=limit, bits=bits, ratio=ratio), w)


def weight_limit(
    w: Float[Array, "*shape"],
    *,
    rule: str | float,
    score: Callable[[float], float] | None,
    shares: Sequence[float],
) -> float:
    """The weight that maps to the highest level.

    Args:
        w: the weights of a layer.
        rule: "max" for max |w|, a positive number for that weight, or "auto" for the limit with the best score.
        score: for "auto", the quality of a limit, higher is better: accuracy on held-out training data. Not called
            otherwise.
        shares: for "auto", the candidates as shares of max |w|; among equal scores the largest wins.

    Raises:
        ValueError: another rule, a number <= 0, weights that are all 0, or "auto" without score or candidates.

    References:
        Chakraborty, Roy, Roy (tat), section III-C: limits "so as to minimize the accuracy degradation".
    """
    if isinstance(rule, (int, float)):
        if not (math.isfinite(rule) and rule > 0):
            raise ValueError(f"rule must be 'max', 'auto' or a positive weight, got {rule}")
        return float(rule)
    if rule not in ("max", "auto"):
        raise ValueError(f"rule must be 'max', 'auto' or a positive weight, got {quoted(rule)}")
    largest = float(jnp.max(jnp.abs(w)))
    if not largest > 0:
        raise ValueError(f"w must hold a weight other than 0 for rule {quoted(rule)}")
    if rule == "max":
        return largest
    if score is None or not shares or min(shares) <= 0:
        raise ValueError("rule 'auto' needs a score and positive shares of max |w| to choose from")
    limits = [largest * share for share in sorted(shares, reverse=True)]
    scores = [score(limit) for limit in limits]
    return limits[int(np.argmax(scores))]
