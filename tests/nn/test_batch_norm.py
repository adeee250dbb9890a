"""Batch norm on the digital side, against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.nn.norm import MOMENTUM, Norm, set_epsilon

X = np.random.default_rng(0).normal(2.0, 3.0, size=(6, 4, 4, 3)).astype(np.float32)


@pytest.fixture
def norm():
    made = Norm(3, rngs=nnx.Rngs(0))
    made.inner.scale[...] = jnp.asarray([1.0, 2.0, 0.5])
    made.inner.bias[...] = jnp.asarray([0.0, -1.0, 3.0])
    return made


def by_numpy(x, mean, var, epsilon):
    return (x - mean) / np.sqrt(var + epsilon) * np.array([1.0, 2.0, 0.5]) + np.array([0.0, -1.0, 3.0])


def test_a_training_pass_takes_the_batchs_own_statistics_and_remembers_a_tenth_of_them(norm):
    y = norm(jnp.asarray(X), training=True)
    mean, var = X.mean(axis=(0, 1, 2)), X.var(axis=(0, 1, 2))
    np.testing.assert_allclose(y, by_numpy(X, mean, var, norm.inner.epsilon), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(norm.inner.mean[...], (1 - MOMENTUM) * mean, rtol=1e-4)
    np.testing.assert_allclose(norm.inner.var[...], MOMENTUM + (1 - MOMENTUM) * var, rtol=1e-4)


def test_out_of_training_the_running_statistics_hold_and_stay(norm):
    norm.inner.mean[...], norm.inner.var[...] = jnp.full(3, 2.0), jnp.full(3, 9.0)
    y = norm(jnp.asarray(X), training=False)
    np.testing.assert_allclose(y, by_numpy(X, 2.0, 9.0, norm.inner.epsilon), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(norm.inner.mean[...], 2.0)
    one = norm(jnp.asarray(X[:1]), training=False)
    np.testing.assert_allclose(one, y[:1], rtol=1e-6)


def test_epsilon_is_set_in_every_norm_and_bounds_the_gain_of_an_output_that_does_not_vary():
    class Two(nnx.Module):
        def __init__(self):
            self.first = Norm(3, rngs=nnx.Rngs(0))
            self.inside = nnx.List([Norm(3, rngs=nnx.Rngs(0))])

    net = Two()
    set_epsilon(net, 0.25)
    assert {net.first.inner.epsilon, net.inside[0].inner.epsilon} == {0.25}
    constant = jnp.full((4, 3), 7.0)
    np.testing.assert_allclose(net.first(constant, training=True), 0, atol=1e-6)
    net.first.inner.mean[...], net.first.inner.var[...] = jnp.full(3, 6.0), jnp.zeros(3)
    np.testing.assert_allclose(net.first(constant, training=False), 1 / np.sqrt(0.25), rtol=1e-6)
