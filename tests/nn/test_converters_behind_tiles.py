"""Noise of conversions, and charge added in front of them, against the same by plain sums."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.nn.test_tiled import CONV, DENSE, adc, case, dac, tiles_of
from xbar_cli.nn.contracts import dense
from xbar_cli.nn.program import linear_layer

KEY = jax.random.key(4)


def test_noise_of_a_conversion_is_the_images_own_and_adds_up_over_the_conversions():
    """Three bands of tiles, two columns an output: √6 of one conversion's noise, whose rounding is of 1/√12 more."""
    g, x, scale = case(*DENSE[:2])
    layer = tiles_of(g, scale, dac(), height=7)
    converters = replace(adc(layer, 12, 2e-4), noise=8.0)
    read = jax.jit(lambda x, first: layer(x, dense, adc=converters, key=KEY, first=first).y)
    many = jnp.tile(x[:1], (3000, 1))
    found = np.asarray(read(many, jnp.asarray(0)))
    part = read(many[:50], jnp.asarray(100))
    np.testing.assert_array_equal(found[100:150], part)
    ideal = np.asarray(linear_layer(g, scale=scale)(x[:1], dense))
    one = float(converters.step) * 2.0 / 1e-5  # of one code, in outputs: full drive over the slope
    np.testing.assert_allclose(found.std(axis=0), np.sqrt(6 * (8.0**2 + 1 / 12)) * one, rtol=0.06)
    np.testing.assert_allclose(found.mean(axis=0), ideal[0], atol=5 * np.sqrt(6) * 8 * one / np.sqrt(3000))
    with pytest.raises(ValueError, match="key must be given"):
        layer(x, dense, adc=converters)


@pytest.mark.parametrize("signed", [False, True])
def test_charge_of_all_tiles_and_groups_is_one_large_converters(signed):
    g, x, scale = case(*DENSE[:2])
    x = x - 0.7 if signed else x
    layer = replace(tiles_of(g, scale, dac(signed=signed), height=7, at_once=3), analog=True)
    large = replace(adc(layer, 5, 1.5e-4), gain=jnp.zeros((1, 8)), offset=jnp.zeros((1, 8)))
    assert layer.conversions(1) == 8 * (2 if signed else 1)
    found = layer(x, dense, adc=large)
    total, step = 0.0, 1.5e-4 / 31
    for sign in (1, -1) if signed else (1,):
        i = np.clip(sign * np.asarray(x, float) / 2.0, 0, None) @ np.asarray(g, float)
        total = total + sign * np.clip(np.round(i / step), 0, 31) * step
    np.testing.assert_allclose(found.y, (total[:, 0::2] - total[:, 1::2]) * 2 / 1e-5, rtol=1e-5, atol=1e-5)


def test_charge_of_convolutions_is_that_of_arrays_as_tall_as_the_layer():
    shape, kernel, contract = CONV
    g, x, scale = case(shape, kernel)
    short, tall = (tiles_of(g, scale, dac(8), height=height) for height in (7, g.shape[0]))
    added = replace(short, analog=True)
    converters = adc(tall, 6, 4e-4)
    np.testing.assert_allclose(
        added(x, contract, adc=converters).y,
        tall(x, contract, adc=converters).y,
        atol=2.1 * float(converters.step) * 2e5,
    )
    same = np.isclose(added(x, contract, adc=converters).y, tall(x, contract, adc=converters).y, rtol=1e-5, atol=1e-5)
    assert same.mean() > 0.99  # a code that is a toss-up in float32 may go either way
