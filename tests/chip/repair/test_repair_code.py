"""Checksums: a column that is cut off comes back exactly, the best one of each tile is replaced, and by a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.chip.repair.code import Checksum, corrected, difference, flagged, replaced_outputs, sums_of
from xbar_cli.chip.repair.grid import TileGrid
from xbar_cli.chip.repair.units import Units

UNITS = Units((1.0, -1.0), True, False, 1.0, 10.0)
GRID = TileGrid(7, 14, 1, (4, 8))  # tiles of 4 and 3 rows, of 4 and 3 outputs
RNG = np.random.default_rng(2)
PAIRS = np.stack([np.maximum(w := RNG.uniform(-9, 9, (7, 7)), 0), np.maximum(-w, 0)], axis=-1).reshape(7, 14)
TARGET = jnp.asarray(1 + PAIRS, jnp.float32)
NOTHING = jnp.zeros((2, 7), bool)


def tiles():
    for band, rows in enumerate((slice(0, 4), slice(4, 7))):
        for strip, outputs in enumerate((range(4), range(4, 7))):
            yield band, rows, strip, list(outputs)


def test_checksum_columns_hold_the_scaled_sums_within_the_range():
    sums = sums_of(TARGET, GRID, UNITS)
    held = float(sums.factor) * np.asarray(difference(sums.target))
    for _, rows, strip, outputs in tiles():
        np.testing.assert_allclose(held[rows, strip], w[rows][:, outputs].sum(axis=1), rtol=1e-5, atol=1e-5)
    assert float(sums.target.min()) >= 1
    assert float(sums.target.max()) == pytest.approx(10)


def test_a_column_that_is_cut_off_comes_back_exactly():
    sums = sums_of(TARGET, GRID, UNITS)
    dead = TARGET.at[:4, 4:6].set(0).at[4:, 12:14].set(0)  # output 2 of the first tile, 6 of the last
    errors = difference(dead) - difference(TARGET)
    replaced = replaced_outputs(errors, jnp.zeros((7, 2)), sums.factor, GRID)
    assert [tuple(at) for at in np.argwhere(replaced)] == [(0, 2), (1, 6)]
    found = corrected(dead, Checksum(sums.target, replaced, sums.factor), GRID)
    np.testing.assert_allclose(difference(found), w, atol=1e-4)


def test_outputs_are_replaced_where_that_leaves_less_error_and_only_there():
    """For every output of every tile by a loop."""
    rng = np.random.default_rng(5)
    sums = sums_of(TARGET, GRID, UNITS)
    for scale in (0.0, 0.5):
        errors = np.where(rng.random((7, 7)) < 0.3, rng.normal(size=(7, 7)) * 4, 0.0)
        of_sums = rng.normal(size=(7, 2)) * scale
        replaced = np.asarray(replaced_outputs(*map(jnp.asarray, (errors, of_sums)), sums.factor, GRID))
        for band, rows, strip, outputs in tiles():
            won = {}
            for output in outputs:
                others = sum(errors[rows, other] for other in outputs if other != output)
                after = float(sums.factor) * of_sums[rows, strip] - others
                won[output] = (errors[rows, output] ** 2).sum() - (after**2).sum()
            best = max(won, key=won.__getitem__)
            assert [n for n in outputs if replaced[band, n]] == ([best] if won[best] > 0 else [])


def test_a_test_read_flags_tiles_that_are_off():
    sums = sums_of(TARGET, GRID, UNITS)
    good = Checksum(sums.target, NOTHING, sums.factor)
    assert float(flagged(TARGET, good, GRID, UNITS)) == 0
    off = TARGET.at[0, 0].add(9.0)
    assert float(flagged(off, good, GRID, UNITS)) == 0.25
    np.testing.assert_array_equal(corrected(off, good, GRID), off)  # it corrects what is marked alone
    assert jax.tree.leaves(good)[0].dtype == jnp.float32
