"""Which states of a multi-level device err least, which weights avoid the others, and which columns matter.

A state's error current at read voltage V is `V·|ΔG|`. Its *absolute conductance spread* is here `|mean − target| + σ`:
the bias and one standard deviation, in siemens and not relative to the state.

References:
    Diware et al. (biased), section III.
"""

from collections.abc import Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from xbar_cli.device.statistics import Statistics
from xbar_cli.mapping.bitslice import SliceFormat, cut, to_integers, to_weights


def error_current(states: Statistics, *, v_read: float) -> Float[np.ndarray, " states"]:
    """Error current of every state, `V·(|mean − target| + σ)` [A], at read voltage `v_read` [V]."""
    return v_read * (np.abs(states.mean - states.target) + states.sigma)


def state_order(states: Statistics) -> tuple[int, ...]:
    """The states from the least error current to the largest; among equals the lower conductance first."""
    return tuple(int(state) for state in np.argsort(error_current(states, v_read=1.0), kind="stable"))


def favourable_states(order: Sequence[int], *, configuration: int) -> tuple[int, ...]:
    """The favourable set of a configuration: the first 1, 2, 3 … states of the order, all but the last at most.

    Args:
        order: states from best to worst, as `state_order` gives them.
        configuration: 1, 2 or 3 for a two-bit device.

    Raises:
        ValueError: unless 1 <= configuration < number of states.

    References:
        Diware et al. (biased), section III-A.
    """
    if not 1 <= configuration < len(order):
        raise ValueError(f"configuration must be from 1 to {len(order) - 1}, got {configuration}")
    return tuple(order[:configuration])


def slice_states(integers: np.ndarray, fmt: SliceFormat, *, slice_index: int) -> Int[np.ndarray, "devices n"]:
    """States of the devices that hold one slice of each integer weight: one device, or two where differential.

    Args:
        integers: integer weights within the format's range.
        fmt: how weights are cut.
        slice_index: the slice, 0 the least significant; −1 the most.

    Raises:
        ValueError: a slice that the format does not have.
    """
    if not -fmt.n_slices <= slice_index < fmt.n_slices:
        raise ValueError(f"slice_index must name one of {fmt.n_slices} slices, got {slice_index}")
    return np.asarray(cut(integers, fmt).levels)[slice_index % fmt.n_slices :: fmt.n_slices]


@lru_cache(maxsize=64)
def favourable_table(fmt: SliceFormat, favourable: tuple[int, ...], slice_index: int) -> Int[np.ndarray, " n"]:
    """For every integer weight from −2^(B−1) up: the nearest one whose slice is favourable.

    Of two equally near the one of smaller magnitude.

    Args:
        fmt: how weights are cut.
        favourable: states that the devices of the slice may be in.
        slice_index: the slice, −1 for the most significant.

    Raises:
        ValueError: a state that the device does not have, or no favourable weight at all.
    """
    if not favourable or not set(favourable) <= set(range(fmt.top_level + 1)):
        raise ValueError(f"favourable must be states from 0 to {fmt.top_level}, got {favourable}")
    half = 2 ** (fmt.weight_bits - 1)
    integers = np.arange(-half, half)
    states = slice_states(integers, fmt, slice_index=slice_index)
    allowed = integers[np.isin(states, favourable).all(axis=0)]
    if allowed.size == 0:
        raise ValueError(f"no weight of {fmt.encoding} has slice {slice_index} in the states {favourable}")
    above = np.searchsorted(allowed, integers)
    high = allowed[np.minimum(above, allowed.size - 1)]
    low = allowed[np.maximum(above - 1, 0)]
    to_high, to_low = np.abs(high - integers), np.abs(low - integers)
    take_high = (to_high < to_low) | ((to_high == to_low) & (np.abs(high) < np.abs(low)))
    table = np.where(take_high, high, low)
    table.setflags(write=False)
    return table


def is_favourable(
    w: Float[Array, "*shape"], fmt: SliceFormat, *, favourable: tuple[int, ...], slice_index: int
) -> Bool[Array, "*shape"]:
    """Which weights, rounded to the format, have their slice in a favourable state. Arguments as `favourable_table`."""
    table = jnp.asarray(favourable_table(fmt, favourable, slice_index), jnp.int32)
    integers, _ = to_integers(w, fmt)
    return table[integers + 2 ** (fmt.weight_bits - 1)] == integers


def nearest_favourable(
    w: Float[Array, "*shape"],
    fmt: SliceFormat,
    *,
    favourable: tuple[int, ...],
    slice_index: int,
    restrict: Bool[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """Restricted weights with an unfavourable slice moved to the nearest weight with a favourable one; others kept.

    Args:
        w: weights; those beyond the format's range count as its ends.
        fmt: how weights are cut.
        favourable: states that the devices of the slice may be in.
        slice_index: the slice, −1 for the most significant.
        restrict: which weights are important and so restricted.

    References:
        Diware et al. (biased), section III-B and Fig. 7.
    """
    table = jnp.asarray(favourable_table(fmt, favourable, slice_index), jnp.int32)
    integers, _ = to_integers(w, fmt)
    moved = table[integers + 2 ** (fmt.weight_bits - 1)]
    return jnp.where(restrict & (moved != integers), to_weights(moved, fmt, dtype=w.dtype), w)


def column_importance(si: Float[Array, "rows out"], *, tile_rows: int, absolute: bool) -> Float[Array, "tiles out"]:
    """HI_c of every column of every tile: SI_w summed over the rows of the tile.

    Args:
        si: importance SI_w = ∂Q/∂w of every weight, `Q = Σ_batch Σ_classes P·L`.
        tile_rows: rows of a tile; the number of rows, or more, gives one sum per output over all of them.
        absolute: sum |SI_w| instead of SI_w, which can cancel.

    References:
        Diware et al. (biased), eq. (1) and section III-B.
    """
    if tile_rows < 1:
        raise ValueError(f"tile_rows must be at least 1, got {tile_rows}")
    rows, out = si.shape
    tiles = -(-rows // tile_rows)
    padded = jnp.pad(jnp.abs(si) if absolute else si, ((0, tiles * tile_rows - rows), (0, 0)))
    return padded.reshape(tiles, tile_rows, out).sum(axis=1)


def select_columns(hi: Float[Array, "tiles out"], *, percent: float) -> Bool[Array, "tiles out"]:
    """The `percent` % of columns (0 to 100) with the highest HI_c, their number rounded; among equals the first."""
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be from 0 to 100, got {percent}")
    count = round(hi.size * percent / 100)
    _, chosen = jax.lax.top_k(hi.ravel(), count)
    return jnp.zeros(hi.size, bool).at[chosen].set(True).reshape(hi.shape)


def weight_mask(columns: Bool[Array, "tiles out"], *, rows: int, tile_rows: int) -> Bool[Array, "rows out"]:
    """The weights of the chosen columns as a mask over the layer, with tiles of `tile_rows` rows as in `column_importance`."""
    return jnp.repeat(columns, tile_rows, axis=0, total_repeat_length=columns.shape[0] * tile_rows)[:rows]
