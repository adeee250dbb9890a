"""Converters that gradients pass: the same codes, and the gradient of what they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import ks_2samp

from xbar_cli.array.converters import Adc, Dac
from xbar_cli.design.converting import PassingDac, SmoothAdc
from xbar_cli.nn.tiled import converter_noise

X = jnp.asarray(np.random.default_rng(2).uniform(-1.3, 1.3, 200), jnp.float32)


@pytest.mark.parametrize(("bits", "signed", "limited"), [(4, True, True), (8, False, True), (None, True, False)])
def test_codes_and_cycles_are_those_of_the_converter(bits, signed, limited):
    given = jnp.asarray(1.1), signed, bits, limited
    plain, passing = Dac(*given), PassingDac(*given)
    np.testing.assert_array_equal(passing.codes(X), plain.codes(X))
    inside = np.asarray(np.abs(X) < 1.1) & (signed | np.asarray(X > 0))
    np.testing.assert_allclose(jax.grad(lambda x: passing(x).sum())(X), inside if limited else 1.0, rtol=1e-6)
    if bits is not None:
        codes = jnp.abs(plain.codes(X))
        for place in range(bits):
            np.testing.assert_array_equal(passing.cycle(codes, place), plain.cycle(codes, place))
        whole = jax.grad(lambda c: sum(2**k * passing.cycle(c, k) for k in range(bits)).sum())(codes)
        np.testing.assert_allclose(whole, 1.0, rtol=1e-6)


def test_smooth_converters_have_the_gains_offsets_and_ends_of_those_that_round():
    gain, offset = jnp.asarray([[0.1, -0.2, 0.0]]), jnp.asarray([[0.02, 0.0, -0.03]])
    given = jnp.asarray(3.0), gain, offset, jnp.zeros(()), 5
    i = jnp.linspace(-0.5, 4.0, 90).reshape(-1, 3)
    smooth, rounding = (kind(*given).convert(i, band=0) for kind in (SmoothAdc, Adc))
    assert float(jnp.abs(smooth.codes - rounding.codes).max()) <= 0.5 + 1e-5
    slopes = jax.grad(lambda i: SmoothAdc(*given).convert(i, band=0).codes.sum())(i)
    inside = (smooth.codes > 0) & (smooth.codes < 31)
    np.testing.assert_allclose(slopes, jnp.where(inside, (1 + gain) * 31 / 3, 0.0), rtol=1e-5)


def test_noise_is_distributed_as_what_rounding_does():
    given = (jnp.asarray(1.0), jnp.zeros((1, 4000)), jnp.zeros((1, 4000)), jnp.asarray(0.0), 6)
    i = jax.random.uniform(jax.random.key(0), (4000,), minval=0.1, maxval=0.9)
    lost = Adc(*given).convert(i, band=0).codes - SmoothAdc(*given).convert(i, band=0).codes
    smooth = SmoothAdc(*given)
    drawn = converter_noise(smooth, i[None], jax.random.key(1), jnp.arange(1))[0]
    assert ks_2samp(np.asarray(lost), np.asarray(drawn)).pvalue > 0.01
    normal = converter_noise(Adc(*given, noise=smooth.noise), i[None], jax.random.key(1), jnp.arange(1))[0]
    assert ks_2samp(np.asarray(lost), np.asarray(normal)).pvalue < 1e-6
