"""Where the lines of a layer are on its tiles, spare ones among them: which place of an array holds which device."""

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray


@dataclass(frozen=True)
class TileGrid:
    """The tiles of a layer, as mapped and as built with spare lines behind the others of each tile.

    Attributes:
        rows: of the layer.
        columns: of the layer, those of all its groups.
        groups: equal parts of its columns, on tiles of their own.
        tile: rows and columns of a tile without the spare ones.
        spare_rows: of each tile.
        spare_columns: of each tile.
    """

    rows: int
    columns: int
    groups: int
    tile: tuple[int, int]
    spare_rows: int = 0
    spare_columns: int = 0

    @cached_property
    def bands(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Of each band of tiles its rows, and the same rows and its spare ones as built."""
        return _cut(range(self.rows), self.tile[0], self.spare_rows)

    @cached_property
    def strips(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Of each strip of tiles below each other its columns, and the same columns and its spare ones as built."""
        each, found, start = self.columns // self.groups, [], 0
        for group in range(self.groups):
            for own, built in _cut(range(group * each, (group + 1) * each), self.tile[1], self.spare_columns, start):
                found.append((own, built))
            start = int(found[-1][1][-1]) + 1
        return found

    @property
    def built(self) -> tuple[int, int]:
        """Rows and columns with the spare ones."""
        return sum(len(b) for _, b in self.bands), sum(len(b) for _, b in self.strips)

    @cached_property
    def core(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The built row of each row, and the built column of each column, where nothing is moved."""
        rows = np.concatenate([built[: len(own)] for own, built in self.bands])
        return rows, np.concatenate([built[: len(own)] for own, built in self.strips])

    @cached_property
    def spare(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The built rows and columns that are spare."""
        every = (np.arange(size) for size in self.built)
        rows, columns = (np.setdiff1d(all_, own) for all_, own in zip(every, self.core, strict=True))
        return rows, columns

    @property
    def places(self) -> NDArray[np.int32]:
        """The place of each device [rows columns] in the built array, row after row, where nothing is moved."""
        rows, columns = self.core
        return (rows[:, None] * self.built[1] + columns[None]).astype(np.int32)

    def spread(self, core: Array, spare_rows: Array, spare_columns: Array) -> Array:
        """The built array of what belongs to its own devices, to those of spare rows, and to the rest of the spare columns.

        `spare_rows` are [spare rows columns], `spare_columns` [built rows, spare columns].
        """
        (rows, columns), (other_rows, other_columns) = self.core, self.spare
        found = jnp.zeros(self.built, core.dtype).at[rows[:, None], columns[None]].set(core)
        if other_rows.size:
            found = found.at[other_rows[:, None], columns[None]].set(spare_rows)
        return found.at[:, other_columns].set(spare_columns) if other_columns.size else found

    def parted(self, built: Array) -> list[Array]:
        """The three parts of a built array that `spread` takes."""
        (rows, columns), (other_rows, other_columns) = self.core, self.spare
        at_home = built[rows[:, None], columns[None]]
        return [at_home, built[other_rows[:, None], columns[None]], built[:, other_columns]]

    @property
    def spare_shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Shapes of what `spread` takes for spare rows and spare columns."""
        rows, columns = self.built
        return (rows - self.rows, self.columns), (rows, columns - self.columns)


def _cut(lines: range, size: int, spares: int, start: int = 0) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Of each tile its lines, and their places as built from `start` on, with spare ones behind them."""
    found = []
    for first in range(lines.start, lines.stop, size):
        own = np.arange(first, min(first + size, lines.stop))
        found.append((own, np.arange(start, start + len(own) + spares)))
        start += len(own) + spares
    return found


def at_places(built: Array, places: Array) -> Array:
    """What stands at the places [rows columns] of a built array."""
    return built.reshape(-1)[places]
