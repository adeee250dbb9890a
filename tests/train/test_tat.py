"""The arrays that tat trains through are those that an evaluation folds, and their closed form is near them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.pairs import halves
from xbar_cli.array.tiling import fold_layers
from xbar_cli.config.arrays import tile_fold
from xbar_cli.config.methods import TatArray
from xbar_cli.train.tat import dual_folds

ENDS = {"r_source_ohm": 200.0, "r_neuron_ohm": 100.0}
G = jax.random.normal(jax.random.key(0), (24, 10)) * 2e-5


@pytest.mark.parametrize("tile", [None, (10, 4)], ids=["whole", "tiles"])
@pytest.mark.parametrize(
    "given",
    [
        {"model": "published"},
        {"model": "published", "neuron": "separate"},
        {"model": "lumped"},
        {"model": "lumped", "neuron": "separate"},
        {"model": "nodal", "r_wire_word_ohm": 2.0, "r_wire_bit_ohm": 6.0},
    ],
    ids=lambda given: " ".join(map(str, given.values())),
)
def test_the_arrays_of_a_training_fold_as_those_of_an_evaluation(given, tile):
    array = TatArray.model_validate({**ENDS, **given}).known("ideal")
    exact, closed = dual_folds(array, tile=tile)
    columns = jnp.stack(halves(G), axis=-1).reshape(G.shape[0], -1)
    fold, size = tile_fold(array), (24, 20) if tile is None else (tile[0], 2 * tile[1])
    assert fold is not None
    folded = fold_layers({"a": columns}, fold, tile=size)["a"].g_eff
    wanted = folded[:, 0::2] - folded[:, 1::2]
    np.testing.assert_allclose(exact(G), wanted, rtol=2e-4, atol=1e-9)
    off = jnp.linalg.norm(closed(G) - wanted) / jnp.linalg.norm(G - wanted)
    assert float(off) < 0.2
