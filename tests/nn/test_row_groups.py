"""Rows of a tile in several reads, and columns subtracted before they are converted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from tests.nn.test_tiled import CONV, DENSE, adc, case, cells, dac, tiles_of, unconverted
from xbar_cli.array.converters import Adc, Dac
from xbar_cli.array.lumped import lumped
from xbar_cli.array.tiling import fold_layers
from xbar_cli.array.wires import Wires
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.contracts import dense
from xbar_cli.nn.noise import linear_noise
from xbar_cli.nn.program import Scale, linear_layer


@pytest.fixture(scope="module")
def cell():
    return analytic.fitted(0.9).to_jax().astype(jnp.float32)


@pytest.mark.parametrize("at_once", [1, 3, 7])
@pytest.mark.parametrize(("shape", "kernel", "contract"), [DENSE, CONV], ids=["dense", "conv"])
def test_reads_of_a_linear_array_add_up_to_one(shape, kernel, contract, at_once):
    """With sources and neurons too: what the rows of one read send is what they send among all, the others being at 0 V."""
    g, x, scale = case(shape, kernel)
    x = x - 0.7
    g = fold_layers({"a": g}, lambda g: lumped(g, Wires(source=2000.0, neuron=1000.0)), tile=(7, 4))["a"].g_eff
    folded = linear_layer(g, scale=scale)(x, contract)
    layer = tiles_of(g, scale, dac(signed=True), height=7, at_once=at_once)
    np.testing.assert_allclose(unconverted(layer, x, contract), folded, rtol=1e-5, atol=1e-6 * np.abs(folded).max())


def test_each_read_is_converted_by_the_tiles_own_converters_and_counted():
    g, x, scale = case(*DENSE[:2])
    layer = tiles_of(g, scale, dac(), height=7, at_once=3)  # 3 3 1 | 3 3 1 | 3 3
    assert layer.conversions(1) == 8 * 8
    plain = adc(layer, 5, 1e-4)
    gained = Adc(plain.full_scale, plain.gain.at[1, 2].set(0.2), plain.offset.at[2, 5].set(0.1), plain.baseline, bits=5)
    found = jax.jit(lambda x: layer(x, dense, adc=gained))(x)
    step, share, g = 1e-4 / 31, np.asarray(x, float) / 2, np.asarray(g, float)
    total, beyond = np.zeros((3, 8)), np.zeros(3)
    for band, rows in enumerate([[(0, 3), (3, 6), (6, 7)], [(7, 10), (10, 13), (13, 14)], [(14, 17), (17, 20)]]):
        gain, offset = np.zeros(8), np.zeros(8)
        gain[2], offset[5] = 0.2 * (band == 1), 0.1 * (band == 2)
        for low, high in rows:
            value = np.round((share[:, low:high] @ g[low:high] * (1 + gain) + offset * 1e-4) / step)
            total += np.clip(value, 0, 31)
            beyond += ((value < 0) | (value > 31)).sum(axis=1)
    np.testing.assert_allclose(found.y, (total[:, 0::2] - total[:, 1::2]) * step * 2 / 1e-5, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found.saturated, beyond)


def test_a_read_carries_the_leakage_of_its_own_rows(cell):
    """The gates of the others are off: one read of everything and many reads of a few rows leak the same in all."""
    g, scale = cells(), Scale(Readout("de"), (20, 4), jnp.asarray(1e-5))
    leak = 1e-7 * (1 + jnp.arange(160.0).reshape(20, 8) / 100)
    drive = Dac(jnp.asarray(2.0), signed=False)
    kinds = {"surrogate": cell, "factors": jnp.moveaxis(cell.in_g(g), -1, 0), "at_zero": leak}
    x = jax.random.uniform(jax.random.key(3), (5, 20), maxval=2.0)
    whole = tiles_of(g, scale, drive, height=7, **kinds)
    groups = tiles_of(g, scale, drive, height=7, at_once=2, **kinds)
    np.testing.assert_allclose(groups.leakage[0], leak[:2].sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(groups.leakage.sum(axis=0), leak.sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(unconverted(groups, x, dense), unconverted(whole, x, dense), rtol=1e-4, atol=1e-4)


def test_every_read_draws_noise_of_its_own():
    """The variances of the reads of a tile add up to that of one read; rows of two reads have independent noise."""
    g, scale = cells(), Scale(Readout("de"), (20, 4), jnp.asarray(1e-5))
    noise = linear_noise(0.1 * g, scale=scale)
    x = jnp.broadcast_to(jax.random.uniform(jax.random.key(9), (1, 20), maxval=2.0), (4000, 20))
    spread, alike = {}, {}
    for at_once in (None, 3):
        layer = tiles_of(g, scale, dac(), height=7, at_once=at_once)
        compute = jax.jit(
            lambda x, layer=layer: layer(x, dense, adc=adc(layer, 16, 1e-3), noise=noise, key=jax.random.key(1)).y
        )
        first, second = (np.asarray(compute(x.at[:, :rows].set(0.0).at[:, rows + 3 :].set(0.0))) for rows in (0, 3))
        spread[at_once] = np.std(compute(x), axis=0)
        alike[at_once] = np.corrcoef(first[:, 1], second[:, 1])[0, 1]
    np.testing.assert_allclose(spread[3], spread[None], rtol=0.06)
    assert alike[None] > 0.5
    assert abs(alike[3]) < 0.1


@pytest.mark.parametrize("signed", [False, True])
def test_pairs_are_subtracted_before_they_are_converted(signed):
    g, x, scale = case(*DENSE[:2])
    x = x - (0.7 if signed else 0.0)
    layer = tiles_of(g, scale, dac(signed=signed), height=7, pairs=True)
    assert layer.signals == 4
    assert layer.conversions(1) == 3 * 4 * (2 if signed else 1)
    small = 1e-5 if signed else 3e-5
    found = jax.jit(lambda x: layer(x, dense, adc=adc(layer, 5, small)))(x)
    step, share, g = small / 15, np.asarray(x, float) / 2, np.asarray(g, float)
    total, beyond = np.zeros((3, 4)), np.zeros(3)
    for sign in (1, -1) if signed else (1,):
        part = np.maximum(sign * share, 0) if signed else share
        for low in (0, 7, 14):
            i = part[:, low : low + 7] @ g[low : low + 7]
            value = np.round((i[:, 0::2] - i[:, 1::2]) / step)
            total += sign * np.clip(value, -15, 15)
            beyond += (np.abs(value) > 15).sum(axis=1)
    np.testing.assert_allclose(found.y, total * step * 2 / 1e-5, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found.saturated, beyond)
    assert beyond.sum() > 0


def test_pairs_need_fewer_bits_than_columns():
    """The difference of two columns is small against them: the same bits tell it apart better."""
    g, x, scale = case(*DENSE[:2])
    folded = linear_layer(g, scale=scale)(x, dense)
    errors = {}
    for pairs in (False, True):
        layer = tiles_of(g, scale, dac(), height=7, pairs=pairs)

        def largest(carry, read):
            return jnp.maximum(carry, jnp.abs(read.i).max())

        top = layer.reduce(x, dense, start=lambda shape: jnp.zeros(()), step=largest)
        y = layer(x, dense, adc=adc(layer, 6, float(top))).y
        errors[pairs] = float(jnp.sqrt(jnp.mean((y - folded) ** 2)))
    assert errors[True] < 0.7 * errors[False]
