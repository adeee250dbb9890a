"""Lines that change places: rows, and columns, of a tile go where its faults, and its resistances, harm them least.

The best places of rows for given places of columns, and the other way round, are an assignment problem, solved exactly; the
two take turns. Spare lines are places more. Without `permute` a line stays, or goes to a spare one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from optax.assignment import hungarian_algorithm

from xbar_cli.chip.repair.grid import TileGrid
from xbar_cli.chip.repair.units import Units
from xbar_cli.device.faults import Faults

Lines = NDArray[np.int64]
ROUNDS = 2
"""How often rows and columns are assigned in turn."""
NEVER = 1e5
"""The cost of a place that is none, in squares of the largest conductance."""
MOVE = 1e-6
"""The cost of moving a line, likewise: where nothing is won nothing is moved."""


class Resistances(NamedTuple):
    """Of the segments of word lines and bit lines [ohm]."""

    word: float = 0.0
    bit: float = 0.0


class Sited(NamedTuple):
    """The devices of a layer before they have their places.

    Attributes:
        target: conductances [rows columns] [S].
        faults: of the built array.
        grid: the tiles and their spare lines.
        units: devices of a row that belong together, and move together.
    """

    target: Array
    faults: Faults
    grid: TileGrid
    units: Units


class Tiles(NamedTuple):
    """Tiles in one shape, in units of the largest conductance; what a tile lacks of lines has the number −1.

    Attributes:
        wanted: conductances [tiles rows columns].
        stuck: whether devices of the built tiles are [tiles, built rows, built columns].
        held: at what they are.
        rows: of the layer [tiles rows].
        built_rows: of the built array [tiles, built rows].
        columns: of the layer [tiles columns].
        built_columns: of the built array [tiles, built columns].
        low: the least conductance that a device is programmed to [tiles].
        high: the largest, in siemens [tiles].
    """

    wanted: Array
    stuck: Array
    held: Array
    rows: Array
    built_rows: Array
    columns: Array
    built_columns: Array
    low: Array
    high: Array


def moved(layers: Sequence[Sited], *, permute: bool, flips: bool, wires: Resistances) -> list[Array]:
    """The places [rows columns] of each layer's devices in its built array.

    The tiles of all layers are assigned one after the other by one program, which is compiled once.

    Args:
        layers: their devices, whose units have one structure.
        permute: whether lines may take each other's places, and not spare ones alone.
        flips: whether pairs may be flipped afterwards, which columns are then chosen for.
        wires: resistances of lines; heavy columns then go near the drivers, heavy rows near the sinks.

    Accuracy:
        Rows for given columns (and columns for given rows) are the best ones; both together are a local optimum.

    References:
        Crouse, On implementing 2D rectangular assignment algorithms, IEEE TAES 52, 1679 (2016): what optax solves.
    """
    height = max(len(own) for layer in layers for own, _ in layer.grid.bands)
    width = max(len(own) for layer in layers for own, _ in layer.grid.strips)
    tiles = [_tiles_of(layer, height, width) for layer in layers]
    units = layers[0].units

    def assigned(tile: Tiles) -> tuple[Array, Array]:
        row, column = _assigned(tile, units, permute=permute, flips=flips, wires=wires)
        return tile.built_rows[row], tile.built_columns[column]

    rows, columns = jax.lax.map(assigned, jax.tree.map(lambda *parts: jnp.concatenate(parts), *tiles))
    ends = np.cumsum([len(part.rows) for part in tiles])[:-1]
    chosen = zip(jnp.split(rows, ends), jnp.split(columns, ends), strict=True)
    return [_places(layer, part, *lines) for layer, part, lines in zip(layers, tiles, chosen, strict=True)]


def _tiles_of(layer: Sited, height: int, width: int) -> Tiles:
    """The tiles of a layer, filled up to `height` rows and `width` columns."""
    own_rows, built_rows = _padded(layer.grid.bands, height, layer.grid.spare_rows)
    own_columns, built_columns = _padded(layer.grid.strips, width, layer.grid.spare_columns)
    down, across = (index.reshape(-1) for index in np.indices((len(own_rows), len(own_columns))))
    rows, there_rows, columns, there_columns = (
        own_rows[down], built_rows[down], own_columns[across], built_columns[across]
    )  # fmt: skip
    own, there = _both(rows, columns), _both(there_rows, there_columns)
    unit = jnp.full(len(rows), layer.units.high, layer.target.dtype)
    return Tiles(
        wanted=jnp.where(own, _of(layer.target, rows, columns) / unit[:, None, None], 0),
        stuck=_of(layer.faults.stuck, there_rows, there_columns) & there,
        held=_of(layer.faults.held, there_rows, there_columns) / unit[:, None, None],
        rows=jnp.asarray(rows), built_rows=jnp.asarray(there_rows),
        columns=jnp.asarray(columns), built_columns=jnp.asarray(there_columns),
        low=layer.units.low / unit, high=unit,
    )  # fmt: skip


def _places(layer: Sited, tiles: Tiles, rows: Array, columns: Array) -> Array:
    """The places of a layer's devices whose tiles' lines have these built ones [tiles lines]."""
    found = rows[:, :, None] * layer.grid.built[1] + columns[:, None, :]
    shape = layer.target.shape
    r, c = (jnp.where(own < 0, size, own) for own, size in zip((tiles.rows, tiles.columns), shape, strict=True))
    places = jnp.zeros(shape, jnp.int32)
    return places.at[r[:, :, None], c[:, None, :]].set(found.astype(jnp.int32), mode="drop")


def _assigned(tile: Tiles, units: Units, *, permute: bool, flips: bool, wires: Resistances) -> tuple[Array, Array]:
    """The places of a tile's rows and of its columns, by number among the built ones."""
    size, wanted, faults = units.size, tile.wanted, Faults(tile.stuck, tile.held)
    units = replace(units, low=tile.low, high=1.0)
    word, bit = wires.word * tile.high, wires.bit * tile.high  # times conductances over the largest
    row_rules = _rules(tile.rows, tile.built_rows, permute=permute)
    row_rules = row_rules + _burden_of_rows(wanted, len(tile.built_rows), bit)
    column_rules = _rules(tile.columns[::size], tile.built_columns[::size], permute=permute)
    column_rules = column_rules + _burden_of_columns(wanted, len(tile.built_columns), size, word)

    def turn(_: int, chosen: tuple[Array, Array]) -> tuple[Array, Array]:
        column = chosen[1]
        row = best_places(_row_costs(wanted, _taken(faults, column, axis=1), units) + row_rules)
        if not units.movable:
            return row, column
        costs = _column_costs(wanted, _taken(faults, row, axis=0), units, flips=flips)
        unit = best_places(costs + column_rules)
        return row, (unit[:, None] * size + jnp.arange(size)[None]).reshape(-1)

    return jax.lax.fori_loop(0, ROUNDS, turn, (jnp.arange(len(tile.rows)), jnp.arange(len(tile.columns))))


def best_places(costs: Array) -> Array:
    """The places [lines] of the least summed cost, of `costs` [lines places], each given once."""
    line, place = hungarian_algorithm(costs)
    return jnp.zeros(costs.shape[0], place.dtype).at[line].set(place)


def _row_costs(wanted: Array, faults: Faults, units: Units) -> Array:
    """What faults cost each row in each place [rows places]."""
    stuck, held = units.split(faults.stuck), units.split(faults.held)
    return jax.lax.map(lambda row: units.error(row[None], stuck, held).sum(axis=-1), units.split(wanted))


def _column_costs(wanted: Array, faults: Faults, units: Units, *, flips: bool) -> Array:
    """What faults cost each unit of columns in each place [units places], the better way round where pairs may be flipped."""
    stuck, held = units.split(faults.stuck), units.split(faults.held)

    def of_unit(target: Array) -> Array:
        cost = units.error(target[:, None], stuck, held).sum(axis=0)
        if not flips:
            return cost
        return jnp.minimum(cost, units.error(target[:, None], stuck[..., ::-1], held[..., ::-1]).sum(axis=0))

    return jax.lax.map(of_unit, jnp.moveaxis(units.split(wanted), 1, 0))


def _rules(own: Array, there: Array, *, permute: bool) -> Array:
    """What keeps lines from places that are none, and from moving for nothing [lines places]."""
    line, place = jnp.arange(len(own))[:, None], jnp.arange(len(there))[None]
    allowed = (own < 0)[:, None] == (there < 0)[None]
    if not permute:
        allowed &= (line == place) | (place >= len(own))
    return jnp.where(allowed, jnp.where(line == place, 0.0, MOVE), NEVER)


def _burden_of_rows(wanted: Array, places: int, ohm: Array) -> Array:
    """Square of what a bit line's resistance takes of each row's devices in each place, to first order [rows places].

    All rows being driven alike, the current of a bit line grows evenly towards its sink, below the last row.
    """
    share = jnp.arange(1, places + 1) / places
    drop = ohm * jnp.cumsum(share[::-1])[::-1]
    load = wanted.sum(axis=0, keepdims=True)
    return jnp.square(wanted * load).sum(axis=1)[:, None] * jnp.square(drop)[None]


def _burden_of_columns(wanted: Array, places: int, size: int, ohm: Array) -> Array:
    """The same of word lines, whose drivers stand before the first column [units places]."""
    share = 1 - jnp.arange(places) / places
    drop = (ohm * jnp.cumsum(share)).reshape(-1, size).mean(axis=1)
    load = wanted.sum(axis=1, keepdims=True)
    return jnp.square(wanted * load).sum(axis=0).reshape(-1, size).sum(axis=1)[:, None] * jnp.square(drop)[None]


def _taken(faults: Faults, places: Array, *, axis: int) -> Faults:
    return Faults(*(jnp.take(part, places, axis=axis) for part in faults))


def _of(values: Array, rows: Lines, columns: Lines) -> Array:
    """The parts of a matrix [tiles rows columns] at some rows and columns; where there is none (−1) they are those of others."""
    return values[np.maximum(rows, 0)[:, :, None], np.maximum(columns, 0)[:, None, :]]


def _both(rows: Lines, columns: Lines) -> NDArray[np.bool_]:
    return (rows >= 0)[:, :, None] & (columns >= 0)[:, None, :]


def _padded(parts: list[tuple[Lines, Lines]], most: int, spares: int) -> tuple[Lines, Lines]:
    """Lines [parts most], and built lines [parts most + spares], with −1 where a part has fewer; spare ones are the last."""
    own, built = np.full((len(parts), most), -1), np.full((len(parts), most + spares), -1)
    for number, (lines, places) in enumerate(parts):
        own[number, : len(lines)], built[number, : len(lines)] = lines, places[: len(lines)]
        built[number, most:] = places[len(lines) :]
    return own, built
