"""What every converter owes: whole codes within its ends, in the order of what it converts, half a step off at most."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from xbar_cli.array.converters import Adc, Dac

BITS = [1, 2, 5, 12]
X = np.linspace(-2.5, 2.5, 501).astype(np.float32)
FULL = 2.0


def dac(bits, *, signed):
    return Dac(full_scale=jnp.asarray(FULL), signed=signed, bits=bits)


def adc(bits, *, signed, gain=0.0, offset=0.0):
    errors = (jnp.full((1, 1), error) for error in (gain, offset))
    return Adc(jnp.asarray(FULL), *errors, baseline=jnp.asarray(0.0), bits=bits, signed=signed)


def codes_of(converter, x):
    x = jnp.asarray(x)
    return np.asarray(
        converter.codes(x) if isinstance(converter, Dac) else converter.convert(x[:, None], band=0).codes[:, 0]
    )


def step_of(converter):
    return FULL / converter.top


CONVERTERS = {
    f"{kind} {'signed' if signed else 'unsigned'} {bits} bits": make(bits, signed=signed)
    for kind, make in (("dac", dac), ("adc", adc))
    for signed in (False, True)
    for bits in BITS
    if not (kind == "adc" and signed and bits == 1)
}
every_converter = pytest.mark.parametrize("converter", CONVERTERS.values(), ids=CONVERTERS.keys())


@every_converter
def test_codes_are_whole_within_their_ends_and_in_order(converter):
    codes = codes_of(converter, X)
    np.testing.assert_array_equal(codes, np.round(codes))
    assert codes.min() == (-converter.top if converter.signed else 0)
    assert codes.max() == converter.top
    assert (np.diff(codes) >= 0).all()


@every_converter
def test_nothing_is_nothing_and_the_full_scale_is_the_top(converter):
    np.testing.assert_array_equal(codes_of(converter, np.float32([0, FULL])), [0, converter.top])


@every_converter
def test_inside_the_range_a_code_is_half_a_step_off_at_most(converter):
    low = -FULL if converter.signed else 0.0
    found = codes_of(converter, X) * step_of(converter)
    np.testing.assert_allclose(found, np.clip(X, low, FULL), atol=step_of(converter) / 2 * (1 + 1e-5))


@every_converter
def test_what_was_converted_is_converted_to_itself(converter):
    codes = codes_of(converter, X)
    again = codes_of(converter, (codes * step_of(converter)).astype(np.float32))
    np.testing.assert_array_equal(again, codes)


@every_converter
def test_signed_codes_are_odd(converter):
    if converter.signed:
        np.testing.assert_array_equal(codes_of(converter, -X), -codes_of(converter, X))
    else:
        assert (codes_of(converter, np.minimum(X, 0)) == 0).all()


@every_converter
def test_there_are_as_many_codes_as_bits_make(converter):
    fine = np.linspace(-1.2 * FULL, 1.2 * FULL, 40001).astype(np.float32)
    unsigned = 2 * converter.top + 1 if converter.signed else 2**converter.bits
    assert len(np.unique(codes_of(converter, fine))) == unsigned


@every_converter
def test_batches_are_loops_and_jit_changes_nothing(converter):
    def code(x):
        return converter.codes(x) if isinstance(converter, Dac) else converter.convert(x[None], band=0).codes[0]

    xs = jnp.asarray(X[::50])
    loop = np.stack([code(x) for x in xs])
    np.testing.assert_array_equal(jax.jit(jax.vmap(code))(xs), loop)


@pytest.mark.parametrize("signed", [False, True])
@hypothesis.given(bits=st.sampled_from(BITS), x=st.floats(-4, 4, width=32))
def test_phases_of_a_drive_are_magnitudes_that_its_signs_put_together(signed, bits, x):
    drive = dac(bits, signed=signed)
    codes = drive.codes(jnp.asarray([x], jnp.float32))
    phases = drive.phases(codes)
    assert len(phases) == 1 + signed
    assert all(float(part.min()) >= 0 for _, part in phases)
    np.testing.assert_array_equal(sum(sign * np.asarray(part) for sign, part in phases), codes)


@pytest.mark.parametrize("signed", [False, True])
def test_gain_and_offset_are_those_of_a_line_before_rounding(signed):
    gain, offset = 0.07, -0.03
    converter = adc(12, signed=signed, gain=gain, offset=offset)
    low = -FULL if signed else 0.0
    wanted = np.clip(X * (1 + gain) + offset * FULL, low, FULL)
    np.testing.assert_allclose(codes_of(converter, X) * step_of(converter), wanted, atol=step_of(converter) * 0.51)


@every_converter
def test_what_no_code_stands_for_is_said_to_be_beyond(converter):
    """Beyond the last code by more than half a step."""
    x = jnp.asarray(2 * X)
    if isinstance(converter, Dac):
        beyond = np.asarray(converter.saturated(x))
    else:
        beyond = np.asarray(converter.convert(x[:, None], band=0).saturated[:, 0])
    codes = 2 * X.astype(float) / step_of(converter)
    low = -converter.top if converter.signed else 0
    clear = np.abs(np.abs(codes - (converter.top + low) / 2) - (converter.top - low) / 2 - 0.5) > 1e-3
    outside = (codes > converter.top + 0.5) | (codes < low - 0.5)
    np.testing.assert_array_equal(beyond[clear], outside[clear])
    assert set(np.unique(beyond)) == {0, 1}
