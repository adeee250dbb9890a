"""How far a folded or swept layer of wired 1T-1R arrays is from Newton's method, on reads of its own inputs."""

import itertools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from xbar_cli.array.wired.newton import gated_wired, require_solved
from xbar_cli.nn.wired.folded import FoldedWiredLayer
from xbar_cli.nn.wired.solved import WiredLayer
from xbar_cli.nn.wired.swept import SweptWiredLayer
from xbar_cli.types import Array

TILES = 4
"""Tiles of a layer that are compared, evenly spread over it."""


@dataclass(frozen=True)
class WiredCertificate:
    """Differences of column currents from those of Newton's method, over the largest current of the tile in these reads.

    Attributes:
        largest: of all columns, reads and tiles.
        mean: over them.
        reads: compared in each tile.
        tiles: compared.
        of: tiles of the layer.
    """

    largest: float
    mean: float
    reads: int
    tiles: int
    of: int


def certify(
    layer: WiredLayer, quick: FoldedWiredLayer | SweptWiredLayer, share: Float[Array, "reads rows"], *, name: str
) -> WiredCertificate:
    """Compare a quick way to read a layer, on some of its tiles.

    The reads are the row drive `share` of v_max; two phases count as reads of their own.

    Raises:
        ModelError: Newton's method does not solve a tile.
    """
    groups, (height, width) = layer.scale.readout.groups, layer.tile
    rows, columns = layer.g.shape[0], layer.g.shape[1] // groups
    places = itertools.product(range(groups), range(-(-rows // height)), range(-(-columns // width)))
    tiles = list(places)
    phases = [share, -share] if layer.signed else [share]
    v = layer.v_max * jnp.concatenate([jnp.maximum(phase, 0) for phase in phases])
    v = v.reshape(-1, groups, rows)
    g = layer.g.reshape(rows, groups, columns)
    errors: list[tuple[float, float]] = []
    chosen = [tiles[round(place)] for place in np.linspace(0, len(tiles) - 1, min(TILES, len(tiles)))]
    for group, band, across in chosen:
        part, cols = slice(band * height, (band + 1) * height), slice(across * width, (across + 1) * width)
        cells, driven = np.asarray(g[part, group, cols]), np.asarray(v[:, group, part])
        where = f"layer {name}, group {group}, rows {part.start}… and columns {cols.start}…"
        exact = _solved(layer, cells, driven, where=where)
        ours = np.asarray(quick.band(group, band, jnp.asarray(driven)))[:, cols]
        apart = np.abs(ours - exact) / max(float(np.abs(exact).max()), np.finfo(np.float32).tiny)
        errors.append((float(apart.max()), float(apart.mean())))
    largest, mean = np.asarray(errors).T
    return WiredCertificate(float(largest.max()), float(mean.mean()), v.shape[0], len(chosen), len(tiles))


def _solved(layer: WiredLayer, g: np.ndarray, v: np.ndarray, *, where: str) -> np.ndarray:
    """Currents of the tile `g` by Newton's method, in the shape of a whole one: one shape is compiled for a network."""
    above, right = layer.tile[0] - g.shape[0], layer.tile[1] - g.shape[1]
    fill = lambda array: jnp.pad(jnp.asarray(array), ((above, 0), (0, right)))  # noqa: E731
    inputs = jnp.pad(jnp.asarray(v), ((0, 0), (above, 0)))
    found = gated_wired(layer.surrogate, fill(g), inputs, layer.wires, there=fill(np.ones_like(g)))
    require_solved(found, tile=where, surrogate=layer.surrogate)
    return np.asarray(found.current, np.float64)[:, : g.shape[1]]
