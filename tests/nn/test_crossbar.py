import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.nn.crossbar import to_crossbar
from xbar_cli.nn.shapes import layer_shapes, parameters
from xbar_cli.train.neat import restrict_network


class Own(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Conv(1, 4, (3, 3), strides=2, padding="SAME", rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(64, 6, rngs=rngs), nnx.Linear(6, 3, use_bias=False, rngs=rngs)])

    def __call__(self, x):
        x = nnx.relu(self.first(x)).reshape(x.shape[0], -1)
        return self.blocks[1](nnx.relu(self.blocks[0](x)))


IMAGES = jax.random.uniform(jax.random.key(0), (5, 8, 8, 1))


def test_the_same_outputs_and_every_product_where_it_is_sent():
    own = Own(nnx.Rngs(0))
    net = to_crossbar(own)
    np.testing.assert_allclose(net(IMAGES), own(IMAGES), rtol=1e-5, atol=1e-6)
    shapes = layer_shapes(net, shape=(8, 8, 1))
    assert [(s.name, s.kernel) for s in shapes] == [
        ("first", (3, 3, 1, 4)), ("blocks_0", (64, 6)), ("blocks_1", (6, 3)),
    ]  # fmt: skip
    doubled = net(IMAGES, lambda name, x, kernel, contract: contract(x, kernel * (1 + (name == "blocks_1"))))
    np.testing.assert_allclose(doubled, 2 * own(IMAGES), rtol=1e-5, atol=1e-6)
    assert {n for n in parameters(net) if n.endswith("kernel")} == {f"{s.name}.kernel" for s in shapes}


def test_training_methods_take_it_and_the_original_stays():
    own = Own(nnx.Rngs(0))
    net = to_crossbar(own)
    before = restrict_network(net, {"blocks_0": 0.01})
    assert before["blocks_0"] < 1
    assert float(jnp.abs(net.blocks_0.kernel[...]).max()) == pytest.approx(0.01)
    assert float(jnp.abs(net.zz_module.blocks[0].kernel[...]).max()) == pytest.approx(0.01)
    assert float(jnp.abs(own.blocks[0].kernel[...]).max()) > 0.05


def test_what_arrays_cannot_hold_is_said():
    with pytest.raises(ValueError, match="must have an nnx"):
        to_crossbar(nnx.BatchNorm(3, rngs=nnx.Rngs(0)))

    class Grouped(nnx.Module):
        def __init__(self):
            self.conv = nnx.Conv(4, 4, (3, 3), feature_group_count=2, padding="CIRCULAR", rngs=nnx.Rngs(0))

    with pytest.raises(ValueError, match="one group, padding"):
        to_crossbar(Grouped())
