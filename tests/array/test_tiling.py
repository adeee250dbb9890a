import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.lumped import lumped
from xbar_cli.array.tiling import RowGroups, fold_layers, row_groups
from xbar_cli.array.wires import Folded, Wires


def scaled_by_sum(tile):
    return Folded(tile * tile.sum(), jnp.abs(tile).max())


@pytest.mark.parametrize("tile", [(1, 1), (4, 3), (7, 5), (10, 9), (3, 100)])
def test_every_tile_folds_on_its_own_and_remainders_are_cut(tile):
    g = jax.random.uniform(jax.random.key(0), (10, 9))
    folded, residual = jax.jit(lambda g: fold_layers({"a": g}, scaled_by_sum, tile=tile)["a"])(g)
    expected = np.zeros((10, 9), np.float32)
    for i in range(0, 10, tile[0]):
        for j in range(0, 9, tile[1]):
            block = np.asarray(g)[i : i + tile[0], j : j + tile[1]]
            expected[i : i + tile[0], j : j + tile[1]] = block * block.sum()
    np.testing.assert_allclose(folded, expected, rtol=1e-5)
    assert float(residual) == pytest.approx(float(g.max()))


def test_small_tiles_suffer_less_from_resistances():
    g = jax.random.uniform(jax.random.key(1), (24, 20), minval=3e-6, maxval=3e-5)

    def loss(tile):
        fold = lambda t: lumped(t, Wires(source=500.0, neuron=100.0))  # noqa: E731
        return float(1 - jax.jit(lambda g: fold_layers({"a": g}, fold, tile=tile)["a"].g_eff)(g).sum() / g.sum())

    assert 0 < loss((6, 5)) < loss((12, 10)) < loss((24, 20))


def test_an_empty_tile_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        fold_layers({"a": jnp.ones((2, 2))}, scaled_by_sum, tile=(0, 4))


@pytest.mark.parametrize(
    ("rows", "height", "at_once", "found"),
    [
        (20, 8, None, [8, 8, 4]),
        (20, 8, 8, [8, 8, 4]),
        (20, 8, 65536, [8, 8, 4]),
        (20, 8, 3, [3, 3, 2, 3, 3, 2, 3, 1]),
        (20, 8, 4, [4, 4, 4, 4, 4]),
        (20, 8, 1, [1] * 20),
        (5, 8, 3, [3, 2]),
        (17, 8, 5, [5, 3, 5, 3, 1]),
    ],
)
def test_groups_of_rows_lie_in_one_tile_and_hold_every_row_once(rows, height, at_once, found):
    groups = row_groups(rows, height=height, at_once=at_once)
    assert groups.count == len(found)
    numbers = np.asarray(groups.spread(jnp.arange(1.0, rows + 1))).reshape(groups.count, groups.each)
    assert (numbers > 0).sum(axis=1).tolist() == found
    np.testing.assert_array_equal(numbers[numbers > 0], np.arange(1, rows + 1))
    for group, held in enumerate(numbers):
        bands = {int(n - 1) // height for n in held if n > 0}
        assert bands == {group // groups.a_band}
    matrices = jnp.outer(jnp.arange(1.0, rows + 1), jnp.array([1.0, 10.0, 100.0]))[None]
    np.testing.assert_array_equal(groups.split(matrices)[:, 0], numbers[..., None] * np.array([1.0, 10.0, 100.0]))


def test_a_group_without_rows_is_refused():
    with pytest.raises(ValueError, match="each must be from 1 to the 8 rows of a tile, got 0"):
        RowGroups(20, 8, 0)
