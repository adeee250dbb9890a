"""encode, then decode, gives the weights back; what the range costs is reported."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mapping.decoding import decode, weight_scale
from xbar_cli.device.levels import discretise_ratio
from xbar_cli.mapping.encode import encode, full_scale
from xbar_cli.mapping.periphery import SCHEMES, reference_conductance
from xbar_cli.numerics import in_float64

RANGE = {"g_min": 3.33e-6, "g_max": 3.33e-5}


def weights(seed, rows=24, out=10):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(rows, out)) * 0.3, jnp.float32)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("per_column", [False, True])
@given(seed=st.integers(0, 1000))
def test_decode_inverts_encode(scheme, per_column, seed):
    w = weights(seed)
    scale = weight_scale(scheme, w, per_column=per_column, **RANGE)
    coded = encode(scheme, w, scale=scale, **RANGE)
    assert np.allclose(decode(scheme, coded.g, scale=coded.scale), w, atol=1e-6)
    assert coded.g.min() >= np.float32(RANGE["g_min"])
    assert coded.g.max() <= np.float32(RANGE["g_max"])
    assert coded.clipped_share == 0
    assert coded.scale.shape == ((10,) if per_column else ())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_exact_to_rounding_in_float64(scheme):
    def worst(w):
        coded = encode(scheme, w, scale=weight_scale(scheme, w, per_column=False, **RANGE), **RANGE)
        return jnp.abs(decode(scheme, coded.g, scale=coded.scale) - w).max()

    assert float(in_float64(worst, weights(0))) < 1e-14


def test_currents_decode_to_signed_outputs():
    w, v = weights(3), jnp.asarray(np.random.default_rng(9).uniform(0, 0.2, (5, 24)), jnp.float32)
    for scheme in SCHEMES:
        coded = encode(scheme, w, scale=weight_scale(scheme, w, per_column=True, **RANGE), **RANGE)
        y = decode(scheme, (v / 0.2) @ coded.g, scale=coded.scale)
        assert np.allclose(y, (v / 0.2) @ w, atol=2e-5)


def test_what_the_range_costs():
    w = jnp.asarray([[1.0, -2.0, 0.5], [0.25, 0.0, -1.0]])
    span = RANGE["g_max"] - RANGE["g_min"]
    for scheme, share in (("de", 1 / 6), ("bc", 3 / 6)):
        coded = encode(scheme, w, scale=0.8 * span, **RANGE)  # |w| up to 1.25 (DE) or 0.625 (BC) fits
        limit = full_scale(scheme, **RANGE) / (0.8 * span)
        assert float(coded.clipped_share) == pytest.approx(share)
        assert float(coded.scale_kept) == 1
        assert np.allclose(decode(scheme, coded.g, scale=coded.scale), np.clip(w, -limit, limit), atol=1e-6)
    coded = encode("acm", w, scale=0.8 * span, **RANGE)  # widest running sum: 0, −1, 1, 0.5, so 2 of 1.25
    assert float(coded.scale_kept) == pytest.approx(0.625)
    assert float(coded.g.max()) == pytest.approx(RANGE["g_max"])
    assert np.allclose(decode("acm", coded.g, scale=coded.scale), w, atol=1e-6)
    assert float(encode("acm", w, scale=0.5 * span, **RANGE).scale_kept) == 1


def test_each_scheme_puts_devices_where_it_says():
    w = weights(1)
    de = encode("de", w, scale=weight_scale("de", w, per_column=False, **RANGE), **RANGE).g
    assert np.allclose(jnp.minimum(de[:, 0::2], de[:, 1::2]), RANGE["g_min"])
    bc = encode("bc", w, scale=weight_scale("bc", w, per_column=False, **RANGE), **RANGE).g
    assert np.allclose(bc[:, -1], reference_conductance(**RANGE))
    acm = encode("acm", w, scale=1e-6, **RANGE)
    assert np.allclose(acm.g.min(axis=1), RANGE["g_min"])
    total = (acm.g[:, 0] - acm.g[:, -1]) / acm.scale  # eq. (4): Σ_j w_j = m_1 − m_out+1
    assert np.allclose(w.sum(axis=1), total, atol=1e-5)


def test_tats_mapping_is_de_with_absent_devices():
    w = discretise_ratio(weights(2), limit=0.8, bits=4, ratio=15.0)
    coded = encode("de", w, g_min=0.0, g_max=5e-5, scale=5e-5 / 0.8)
    levels = np.asarray(coded.g) / 5e-5 * 15
    assert np.allclose(levels, np.round(levels), atol=1e-4)
    assert ((coded.g == 0).sum(axis=1) >= 10).all()
    assert ((coded.g[:, 0::2] == 0) | (coded.g[:, 1::2] == 0)).all()


def test_all_zero_and_gradient_and_refusals():
    zero = jnp.zeros((3, 2))
    for scheme in SCHEMES:
        coded = encode(scheme, zero, scale=weight_scale(scheme, zero, per_column=True, **RANGE), **RANGE)
        assert (decode(scheme, coded.g, scale=coded.scale) == 0).all()
    weight = jax.jit(jax.grad(lambda w: decode("acm", encode("acm", w, scale=1e-6, **RANGE).g, scale=1e-6).sum()))
    assert np.allclose(weight(weights(4)), 1, atol=1e-3)
    with pytest.raises(ValueError, match="one number or one per output"):
        encode("de", zero, scale=jnp.ones(3), **RANGE)
    with pytest.raises(ValueError, match="g_min < g_max"):
        full_scale("de", g_min=1.0, g_max=1.0)
    with pytest.raises(ValueError, match="scheme"):
        encode("abc", zero, scale=1.0, **RANGE)
