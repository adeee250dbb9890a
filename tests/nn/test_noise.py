import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.gated import Drive
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.contracts import Convolution, dense
from xbar_cli.nn.noise import gated_noise, linear_noise
from xbar_cli.nn.program import Scale, gated_layer

FMT = SliceFormat(weight_bits=4, fraction_bits=2, device_bits=2, encoding="offset")
READOUTS = [Readout("de"), Readout("bc"), Readout("acm"), Readout("bitslice", FMT)]
DRAWS = 20_000


def inputs(*shape):
    return jax.random.uniform(jax.random.key(7), shape, minval=-1.0)


def draws(noise, x, contract):
    """Noise of the outputs [DRAWS out] of one input, drawn again and again."""
    many = jax.jit(lambda x: noise(jax.random.key(1), x, contract, first=jnp.asarray(0)))
    return np.asarray(many(jnp.broadcast_to(x, (DRAWS, *x.shape))))


@pytest.mark.parametrize("readout", READOUTS, ids=lambda r: r.scheme)
def test_linear_noise_is_that_of_devices_drawn_anew(readout):
    columns = readout.columns(3)
    g = jax.random.uniform(jax.random.key(2), (12, columns), minval=3e-6, maxval=33e-6)
    sigma = 0.05 * g
    scale = Scale(readout, (12, 3), jnp.asarray(1e-5))
    x = inputs(12)
    found = draws(linear_noise(sigma, scale=scale), x, dense)
    moved = sigma[None] * jax.random.normal(jax.random.key(3), (DRAWS, *g.shape))
    direct = np.asarray(x @ scale.weights(moved))
    np.testing.assert_allclose(found.std(axis=0), direct.std(axis=0), rtol=0.03)
    assert abs(found.mean(axis=0) / found.std(axis=0)).max() < 4 / np.sqrt(DRAWS)
    np.testing.assert_allclose(np.corrcoef(found.T), np.corrcoef(direct.T), atol=0.04)


@pytest.mark.slow
def test_gated_noise_is_that_of_devices_drawn_anew():
    surrogate = analytic.fitted(0.9).to_jax().astype(jnp.float32)
    g = jax.random.uniform(jax.random.key(2), (12, 6), minval=3e-6, maxval=30e-6)
    sigma = 0.01 * g
    scale = Scale(Readout("de"), (12, 3), jnp.asarray(1e-5))
    drive = Drive(full_scale=jnp.asarray(1.0), signed=jnp.asarray(1.0))
    x = inputs(12)
    found = draws(gated_noise(g, sigma, scale=scale, surrogate=surrogate, drive=drive), x, dense)

    def outputs(key):
        moved = g + sigma * jax.random.normal(key, g.shape)
        return gated_layer(moved, scale=scale, surrogate=surrogate, drive=drive)(x[None], dense)[0]

    direct = np.asarray(jax.lax.map(outputs, jax.random.split(jax.random.key(3), 4000), batch_size=500))
    np.testing.assert_allclose(found.std(axis=0), direct.std(axis=0), rtol=0.06)


def test_every_position_of_a_convolution_is_a_read_of_its_own():
    scale = Scale(Readout("de"), (3, 3, 2, 1), jnp.asarray(1e-5))
    noise = linear_noise(jnp.full((18, 2), 1e-6), scale=scale)
    image = jnp.ones((1, 8, 8, 2))
    y = np.asarray(
        noise(jax.random.key(0), jnp.tile(image, (200, 1, 1, 1)), Convolution(padding="VALID"), first=jnp.asarray(0))
    )
    expected = np.sqrt(18 * 2) * 1e-6 / 1e-5
    assert y.std() == pytest.approx(expected, rel=0.03)
    neighbours = np.corrcoef(y[:, 2, 2, 0], y[:, 2, 3, 0])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(200)


def test_an_image_keeps_its_noise_whatever_the_batch():
    noise = linear_noise(jnp.full((4, 2), 1e-6), scale=Scale(Readout("de"), (4, 1), jnp.asarray(1e-5)))
    x, key = inputs(10, 4), jax.random.key(5)
    whole = noise(key, x, dense, first=jnp.asarray(0))
    last = noise(key, x[6:], dense, first=jnp.asarray(6))
    np.testing.assert_array_equal(whole[6:], last)
    assert not np.array_equal(whole, noise(jax.random.key(6), x, dense, first=jnp.asarray(0)))
