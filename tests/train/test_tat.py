"""The arrays that tat trains through are those that an evaluation folds, and their closed form is near them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.array.pairs import halves
from xbar_cli.array.tiling import fold_layers
from xbar_cli.config.arrays import tile_fold
from xbar_cli.config.methods import TatArray, TatMethod
from xbar_cli.config.train import TrainConfig
from xbar_cli.train.tat import dual_folds, on_arrays, quick_arrays
from xbar_cli.train.transforms import Site

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


@pytest.mark.parametrize("tile", [None, (10, 4)], ids=["whole", "tiles"])
@pytest.mark.parametrize("neuron", ["shared", "separate"])
def test_lumped_arrays_of_a_step_are_those_of_an_evaluation_to_float32_and_so_are_their_gradients(neuron, tile):
    array = TatArray.model_validate({**ENDS, "model": "lumped", "neuron": neuron}).known("ideal")
    quick, (exact, _) = quick_arrays(array, tile=tile), dual_folds(array, tile=tile)
    assert quick is not None
    wanted = exact(G)
    np.testing.assert_allclose(quick(G), wanted, atol=1e-6 * float(jnp.abs(wanted).max()))
    seen = jax.random.normal(jax.random.key(1), G.shape)
    found, wanted = (jax.grad(lambda g, fold=fold: jnp.sum(seen * fold(g)))(G) for fold in (quick, exact))
    np.testing.assert_allclose(found, wanted, atol=3e-6 * float(jnp.abs(wanted).max()))


def test_a_step_that_solves_its_arrays_takes_the_quick_ones_and_a_measurement_the_exact_ones():
    config = TrainConfig.model_validate(
        {"method": "tat", "technology": "taox", "refold": 1, "array": {"model": "lumped", **ENDS}}
    )
    section = config.method
    assert isinstance(section, TatMethod)
    rule = replace(
        on_arrays(section, config.array, config.mapping, []), arrays=lambda g: 2 * g, stepped=lambda g: 3 * g
    )
    kernel = jnp.asarray([[0.5, -1.0]])
    decoded = rule.discretised(kernel, jnp.asarray(1.0))
    layer = nnx.Linear(1, 2, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(rule(Site("a", layer=layer), kernel), 2 * decoded, rtol=1e-6)
    np.testing.assert_allclose(rule(Site("a", layer=layer, step=jnp.asarray(0)), kernel), 3 * decoded, rtol=1e-6)
    np.testing.assert_allclose(rule.solved(kernel), 2 * decoded, rtol=1e-6)
