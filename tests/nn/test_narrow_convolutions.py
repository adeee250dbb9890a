"""Convolutions of one channel in blocks are the convolution, to the bit, and so are their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.nn import contracts
from xbar_cli.nn.contracts import Convolution

BLOCKS = "convolved_in_blocks"


@pytest.mark.parametrize(
    ("size", "window", "padding"),
    [((28, 28), 5, "SAME"), ((28, 28), 5, "VALID"), ((27, 30), 5, "VALID"), ((31, 32), 4, ((1, 2), (0, 3)))],
)
def test_blocks_are_the_convolution(size, window, padding, monkeypatch):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(3, *size, 1)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(window, window, 1, 6)), jnp.float32)
    product = Convolution(padding)

    def both(x, kernel):
        slopes = jax.grad(lambda x, k: jnp.square(product(x, k)).sum(), argnums=(0, 1))(x, kernel)
        return product(x, kernel), *slopes, jax.jvp(product, (x, kernel), (x, 2 * kernel))[1]

    assert BLOCKS in str(jax.make_jaxpr(product)(x, kernel))
    found = jax.jit(both)(x, kernel)
    monkeypatch.setattr(contracts, "FEW", 0)
    wanted = jax.jit(lambda x, kernel: both(x, kernel))(x, kernel)
    assert BLOCKS not in str(jax.make_jaxpr(lambda x, k: product(x, k))(x, kernel))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_of_several_kernels(monkeypatch):
    """Chips at once, each with its own."""
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(2, 28, 28, 1)), jnp.float32)
    kernels = jnp.asarray(rng.normal(size=(3, 5, 5, 1, 6)), jnp.float32)
    found = jax.vmap(lambda kernel: Convolution("SAME")(x, kernel))(kernels)
    monkeypatch.setattr(contracts, "FEW", 0)
    for one, kernel in zip(found, kernels, strict=True):
        np.testing.assert_allclose(one, Convolution("SAME")(x, kernel), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("product", "kernel"),
    [
        (Convolution("SAME", stride=2), (5, 5, 1, 6)),
        (Convolution("SAME", dilation=2), (5, 5, 1, 6)),
        (Convolution("SAME"), (5, 5, 1, 16)),
        (Convolution("SAME"), (3, 3, 1, 6)),
        (Convolution("SAME"), (5, 5, 3, 6)),
    ],
)
def test_others_are_not_in_blocks(product, kernel):
    x = jnp.ones((1, 28, 28, kernel[2]))
    assert BLOCKS not in str(jax.make_jaxpr(product)(x, jnp.ones(kernel)))
