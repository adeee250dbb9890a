"""A checksum of the columns of a tile: it tells that a tile is off, and one column of it is computed from it.

A pair of columns more on each tile holds the sum of the weights of its outputs, scaled to fit. What they put out, less what all
outputs but one do, is that one: a column that is cut off, or full of faults, comes back with the errors of the others.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from xbar_cli.chip.repair.grid import TileGrid
from xbar_cli.chip.repair.retrain import StandingPairs
from xbar_cli.chip.repair.units import Units
from xbar_cli.device.faults import Faults


class Checksum(NamedTuple):
    """The checksum columns of a layer of a chip.

    Attributes:
        g: conductances of their pairs [rows, 2 strips] [S].
        replaced: which outputs of each tile are computed from them [bands units].
        factor: sums over what the columns hold.
    """

    g: Array
    replaced: Array
    factor: Array


class Sums(NamedTuple):
    """What checksum columns are aimed at.

    Attributes:
        target: conductances [rows, 2 strips] [S].
        factor: sums of weights over theirs.
    """

    target: Array
    factor: Array


def difference(g: Array) -> Array:
    """Differences of pairs of neighbouring columns [rows pairs] [S]."""
    return g[:, 0::2] - g[:, 1::2]


def sums_of(target: Array, grid: TileGrid, units: Units) -> Sums:
    """What the checksum columns of a layer aimed at `target` [rows columns] [S] hold."""
    sums = _by_strip(difference(target), grid)
    span = units.high - units.low
    factor = jnp.maximum(jnp.abs(sums).max() / span, 1.0)
    both = jnp.stack([jnp.maximum(sums, 0), jnp.maximum(-sums, 0)], axis=-1) / factor
    return Sums((units.low + jnp.minimum(both, span)).reshape(len(target), -1), factor)


def checksum_of(stand: StandingPairs, wanted: Array, faults: Faults, grid: TileGrid) -> tuple[Checksum, Array]:
    """The checksum columns of a layer where `wanted` is aimed at, and the mean square that is left of the weights' errors.

    Args:
        stand: the layer's pairs where they stand, and what they were mapped to.
        wanted: conductances that they are aimed at [rows columns] [S].
        faults: of the checksum columns [rows, 2 strips].
        grid: the tiles.

    Returns:
        The columns with the conductances that they are aimed at, and the mean square in squares of the range.
    """
    units, sums = stand.units, sums_of(wanted, grid, stand.units)
    own = StandingPairs(stand.name, sums.target, faults.stuck & (sums.target != 0), faults.held, units)
    achieved = [
        units.achieved(*(units.split(part) for part in (target, pairs.stuck, pairs.held))).reshape(target.shape)
        for pairs, target in ((stand, wanted), (own, sums.target))
    ]
    errors = difference(achieved[0]) - difference(wanted)
    of_sums = difference(achieved[1]) - difference(sums.target)
    replaced = replaced_outputs(errors, of_sums, sums.factor, grid)
    left = jnp.where(replaced[band_of_rows(grid)], _others(errors, of_sums, sums.factor, grid), errors)
    left = left + difference(wanted) - difference(stand.target)
    aimed = jnp.where(own.stuck, sums.target, achieved[1])
    return Checksum(aimed, replaced, sums.factor), jnp.square(left).mean() / (units.high - units.low) ** 2


def replaced_outputs(errors: Array, of_sums: Array, factor: Array, grid: TileGrid) -> Array:
    """The output of each tile that is better computed from the checksum, where there is one [bands units].

    Args:
        errors: that faults leave of differences [rows units] [S].
        of_sums: the same of the checksum columns' [rows strips] [S].
        factor: of these.
        grid: the tiles.
    """
    others = _others(errors, of_sums, factor, grid)
    band = band_of_rows(grid)
    won = jax.ops.segment_sum(jnp.square(errors) - jnp.square(others), band, num_segments=len(grid.bands))
    found = [_best(won[:, strip_of_units(grid) == strip]) for strip in range(len(grid.strips))]
    return jnp.concatenate(found, axis=1)


def corrected(g: Array, checksum: Checksum, grid: TileGrid) -> Array:
    """Conductances [rows columns] [S] as which a layer with checksums acts: those of replaced outputs may be below 0."""
    away = _others(difference(g), difference(checksum.g), checksum.factor, grid)
    first = jnp.where(checksum.replaced[band_of_rows(grid)], g[:, 1::2] + away, g[:, 0::2])
    return jnp.stack([first, g[:, 1::2]], axis=-1).reshape(g.shape)


def flagged(g: Array, checksum: Checksum, grid: TileGrid, units: Units) -> Array:
    """Share of the tiles that a test read of all rows finds off by more than half a weight at full scale."""
    off = checksum.factor * difference(checksum.g) - _by_strip(difference(g), grid)
    read = jax.ops.segment_sum(off, band_of_rows(grid), num_segments=len(grid.bands))
    return (jnp.abs(read) > (units.high - units.low) / 2).mean(dtype=g.dtype)


def _others(values: Array, of_sums: Array, factor: Array, grid: TileGrid) -> Array:
    """Of each output, the sum less all the others [rows units]."""
    rest = factor * of_sums - _by_strip(values, grid)
    return rest[:, strip_of_units(grid)] + values


def _best(won: Array) -> Array:
    """Marks the largest of each row, where it is above 0."""
    return (jnp.arange(won.shape[1])[None] == won.argmax(axis=1)[:, None]) & (won > 0)


def _by_strip(values: Array, grid: TileGrid) -> Array:
    """Sums over the outputs of each tile [rows strips]."""
    return jax.ops.segment_sum(values.T, strip_of_units(grid), num_segments=len(grid.strips)).T


def band_of_rows(grid: TileGrid) -> NDArray[np.int64]:
    """The band of tiles of each row."""
    return np.repeat(np.arange(len(grid.bands)), [len(own) for own, _ in grid.bands])


def strip_of_units(grid: TileGrid) -> NDArray[np.int64]:
    """The strip of tiles of each pair of columns."""
    return np.repeat(np.arange(len(grid.strips)), [len(own) // 2 for own, _ in grid.strips])
