"""Layers split over arrays of one size: every tile folds on its own, and the tiles' currents are added; groups of rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.wires import Fold, Folded


def fold_layers(
    layers: Mapping[str, Float[Array, "_rows _cols"]],
    fold: Fold,
    *,
    tile: tuple[int, int],
    groups: Mapping[str, int] | None = None,
) -> dict[str, Folded]:
    """Fold every tile of every layer, all in one shape: the array model is compiled once for a network.

    Remainder tiles hold absent devices (G = 0) above and to the right of theirs, behind the open ends of the lines: the
    currents are those of an array cut to what is left. The currents of tiles below each other add, so that a layer's
    effective matrix is its tiles' side by side.

    Args:
        layers: conductances [S] by name.
        fold: the array model; mapped over the tiles one after the other.
        tile: rows and columns of one array; less than that is compiled for where no layer fills it.
        groups: by layer, equal parts of its columns that are on arrays of their own; one where a layer has none.

    Returns:
        By name, the effective conductances [S] and the largest residual of the tiles.

    Raises:
        ValueError: a tile without rows or columns.
    """
    if min(tile) < 1:
        raise ValueError(f"tile must have at least one row and one column, got {tile[0]}×{tile[1]}")
    if not layers:
        return {}
    parts = {name: jnp.split(g, (groups or {}).get(name, 1), axis=1) for name, g in layers.items()}
    shape = common_shape([each[0].shape for each in parts.values()], tile)
    tiles = {name: jnp.concatenate([cut(g, shape) for g in each]) for name, each in parts.items()}
    folded, residuals = jax.lax.map(fold, jnp.concatenate(list(tiles.values())))
    found: dict[str, Folded] = {}
    start = 0
    for name, each in parts.items():
        stop = start + tiles[name].shape[0]
        own = jnp.split(folded[start:stop], len(each))
        effective = [join(part, g.shape) for part, g in zip(own, each, strict=True)]
        found[name] = Folded(jnp.concatenate(effective, axis=1), residuals[start:stop].max())
        start = stop
    return found


def common_shape(layers: Iterable[tuple[int, ...]], tile: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that tiles are filled up to, one shape for all: those of a tile, less where no layer has as many."""
    rows, cols = zip(*layers, strict=True)
    return min(tile[0], max(rows)), min(tile[1], max(cols))


def fold_pairs(g: Float[Array, "rows out"], dual: Fold, *, tile: tuple[int, int] | None) -> Folded:
    """Fold the dual arrays of one layer, tile by tile: the signed matrix that they act as, and the largest residual.

    Signed conductances `g` [S] stand in the arrays driven with +V where positive, in those driven with −V else; `tile` is rows
    and outputs of one pair, None for arrays as large as the layer.
    """
    rows, out = tile or g.shape
    shape = (min(rows, g.shape[0]), min(out, g.shape[1]))
    if shape == g.shape:
        return dual(g)
    folded, residuals = jax.lax.map(dual, cut(g, shape))
    return Folded(join(folded, g.shape), residuals.max())


def at_once(
    model: Callable[[Array], Array], g: Float[Array, "_rows _cols"], *, tile: tuple[int, int] | None
) -> Float[Array, "_rows _cols"]:
    """A model of `[rows columns]` that takes `[tiles down, rows, tiles across, columns]` too, on all tiles of a layer `g` [S].

    Remainder tiles hold absent devices below and to the right; without a `tile` the array is as large as the layer.
    """
    rows, cols = g.shape
    height, width = (min(a, b) for a, b in zip(tile or g.shape, g.shape, strict=True))
    if (height, width) == g.shape:
        return model(g)
    blocks = jnp.pad(g, ((0, -rows % height), (0, -cols % width)))
    down, across = blocks.shape
    return model(blocks.reshape(down // height, height, across // width, width)).reshape(down, across)[:rows, :cols]


def cut(g: Float[Array, "_rows _cols"], tile: tuple[int, int]) -> Float[Array, "_tiles _tile_rows _tile_cols"]:
    """The tiles of a layer, row by row, those at the edges filled up with absent devices above and to the right."""
    bands = -(-g.shape[0] // tile[0])
    return jnp.concatenate([_cut_band(g[n * tile[0] : (n + 1) * tile[0]], tile) for n in range(bands)])


def join(tiles: Float[Array, "_tiles _tile_rows _tile_cols"], shape: tuple[int, ...]) -> Float[Array, "_rows _cols"]:
    """The layer of `shape` [rows cols] from the tiles that `cut` made of it."""
    _, height, width = tiles.shape
    rows, cols = shape
    across = -(-cols // width)
    bands = []
    for n in range(-(-rows // height)):
        band = jnp.moveaxis(tiles[n * across : (n + 1) * across], 0, 1).reshape(height, -1)
        bands.append(band[height - min(height, rows - n * height) :, :cols])
    return jnp.concatenate(bands)


def _cut_band(band: Array, tile: tuple[int, int]) -> Array:
    above, right = tile[0] - band.shape[0], -band.shape[1] % tile[1]
    filled = jnp.pad(band, ((above, 0), (0, right)))
    return jnp.moveaxis(filled.reshape(tile[0], -1, tile[1]), 1, 0)


@dataclass(frozen=True)
class RowGroups:
    """The rows of a layer in the groups that are driven at once: every band of tiles is read in groups of its own.

    Attributes:
        rows: of the layer.
        height: rows of a tile.
        each: rows of a group; the last group of a band may have fewer.

    Raises:
        ValueError: a group without rows, or with more than a tile has.
    """

    rows: int
    height: int
    each: int

    def __post_init__(self) -> None:
        if not 1 <= self.each <= self.height:
            raise ValueError(f"each must be from 1 to the {self.height} rows of a tile, got {self.each}")

    @property
    def bands(self) -> int:
        """Tiles below each other."""
        return -(-self.rows // self.height)

    @property
    def a_band(self) -> int:
        """Groups of a whole band; the last band, if it has fewer rows, may have fewer."""
        return -(-self.height // self.each)

    @property
    def count(self) -> int:
        """Groups of the layer."""
        return (self.bands - 1) * self.a_band + -(-(self.rows - (self.bands - 1) * self.height) // self.each)

    def spread(self, x: Float[Array, "*batch rows"]) -> Float[Array, "*batch _"]:
        """What belongs to rows, group after group, 0 where a group has fewer rows than `each`."""
        kept = [(0, 0)] * (x.ndim - 1)
        bands = jnp.pad(x, [*kept, (0, self.bands * self.height - self.rows)])
        bands = bands.reshape(*x.shape[:-1], self.bands, self.height)
        groups = jnp.pad(bands, [*kept, (0, 0), (0, self.a_band * self.each - self.height)])
        return groups.reshape(*x.shape[:-1], -1)[..., : self.count * self.each]

    def split(self, matrices: Float[Array, "products rows columns"]) -> Float[Array, "groups products each columns"]:
        """The groups' parts of matrices, filled up with zeros."""
        spread = self.spread(jnp.moveaxis(matrices, 1, -1))
        return jnp.moveaxis(spread.reshape(*spread.shape[:-1], self.count, self.each), (-2, -1), (0, 2))


def row_groups(rows: int, *, height: int, at_once: int | None = None) -> RowGroups:
    """The groups of a layer of `rows` on tiles of `height`, of `at_once` rows of a tile, or of all that there are."""
    height = min(height, rows)
    return RowGroups(rows, height, min(at_once or height, height))
