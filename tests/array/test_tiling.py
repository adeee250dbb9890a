import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.lumped import lumped
from xbar_cli.array.tiling import fold_tiles, tile_count


def scaled_by_sum(tile):
    return tile * tile.sum(), jnp.abs(tile).max()


@pytest.mark.parametrize("tile", [(1, 1), (4, 3), (7, 5), (10, 9), (3, 100)])
def test_every_tile_folds_on_its_own_and_remainders_are_cut(tile):
    g = jax.random.uniform(jax.random.key(0), (10, 9))
    folded, residual = jax.jit(lambda g: fold_tiles(g, scaled_by_sum, tile=tile))(g)
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
        fold = lambda t: (lumped(t, r_source=500.0, r_neuron=100.0), jnp.zeros(()))  # noqa: E731
        return float(1 - jax.jit(lambda g: fold_tiles(g, fold, tile=tile)[0])(g).sum() / g.sum())

    assert 0 < loss((6, 5)) < loss((12, 10)) < loss((24, 20))


def test_tiles_are_counted_whole():
    assert tile_count((784, 1000), (64, 100)) == 13 * 10
    assert tile_count((1, 1), (64, 64)) == 1


def test_an_empty_tile_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        fold_tiles(jnp.ones((2, 2)), scaled_by_sum, tile=(0, 4))
