"""Integer products through slices, converters and shift-and-add: what the tiled path is held against, without a tile of it.

Inputs are integers, applied `dac_bits` at a time; each column of each slice is converted at each cycle, and the codes are
shifted and added.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from xbar_cli.device.levels import check_bits
from xbar_cli.mapping.bitslice import Sliced, SliceFormat, sufficient_adc_bits

_EXACT_FLOAT32 = 2**24
_LARGEST_INT32 = 2**31 - 1


def adc_error_bound(fmt: SliceFormat, *, rows: int, input_bits: int, dac_bits: int, adc_bits: int) -> int:
    """Largest error of an integer product through converters of `adc_bits`, 0 where they suffice.

    With `s` bits missing a step is `2^s`; a conversion errs by at most half of it, and by `2^s − 1` at the top code.
    The bound is that times the sum of all radices of slices and input cycles.
    """
    missing = max(0, sufficient_adc_bits(fmt, rows=rows, dac_bits=dac_bits) - adc_bits)
    cycles = sum(2**shift for shift in range(0, input_bits, dac_bits))
    return (2**missing - 1) * cycles * sum(abs(radix) for radix in fmt.radices)


def convert(sums: Float[Array, "*shape"], *, sufficient_bits: int, adc_bits: int) -> Int[Array, "*shape"]:
    """Column sums through a converter: rounded to its step and cut at its ends.

    Args:
        sums: column sums, in units of one level times one input step.
        sufficient_bits: bits at which the step is 1.
        adc_bits: bits of the converter; above `sufficient_bits` they add nothing.

    Returns:
        Codes times step, int32.
    """
    missing = max(0, sufficient_bits - check_bits(adc_bits))
    codes = jnp.clip(jnp.round(sums * 2.0**-missing), 0, 2 ** (sufficient_bits - missing) - 1)
    return codes.astype(jnp.int32) << missing


def _cycles(x: Array, *, input_bits: int, signed: bool, dac_bits: int) -> tuple[Array, list[int]]:
    """Input digits [cycles *batch rows] and their radices."""
    if check_bits(input_bits) % check_bits(dac_bits):
        raise ValueError(f"dac_bits must divide input_bits, got {dac_bits} and {input_bits}")
    if signed and dac_bits != 1:
        raise ValueError(f"signed inputs are applied bit by bit (dac_bits = 1), got dac_bits = {dac_bits}")
    shifts = range(0, input_bits, dac_bits)
    pattern = x & (2**input_bits - 1)
    radices = [2**shift for shift in shifts]
    if signed:
        radices[-1] = -radices[-1]
    return jnp.stack([(pattern >> shift) & (2**dac_bits - 1) for shift in shifts]), radices


def _check_exact(fmt: SliceFormat, *, rows: int, input_bits: int, dac_bits: int, input_radices: list[int]) -> None:
    """Raise ValueError where column sums or the product are beyond exact float32 or int32 arithmetic."""
    largest = rows * fmt.top_level * (2**dac_bits - 1)
    total = largest * sum(map(abs, input_radices)) * sum(map(abs, fmt.radices))
    if largest >= _EXACT_FLOAT32 or total > _LARGEST_INT32:
        raise ValueError(f"{rows} rows of {fmt.weight_bits} by {input_bits} bits exceed exact integer sums: tile them")


def product(
    x: Int[Array, "*batch rows"],
    sliced: Sliced,
    fmt: SliceFormat,
    *,
    input_bits: int,
    signed_inputs: bool,
    dac_bits: int,
    adc_bits: int | None,
) -> Array:
    """`x @ w` through slices, converters and shift-and-add, in units of input step times weight step.

    Args:
        x: integer inputs within `input_bits` bits, two's complement where signed.
        sliced: the devices, levels [planes rows out] as `cut` gives them, or perturbed floats (`to_levels`).
        fmt: how weights are cut.
        input_bits: bits of an input, the sign with them.
        signed_inputs: whether inputs may be negative; their top bit then counts negatively.
        dac_bits: bits of an input applied at once; 1 is bit-serial, and needed where signed.
        adc_bits: bits of the converter at every column of every slice; None leaves it out, the product is then a float.

    Returns:
        [*batch out], int32 with a converter and float32 without.

    Raises:
        ValueError: bits out of range or not dividing, or sums beyond exact float32 (2^24) or int32 arithmetic.

    Accuracy:
        Exact for unperturbed levels with `sufficient_adc_bits`; otherwise within `adc_error_bound`.
    """
    digits, input_radices = _cycles(x, input_bits=input_bits, signed=signed_inputs, dac_bits=dac_bits)
    sums = jnp.einsum(
        "c...r,kro->ck...o",
        digits.astype(jnp.float32),
        sliced.levels.astype(jnp.float32),
        precision=jax.lax.Precision.HIGHEST,
    )
    dtype, codes = jnp.float32, sums
    if adc_bits is not None:
        _check_exact(fmt, rows=x.shape[-1], input_bits=input_bits, dac_bits=dac_bits, input_radices=input_radices)
        enough = sufficient_adc_bits(fmt, rows=x.shape[-1], dac_bits=dac_bits)
        dtype, codes = jnp.int32, convert(sums, sufficient_bits=enough, adc_bits=adc_bits)
    shifted = jnp.tensordot(jnp.asarray(fmt.radices, dtype), codes, axes=([0], [1]))
    result = jnp.tensordot(jnp.asarray(input_radices, dtype), shifted, axes=([0], [0]))
    result = result + fmt.offset * jnp.sum(x, axis=-1, keepdims=True).astype(dtype)
    if sliced.negative is not None:
        result = result + fmt.sign_radix * (x @ sliced.negative).astype(dtype)
    return result
