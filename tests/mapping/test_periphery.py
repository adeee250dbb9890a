"""S of the three schemes: rank and null vector, differences equal to the matrix product, device counts."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.mapping.decoding import matrix
from xbar_cli.mapping.periphery import SCHEMES, combine, device_columns, outputs, reference_conductance


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("n_out", [1, 2, 7])
def test_periphery_matrix(scheme, n_out):
    s = matrix(scheme, n_out)
    assert s.shape == (n_out, device_columns(scheme, n_out))
    assert device_columns(scheme, n_out) == (2 * n_out if scheme == "de" else n_out + 1)
    assert outputs(scheme, s.shape[1]) == n_out
    assert set(np.unique(s)) <= {-1.0, 0.0, 1.0}
    assert (s.sum(axis=1) == 0).all()
    assert np.linalg.matrix_rank(s) == n_out  # with the null vector of ones: every signed W has an M >= 0 (acm, eq. 3)
    m = np.random.default_rng(n_out).uniform(size=(3, 4, s.shape[1])).astype(np.float32)
    assert np.allclose(combine(scheme, jnp.asarray(m)), m @ s.T, atol=1e-6)


def test_reference_and_refusals():
    assert reference_conductance(g_min=2e-6, g_max=1e-5) == pytest.approx(6e-6)
    with pytest.raises(ValueError, match="scheme must be one of de, bc, acm, got 'ab'"):
        matrix("ab", 3)
    with pytest.raises(ValueError, match="n_out must be at least 1"):
        device_columns("de", 0)
    with pytest.raises(ValueError, match="must be even"):
        combine("de", jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="at least 2, got 1"):
        combine("acm", jnp.zeros((2, 1)))
