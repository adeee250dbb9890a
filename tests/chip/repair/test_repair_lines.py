"""Lines that change places: the best of all orders of few lines, spare ones, and what resistances ask for."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.nodal import nodal
from xbar_cli.array.wires import Wires
from xbar_cli.chip.repair.grid import TileGrid, at_places
from xbar_cli.chip.repair.lines import Resistances, Sited, best_places, moved
from xbar_cli.chip.repair.signs import flipped
from xbar_cli.chip.repair.units import Units
from xbar_cli.device.faults import Faults

NO_WIRES = Resistances()
ALONE = Units((1.0,), False, False, low=1.0, high=10.0)
PAIRS = Units((1.0, -1.0), True, False, low=1.0, high=10.0)
RNG = np.random.default_rng(4)


def layer(shape, grid, units, rate=0.3):
    target = jnp.asarray(RNG.uniform(1, 10, shape), jnp.float32)
    stuck = jnp.asarray(RNG.random(grid.built) < rate)
    held = jnp.asarray(RNG.choice([0.0, 1.0, 10.0], grid.built), jnp.float32)
    return Sited(target, Faults(stuck, held), grid, units)


def cost(sited, places):
    stuck, held = np.asarray(sited.faults.stuck).ravel()[places], np.asarray(sited.faults.held).ravel()[places]
    away = np.where(stuck, held - np.asarray(sited.target), 0.0)
    if sited.units.size == 2:
        away = away[:, 0::2] - away[:, 1::2]
    return (away**2).sum()


@pytest.mark.parametrize("shape", [(5, 5), (4, 6), (3, 5)])
def test_assignments_are_the_best_of_all(shape):
    costs = RNG.random(shape)
    found = np.asarray(best_places(jnp.asarray(costs, jnp.float32)))
    lines = np.arange(shape[0])
    best = min(costs[lines, list(order)].sum() for order in itertools.permutations(range(shape[1]), shape[0]))
    assert len(set(found)) == shape[0]
    assert costs[lines, found].sum() == pytest.approx(best, rel=1e-5)


def test_rows_of_layers_whose_columns_stay_are_the_best_of_all_orders():
    grid = TileGrid(5, 3, 1, (8, 8), 1, 0)
    for _ in range(3):
        sited = layer((5, 3), grid, ALONE)
        (found,) = moved([sited], permute=True, flips=False, wires=NO_WIRES)
        orders = (np.array(order)[:, None] * 3 + np.arange(3) for order in itertools.permutations(range(6), 5))
        assert cost(sited, np.asarray(found)) == pytest.approx(min(cost(sited, order) for order in orders), rel=1e-5)


def test_spare_lines_alone_take_the_lines_that_cost_most():
    """A row that is not on a spare one is where it was; against all choices of rows for two spare ones."""
    grid = TileGrid(6, 4, 1, (6, 4), 2, 0)
    sited = layer((6, 4), grid, ALONE, rate=0.25)
    (found,) = moved([sited], permute=False, flips=False, wires=NO_WIRES)
    best = np.inf
    for first, second in itertools.permutations([None, *range(6)], 2):
        rows = np.arange(6)
        for spare, row in ((6, first), (7, second)):
            if row is not None:
                rows[row] = spare
        best = min(best, cost(sited, rows[:, None] * 4 + np.arange(4)))
    row = np.asarray(found)[:, 0] // 4
    assert ((row == np.arange(6)) | (row >= 6)).all()
    assert cost(sited, np.asarray(found)) == pytest.approx(best, rel=1e-5)


def test_a_dead_row_and_a_dead_column_go_to_spare_ones():
    grid = TileGrid(4, 4, 1, (4, 4), 1, 2)
    target = jnp.asarray(RNG.uniform(2, 9, (4, 4)), jnp.float32)
    stuck = np.zeros(grid.built, bool)
    stuck[2], stuck[:, 0] = True, True
    sited = Sited(target, Faults(jnp.asarray(stuck), jnp.zeros(grid.built)), grid, PAIRS)
    (found,) = moved([sited], permute=False, flips=False, wires=NO_WIRES)
    row, column = np.divmod(np.asarray(found), grid.built[1])
    assert row[:, 0].tolist() == [0, 1, 4, 3]
    assert column[0].tolist() == [4, 5, 2, 3]
    assert cost(sited, np.asarray(found)) == 0


def test_several_tiles_and_layers_at_once_are_each_alone():
    grids = TileGrid(7, 6, 1, (4, 4), 1, 2), TileGrid(3, 8, 2, (4, 4), 1, 2)
    layers = [layer(shape, grid, PAIRS) for shape, grid in zip(((7, 6), (3, 8)), grids, strict=True)]
    together = moved(layers, permute=True, flips=False, wires=NO_WIRES)
    for sited, both in zip(layers, together, strict=True):
        (alone,) = moved([sited], permute=True, flips=False, wires=NO_WIRES)
        assert cost(sited, np.asarray(both)) == pytest.approx(cost(sited, np.asarray(alone)), rel=1e-4)
        assert cost(sited, np.asarray(both)) <= cost(sited, sited.grid.places)


def test_heavy_lines_go_near_drivers_and_sinks_where_lines_have_resistance():
    """The effective conductances of an exact array are then nearer to the devices' own; without resistance nothing moves."""
    g = 1e-5 * np.outer(np.linspace(10, 1, 12), np.linspace(1, 10, 12)) / 10
    grid, units = TileGrid(12, 12, 1, (12, 12)), Units((1.0, -1.0), True, False, low=1e-6, high=1e-5)
    free = Faults(jnp.zeros(grid.built, bool), jnp.zeros(grid.built))
    sited = Sited(jnp.asarray(g, jnp.float32), free, grid, units)
    (still,) = moved([sited], permute=True, flips=False, wires=NO_WIRES)
    np.testing.assert_array_equal(still, grid.places)
    (found,) = moved([sited], permute=True, flips=False, wires=Resistances(word=100.0, bit=100.0))
    row, column = np.divmod(np.asarray(found), 12)
    assert row[:, 0].tolist() == list(range(11, -1, -1))  # the heaviest next to the sinks
    assert column[0].tolist() == [10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1]

    def away(places):
        built = jnp.zeros(144).at[places.reshape(-1)].set(jnp.asarray(g, jnp.float32).reshape(-1)).reshape(12, 12)
        g_eff = at_places(nodal(built, Wires(word=100.0, bit=100.0)).g_eff, places)
        return float(jnp.square(g_eff - g).sum())

    assert away(jnp.asarray(found)) < 0.8 * away(jnp.asarray(grid.places))


def test_pairs_are_flipped_where_the_other_way_round_is_better():
    """For every pair of every tile by a loop, errors of devices that are stuck included."""
    grid = TileGrid(7, 8, 1, (4, 8))
    sited = layer((7, 8), grid, PAIRS)
    home = jnp.asarray(grid.places)
    found, share = flipped(sited.target, sited.faults, home, grid, PAIRS)
    turned = 0
    for rows in (slice(0, 4), slice(4, 7)):
        for pair in range(4):
            here = (rows, slice(2 * pair, 2 * pair + 2))
            other = np.asarray(home)[here][:, ::-1]
            part = sited._replace(target=sited.target[here])
            better = other if cost(part, other) < cost(part, np.asarray(home)[here]) else np.asarray(home)[here]
            turned += better is other
            np.testing.assert_array_equal(np.asarray(found)[here], better)
    assert 0 < turned < 8
    assert float(share) == turned / 8


@pytest.mark.parametrize("spares", [(0, 0), (2, 0), (0, 4), (1, 2)])
def test_parts_of_a_built_array_are_put_together_again(spares):
    grid = TileGrid(7, 12, 2, (3, 4), *spares)
    assert grid.built == (7 + 3 * spares[0], 12 + 4 * spares[1])
    built = jax.random.normal(jax.random.key(0), grid.built)
    core, *others = grid.parted(built)
    assert tuple(part.shape for part in others) == grid.spare_shapes
    np.testing.assert_array_equal(at_places(built, jnp.asarray(grid.places)), core)
    np.testing.assert_array_equal(grid.spread(core, *others), built)
