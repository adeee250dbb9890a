"""A layer split over arrays of one size: every tile folds on its own, and the tiles' currents are added."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

Fold = Callable[[Array], tuple[Array, Array]]
"""One tile's conductances `[rows cols]` to its effective conductances and a residual."""


def fold_tiles(
    g: Float[Array, "rows cols"], fold: Fold, *, tile: tuple[int, int]
) -> tuple[Float[Array, "rows cols"], Float[Array, ""]]:
    """Fold every tile of a layer; the remainder tiles at the right and at the bottom are cut to what is left.

    The currents of the tiles below each other add, so that the layer's effective matrix is its tiles' side by side.

    Args:
        g: conductances of the layer [S].
        fold: the array model; mapped over tiles of one shape one after the other.
        tile: rows and columns of one array.

    Returns:
        The effective conductances [S], and the largest residual of the tiles.

    Raises:
        ValueError: a tile without rows or columns.
    """
    if min(tile) < 1:
        raise ValueError(f"tile must have at least one row and one column, got {tile[0]}×{tile[1]}")
    row_edges, col_edges = _edges(g.shape[0], tile[0]), _edges(g.shape[1], tile[1])
    bands: list[Array] = []
    residual = jnp.zeros(())
    for top, bottom in row_edges:
        blocks: list[Array] = []
        for left, right in col_edges:
            part, error = _fold_grid(g[top:bottom, left:right], fold, tile=tile)
            blocks.append(part)
            residual = jnp.maximum(residual, error.astype(residual.dtype))
        bands.append(jnp.concatenate(blocks, axis=1))
    return jnp.concatenate(bands, axis=0), residual


def tile_count(shape: tuple[int, int], tile: tuple[int, int]) -> int:
    """Arrays that a layer of `shape` [rows cols] takes; remainder tiles count whole."""
    return -(-shape[0] // tile[0]) * -(-shape[1] // tile[1])


def _edges(length: int, size: int) -> list[tuple[int, int]]:
    """The stretch of whole tiles, and the remainder; either can be missing."""
    whole = length // size * size
    return [(start, stop) for start, stop in ((0, whole), (whole, length)) if stop > start]


def _fold_grid(g: Array, fold: Fold, *, tile: tuple[int, int]) -> tuple[Array, Array]:
    """A stretch of equal tiles: cut, folded one after the other, and put together again."""
    rows, cols = min(tile[0], g.shape[0]), min(tile[1], g.shape[1])
    n_rows, n_cols = g.shape[0] // rows, g.shape[1] // cols
    tiles = g.reshape(n_rows, rows, n_cols, cols).swapaxes(1, 2).reshape(-1, rows, cols)
    folded, residuals = jax.lax.map(fold, tiles)
    return folded.reshape(n_rows, n_cols, rows, cols).swapaxes(1, 2).reshape(g.shape), residuals.max()
