import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.converters import Adc, Dac, bit, converters_of, draw_errors, serial_power


def dac(bits, *, signed=False, full_scale=2.0, limited=True):
    return Dac(full_scale=jnp.asarray(full_scale), signed=signed, bits=bits, limited=limited)


def adc(bits, *, full_scale=3.0, gain=0.0, offset=0.0):
    errors = (jnp.full((1, 4), error) for error in (gain, offset))
    return Adc(jnp.asarray(full_scale), *errors, baseline=jnp.asarray(0.0), bits=bits)


@pytest.mark.parametrize("bits", [1, 4, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_a_dac_errs_by_half_a_step_inside_its_range_and_says_what_is_outside(bits, signed):
    drive = dac(bits, signed=signed)
    x = jnp.linspace(-3.0, 3.0, 1201)
    half = 1.0 / (2**bits - 1)
    low = -2.0 if signed else 0.0
    np.testing.assert_allclose(drive(x), np.clip(x, low, 2.0), atol=half * (1 + 1e-6))
    codes = np.asarray(drive.codes(x))
    assert np.array_equal(codes, np.round(codes))
    assert codes.max() == 2**bits - 1
    expected = (np.asarray(x) > 2.0 + half) | (np.asarray(x) < low - half)
    np.testing.assert_array_equal(drive.saturated(x), expected)


def test_two_reads_make_a_sign_and_an_ideal_driver_has_no_end():
    x = jnp.array([-1.5, 0.0, 0.4, 9.0])
    (plus, first), (minus, second) = dac(8, signed=True).phases(x)
    assert (plus, minus) == (1, -1)
    assert min(float(first.min()), float(second.min())) >= 0
    np.testing.assert_array_equal(first - second, x)
    free = dac(None, limited=False)
    np.testing.assert_allclose(free(x), x, rtol=1e-6)
    assert not np.asarray(free.saturated(x)).any()


def test_bits_are_those_of_the_integers():
    codes = np.arange(2**16, dtype=np.int64)
    found = [np.asarray(bit(jnp.asarray(codes, jnp.float32), k), np.int64) for k in range(16)]
    np.testing.assert_array_equal(sum(part << k for k, part in enumerate(found)), codes)
    power = np.sqrt(sum(4.0**k * ((codes >> k) & 1) for k in range(16)))
    signed = jnp.asarray(np.where(codes % 2, -codes, codes), jnp.float32)
    np.testing.assert_allclose(serial_power(signed, bits=16), power, rtol=1e-6)


@pytest.mark.parametrize("bits", [1, 5, 16])
def test_an_adc_errs_by_half_a_step_inside_its_range_and_stops_at_its_ends(bits):
    i = jnp.linspace(-1.0, 5.0, 4 * 301).reshape(-1, 4)
    converter = adc(bits)
    codes, saturated = converter.convert(i, band=0)
    step = 3.0 / (2**bits - 1)
    np.testing.assert_allclose(codes * converter.step, np.clip(i, 0, 3.0), atol=step / 2 * (1 + 1e-5))
    outside = (np.asarray(i) > 3.0 + step / 2) | (np.asarray(i) < -step / 2)
    # which way the one current at the very edge goes is a matter of rounding
    assert abs(int(saturated.sum()) - int(outside.sum())) <= 1
    assert float(saturated.mean()) > 0.05


def test_gain_and_offset_move_the_codes():
    i = jnp.full((1, 4), 1.0)
    ideal = float(adc(12).convert(i, band=0).codes[0, 0])
    gained = float(adc(12, gain=0.1).convert(i, band=0).codes[0, 0])
    moved = float(adc(12, offset=-0.05).convert(i, band=0).codes[0, 0])
    assert gained == pytest.approx(1.1 * ideal, abs=1)
    assert moved == pytest.approx(ideal - 0.05 * 4095, abs=1)


def test_errors_are_drawn_once_a_converter():
    gain, offset = draw_errors(jax.random.key(0), bands=50, signals=80, gain_error=0.02, offset_error=0.01)
    assert gain.shape == offset.shape == (50, 80)
    assert np.std(gain) == pytest.approx(0.02, rel=0.05)
    assert np.std(offset) == pytest.approx(0.01, rel=0.05)
    assert abs(np.corrcoef(gain.ravel(), offset.ravel())[0, 1]) < 0.05
    assert abs(np.mean(gain)) < 0.002
    none, _ = draw_errors(jax.random.key(0), bands=2, signals=3, gain_error=0.0, offset_error=0.0)
    assert not np.asarray(none).any()


def test_bits_out_of_range_and_endless_codes_are_refused():
    with pytest.raises(ValueError, match="bits must be from 1 to 16, got 17"):
        dac(17)
    with pytest.raises(ValueError, match="bits must be from 1 to 16, got 0"):
        adc(0)
    with pytest.raises(ValueError, match="limited must be True"):
        dac(8, limited=False)


@pytest.mark.parametrize(
    ("shared", "served"),
    [
        (1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (2, [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6]),
        (4, [0, 0, 0, 0, 1, 2, 2, 2, 2, 3, 4, 4]),
        (5, [0] * 5 + [1] * 5 + [2] * 2),
        (65536, [0] * 5 + [1] * 5 + [2] * 2),
    ],
)
def test_neighbours_share_a_converter_and_no_converter_serves_two_tiles(shared, served):
    """Twelve columns on tiles of five."""
    np.testing.assert_array_equal(converters_of(12, across=5, shared=shared), served)


def test_an_error_is_drawn_a_converter_and_those_of_every_column_are_as_they_were():
    words = {"bands": 3, "signals": 12, "gain_error": 0.02, "offset_error": 0.01}
    gain, offset = draw_errors(jax.random.key(4), **words, across=5, shared=2)
    served = converters_of(12, across=5, shared=2)
    for errors in (np.asarray(gain), np.asarray(offset)):
        same = errors[:, :, None] == errors[:, None, :]
        np.testing.assert_array_equal(same, np.broadcast_to(served[:, None] == served[None], same.shape))
    each, _ = draw_errors(jax.random.key(4), **words)
    np.testing.assert_array_equal(each, 0.02 * jax.random.normal(jax.random.key(4), (2, 3, 12))[0])
    np.testing.assert_array_equal(each, draw_errors(jax.random.key(4), **words, across=5, shared=1)[0])


@pytest.mark.parametrize("bits", [2, 5, 16])
def test_codes_of_differences_have_both_signs_and_a_zero(bits):
    i = jnp.linspace(-5.0, 5.0, 4 * 301).reshape(-1, 4)
    converter = Adc(jnp.asarray(3.0), *[jnp.zeros((1, 4))] * 2, baseline=jnp.asarray(0.0), bits=bits, signed=True)
    codes, saturated = converter.convert(i, band=0)
    top = 2 ** (bits - 1) - 1
    assert converter.top == top
    assert float(converter.step) == pytest.approx(3.0 / top)
    assert (float(codes.min()), float(codes.max())) == (-top, top)
    np.testing.assert_array_equal(codes, -codes[::-1, ::-1])
    np.testing.assert_allclose(codes * converter.step, np.clip(i, -3.0, 3.0), atol=1.5 / top * (1 + 1e-5))
    outside = np.abs(np.asarray(i)) > 3.0 + 1.5 / top
    assert abs(int(saturated.sum()) - int(outside.sum())) <= 2
    assert int(saturated.sum()) == 2 * int(saturated[:150].sum() + saturated[150, :2].sum())


def test_one_bit_has_no_signed_codes():
    with pytest.raises(ValueError, match="bits must be at least 2 for signed codes"):
        Adc(jnp.asarray(3.0), *[jnp.zeros((1, 4))] * 2, baseline=jnp.asarray(0.0), bits=1, signed=True)
