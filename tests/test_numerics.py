"""Streams of random numbers, straight-through gradients and the float64 scope."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.errors import ConfigError
from xbar_cli.numerics import along_last, in_float64, namespace, require_memory, straight_through, stream

X = jnp.asarray([0.2, 0.7, 1.6, -2.4])


def test_the_forward_pass_is_rounded_and_the_gradient_is_not():
    np.testing.assert_allclose(straight_through(jnp.round, X), np.round(X))
    weights = jnp.asarray([1.0, -2.0, 3.0, 0.5])
    found = jax.grad(lambda x: jnp.sum(weights * straight_through(jnp.round, x)))(X)
    np.testing.assert_array_equal(found, weights)


def test_streams_depend_on_the_key_and_the_name_alone():
    key = jax.random.key(3)
    one, again = stream(key, "layer conv1"), stream(jax.random.key(3), "layer conv1")
    others = [stream(key, "layer conv2"), stream(jax.random.key(4), "layer conv1"), stream(one, "layer conv1"), key]
    assert (jax.random.key_data(one) == jax.random.key_data(again)).all()
    assert all((jax.random.key_data(one) != jax.random.key_data(other)).any() for other in others)


def test_namespaces_are_those_of_the_arrays():
    assert namespace(np.ones(2)) is np
    assert namespace(jnp.ones(2)).asarray(1.0).device == jnp.ones(2).device


def test_a_vector_lies_along_the_last_axis_of_whatever_it_meets():
    v = jnp.arange(3.0)
    for shape in ((3,), (2, 3), (4, 2, 3)):
        assert along_last(v, jnp.ones(shape)).shape == (1,) * (len(shape) - 1) + (3,)
        np.testing.assert_array_equal(jnp.ones(shape) * along_last(v, jnp.ones(shape)), np.ones(shape) * np.arange(3))


def lost_in_float32(x, shift):
    """(x + shift) − shift, of which float32 keeps nothing."""
    return (x + shift) - shift


@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_what_float32_loses_is_kept_in_the_scope_and_comes_back_as_float32(around):
    wide = around(lambda x: in_float64(lost_in_float32, x, 1e9))
    found = wide(X)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, X, rtol=1e-6)
    assert not np.allclose(lost_in_float32(X, jnp.float32(1e9)), X, rtol=1e-2)


def test_gradients_and_batches_pass_through_the_scope():
    def cube(x):
        return in_float64(lambda y: {"cube": lost_in_float32(y**3, 1e8)}, x)["cube"]

    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(cube)))(X), 3 * np.asarray(X) ** 2, rtol=1e-6)
    np.testing.assert_allclose(jax.lax.map(cube, X), np.asarray(X) ** 3, rtol=1e-6)


def test_whole_numbers_and_python_numbers_pass_unchanged():
    seen = []

    def look(x, n, factor):
        seen.append((n.dtype, type(factor)))
        return x * factor + n.astype(x.dtype)

    found = in_float64(look, X, jnp.asarray([1, 2, 3, 4]), 2)
    np.testing.assert_allclose(found, 2 * np.asarray(X) + [1, 2, 3, 4], rtol=1e-6)
    assert seen == [(jnp.int32, int)]


def test_in_float64_already_nothing_is_wrapped_so_that_forward_mode_works():
    with jax.enable_x64(True):
        x = jnp.asarray(2.0)
        value, slope = jax.jvp(lambda y: in_float64(lambda z: z**3, y), (x,), (jnp.ones_like(x),))
        assert value.dtype == jnp.float64
    assert (float(value), float(slope)) == (8.0, 12.0)


def test_what_no_machine_has_is_refused_with_its_size():
    require_memory(2**20, of="a small step", less="training.batch_size")
    with pytest.raises(ConfigError, match=r"a step takes about 9.31e\+08 GiB of memory.*reduce training.batch_size"):
        require_memory(1e18, of="a step", less="training.batch_size")
