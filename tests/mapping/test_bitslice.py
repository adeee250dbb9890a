"""Integer products through slices against NumPy's int64."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.mapping.sliced_product import adc_error_bound, convert, product
from xbar_cli.device.variation import normal_additive
from xbar_cli.mapping.bitslice import (
    ENCODINGS,
    Sliced,
    SliceFormat,
    cut,
    join,
    sufficient_adc_bits,
    to_conductances,
    to_integers,
    to_levels,
    to_weights,
)

FORMATS = [
    SliceFormat(weight_bits=b, fraction_bits=f, device_bits=d, encoding=e)
    for b, f, d in [(8, 6, 2), (8, 0, 1), (4, 2, 4)]
    for e in ENCODINGS
]
ROWS = 53


def operands(fmt, *, signed, seed=0):
    rng = np.random.default_rng(seed)
    half = 2 ** (fmt.weight_bits - 1)
    w = rng.integers(-half, half, (ROWS, 6))
    w[0], w[1] = -half, half - 1
    x = rng.integers(-8, 8, (4, ROWS)) if signed else rng.integers(0, 16, (4, ROWS))
    x[0] = x.min()
    x[1] = x.max()
    return jnp.asarray(x, jnp.int32), jnp.asarray(w, jnp.int32), x.astype(np.int64) @ w.astype(np.int64)


@pytest.mark.parametrize(
    "fmt", FORMATS, ids=lambda f: f"{f.weight_bits}/{f.fraction_bits}/{f.device_bits}-{f.encoding}"
)
def test_products_are_exact_down_to_the_sufficient_bits(fmt):
    enough = sufficient_adc_bits(fmt, rows=ROWS, dac_bits=1)
    for signed in (False, True):
        x, w, expected = operands(fmt, signed=signed)
        sliced = cut(w, fmt)
        assert sliced.levels.shape == (fmt.n_planes, ROWS, 6)
        assert int(sliced.levels.min()) >= 0
        assert int(sliced.levels.max()) <= fmt.top_level
        assert (join(sliced, fmt) == w).all()
        kwargs = {"input_bits": 4, "signed_inputs": signed, "dac_bits": 1}
        for bits in (enough, enough + 3):
            got = product(x, sliced, fmt, adc_bits=bits, **kwargs)
            assert got.dtype == jnp.int32
            assert (np.asarray(got) == expected).all()
        fewer = np.asarray(product(x, sliced, fmt, adc_bits=enough - 2, **kwargs))
        bound = adc_error_bound(fmt, rows=ROWS, input_bits=4, dac_bits=1, adc_bits=enough - 2)
        assert 0 < np.abs(fewer - expected).max() <= bound
        assert np.allclose(product(x, sliced, fmt, adc_bits=None, **kwargs), expected)
    assert adc_error_bound(fmt, rows=ROWS, input_bits=4, dac_bits=1, adc_bits=enough) == 0


def test_several_input_bits_at_once():
    fmt = FORMATS[0]
    x, w, expected = operands(fmt, signed=False)
    for dac_bits in (2, 4):
        enough = sufficient_adc_bits(fmt, rows=ROWS, dac_bits=dac_bits)
        assert enough == int(np.ceil(np.log2(ROWS * 3 * (2**dac_bits - 1) + 1)))
        kwargs = {"input_bits": 4, "signed_inputs": False, "dac_bits": dac_bits}
        assert (product(x, cut(w, fmt), fmt, adc_bits=enough, **kwargs) == expected).all()


def test_through_conductances_with_a_lowest_one_above_zero():
    fmt = SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding="twos_complement")
    x, w, expected = operands(fmt, signed=True)
    sliced = cut(w, fmt)
    g = to_conductances(sliced.levels, fmt, g_min=1e-6, g_max=2e-5)
    assert float(g.min()) == pytest.approx(1e-6)
    assert float(g.max()) == pytest.approx(2e-5)
    read = Sliced(to_levels(g, fmt, g_min=1e-6, g_max=2e-5), sliced.negative)
    kwargs = {"input_bits": 4, "signed_inputs": True, "dac_bits": 1}
    assert (product(x, read, fmt, adc_bits=8, **kwargs) == expected).all()
    noisy = to_levels(normal_additive(_key(), g, sigma_siemens=1e-6), fmt, g_min=1e-6, g_max=2e-5)
    off = product(x, Sliced(noisy, sliced.negative), fmt, adc_bits=None, **kwargs)
    w_noisy = join(Sliced(noisy, sliced.negative), fmt)
    assert np.allclose(off, x.astype(jnp.float32) @ w_noisy, rtol=1e-4, atol=0.5)
    assert np.abs(np.asarray(off) - expected).max() > 10


def _key():
    import jax

    return jax.random.key(0)


def test_fixed_point():
    fmt = FORMATS[0]
    w = jnp.asarray([-3.0, -2.0, -0.5, 0.0, 0.0078, 1.98, 2.0])
    integers, share = to_integers(w, fmt)
    assert integers.tolist() == [-128, -128, -32, 0, 0, 127, 127]
    assert float(share) == pytest.approx(2 / 7)
    assert np.allclose(to_weights(integers, fmt, dtype=jnp.float32), np.array([-128, -128, -32, 0, 0, 127, 127]) / 64)


def test_converter():
    sums = jnp.arange(16.0)
    assert convert(sums, sufficient_bits=4, adc_bits=4).tolist() == list(range(16))
    assert convert(sums, sufficient_bits=4, adc_bits=2).tolist() == [
        0,
        0,
        0,
        4,
        4,
        4,
        8,
        8,
        8,
        8,
        8,
        12,
        12,
        12,
        12,
        12,
    ]
    assert convert(jnp.asarray([-0.7, 99.0]), sufficient_bits=4, adc_bits=9).tolist() == [0, 15]


def test_encodings_of_known_weights():
    digits = {
        "offset": [[0, 0, 0, 2], [3, 3, 3, 1], [0, 0, 0, 0]],
        "twos_complement": [[0, 0, 0, 0], [3, 3, 3, 3], [0, 0, 0, 2]],
        "differential": [[0] * 8, [0] * 4 + [1, 0, 0, 0], [0] * 4 + [0, 0, 0, 2]],
    }
    for encoding, expected in digits.items():
        fmt = SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding=encoding)
        levels = cut(jnp.asarray([[0, -1, -128]], jnp.int32), fmt).levels
        assert levels[:, 0, :].T.tolist() == expected


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"device_bits": 3}, "device_bits must divide weight_bits, but 8 bits are no whole number of 3-bit slices"),
        ({"device_bits": 0}, "bits must be from 1 to 16, got 0"),
        ({"weight_bits": 33}, "bits must be from 1 to 16, got 33"),
        ({"weight_bits": 1}, "weight_bits must be at least 2"),
        ({"fraction_bits": 121}, "fraction_bits must be from -120 to 120"),
        ({"encoding": "gray"}, "encoding must be one of"),
    ],
)
def test_formats_that_do_not_fit(change, match):
    with pytest.raises(ValueError, match=match):
        SliceFormat(**({"weight_bits": 8, "fraction_bits": 6, "device_bits": 2, "encoding": "offset"} | change))


def test_products_that_are_refused():
    fmt = FORMATS[0]
    x, w, _ = operands(fmt, signed=False)
    with pytest.raises(ValueError, match="signed inputs are applied bit by bit"):
        product(x, cut(w, fmt), fmt, input_bits=4, signed_inputs=True, dac_bits=2, adc_bits=8)
    with pytest.raises(ValueError, match="dac_bits must divide"):
        product(x, cut(w, fmt), fmt, input_bits=4, signed_inputs=False, dac_bits=3, adc_bits=8)
    wide = SliceFormat(weight_bits=16, fraction_bits=0, device_bits=4, encoding="offset")
    with pytest.raises(ValueError, match="exceed exact integer sums"):
        product(x, cut(w, wide), wide, input_bits=16, signed_inputs=False, dac_bits=1, adc_bits=8)
