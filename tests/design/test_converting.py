"""Converters that gradients pass: the same codes, and the gradient of what they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.converters import Dac
from xbar_cli.design.converting import PassingDac

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
