"""Converters as built: edges between codes found by conversion, against the closed form of the parts' mismatch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.built.sar import Sar, draw_sar
from xbar_cli.array.built.thresholds import Thresholds, draw_flash, draw_ramp, even
from xbar_cli.array.converters import Adc

CONVERTERS, BITS, MISMATCH = 10_000, 6, 0.02
KEY = jax.random.key(11)


def adc_of(built, *, bits=BITS, signed=False, levels=None):
    """Converters whose step is a current of 1."""
    signals = built.weights.shape[-1] if isinstance(built, Sar) else built.own.shape[0]
    top = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    none = jnp.zeros((1, signals))
    return Adc(jnp.asarray(float(top)), none, none, jnp.asarray(0.0), bits, signed, built=built, levels=levels)


def sar(bits=BITS, mismatch=MISMATCH, converters=CONVERTERS):
    return Sar(draw_sar(KEY, bands=1, converters=converters, bits=bits, mismatch=mismatch))


def ramp(bits=BITS, mismatch=MISMATCH, converters=CONVERTERS):
    lists = draw_ramp(KEY, even(2**bits - 1), bands=1, ramps=converters, mismatch=mismatch)
    return Thresholds(lists, jnp.arange(converters))


def flash(bits=BITS, mismatch=MISMATCH, converters=CONVERTERS):
    lists = draw_flash(KEY, even(2**bits - 1), bands=1, converters=converters, mismatch=mismatch)
    return Thresholds(lists, jnp.arange(converters))


def edges(adc, codes):
    """Inputs [codes converters], in steps, at which the code m of every converter begins: by halves, by converting alone."""
    low = np.full((len(codes), adc.gain.shape[1]), -10.0)
    high = np.full_like(low, 2.0**adc.bits + 10)
    convert = jax.jit(lambda i: adc.convert(i, band=0).codes)
    for _ in range(22):
        middle = (low + high) / 2
        reached = np.asarray(convert(jnp.asarray(middle, jnp.float32))) >= np.asarray(codes)[:, None]
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high


CODES = np.arange(1, 2**BITS)
WALK = MISMATCH * np.sqrt(CODES * (1 - CODES / 2**BITS))
CLOSED = {
    "sar": (sar, WALK, np.sqrt(2**BITS - 1) * MISMATCH),
    "ramp": (ramp, WALK, MISMATCH),
    "flash": (flash, np.full(len(CODES), MISMATCH), np.sqrt(2) * MISMATCH),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_inl_and_dnl_of_ten_thousand_converters_are_those_of_the_closed_form(kind):
    """Within 0.1 steps as published, and within 4 % of the spread itself, five standard errors of ten thousand."""
    made, inl, dnl = CLOSED[kind]
    found = edges(adc_of(made()), CODES)
    assert np.abs((found - (CODES - 0.5)[:, None]).mean(axis=1)).max() < 0.02
    assert np.abs(found.std(axis=1) - inl).max() < 0.1
    np.testing.assert_allclose(found.std(axis=1), inl, rtol=0.04)
    widths = np.diff(found, axis=0).std(axis=1)  # of the codes from 1 on
    middle = 2 ** (BITS - 1) - 2  # below the edge at which the largest capacitor is switched
    assert widths[middle] == pytest.approx(dnl, rel=0.04)
    assert widths.max() < dnl * 1.04
    assert kind != "sar" or widths.argmax() == middle


def test_a_sar_is_capacitors_tried_one_after_the_other():
    """A plain loop over one converter's bits, from units drawn anew to be far apart."""
    built = sar(bits=4, mismatch=0.3, converters=5)
    x = np.linspace(-2, 18, 400).astype(np.float32)
    found = np.asarray(adc_of(built, bits=4).convert(jnp.tile(jnp.asarray(x)[:, None], 5), band=0).codes)
    for n, weights in enumerate(np.asarray(built.weights)[0].T):
        for value, code in zip(x, found[:, n], strict=True):
            kept = 0.0
            bits = 0
            for k in (3, 2, 1, 0):
                if value + 0.5 >= kept + weights[k]:
                    kept, bits = kept + weights[k], bits + 2**k
            assert bits == code


def test_thresholds_are_counted():
    lists = jnp.sort(jax.random.uniform(KEY, (2, 3, 11)) * 11, axis=-1)
    own = jnp.asarray([2, 0, 0, 1])
    x = jax.random.uniform(jax.random.key(1), (50, 4)) * 13 - 1
    for band in (0, 1):
        found = Thresholds(lists, own).codes(x, band=jnp.asarray(band))
        wanted = (np.asarray(x)[..., None] >= np.asarray(lists)[band, np.asarray(own)]).sum(axis=-1)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("made", [sar, ramp, flash])
@pytest.mark.parametrize("signed", [False, True])
def test_equal_parts_are_the_ideal_converter(made, signed):
    """To the bit, at every input that is no tie."""
    bits = 5
    if made is not sar and signed:
        thresholds = even(2**bits - 2)
        built = Thresholds(thresholds[None, None], jnp.zeros(4, jnp.int32), one=True)
    else:
        built = made(bits=bits, mismatch=0.0, converters=4)
    x = jax.random.uniform(KEY, (4000, 4), minval=-40, maxval=40)
    found = adc_of(built, bits=bits, signed=signed).convert(x, band=0)
    top = float(2 ** (bits - 1) - 1 if signed else 2**bits - 1)
    none = jnp.zeros((1, 4))
    ideal = Adc(jnp.asarray(top), none, none, jnp.asarray(0.0), bits, signed).convert(x, band=0)
    np.testing.assert_array_equal(found.codes, ideal.codes)
    np.testing.assert_array_equal(found.saturated, ideal.saturated)


def test_a_ramp_never_turns_back_and_ends_where_it_should():
    lists = np.asarray(draw_ramp(KEY, even(63), bands=2, ramps=50, mismatch=1.5))
    assert (np.diff(lists, axis=-1) >= 0).all()
    assert lists.min() >= -0.5
    assert lists.max() <= 63.5


def test_noise_moves_codes_by_its_root_mean_square():
    none = jnp.zeros((1, 1))
    adc = Adc(jnp.asarray(255.0), none, none, jnp.asarray(0.0), 8)
    drawn = 1.7 * jax.random.normal(KEY, (20_000, 1))
    codes = np.asarray(adc.convert(jnp.full((20_000, 1), 100.3), band=0, noise=drawn).codes)
    assert codes.mean() == pytest.approx(100.3, abs=0.05)
    assert codes.std() == pytest.approx(np.sqrt(1.7**2 + 1 / 12), rel=0.03)
