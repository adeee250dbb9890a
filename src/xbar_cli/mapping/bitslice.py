"""Fixed-point weights cut into slices of a few bits, one device each: `W = Σ_k r_k·M_k + digital part`.

Weights are integers `w·2^fraction_bits` of `weight_bits` bits. Three encodings of B bits in devices of d bits:

* `offset`: digits of `w + 2^(B−1)`, radix `2^(d·k)`, and the digital offset `−2^(B−1)·Σx` (ISAAC's shift);
* `twos_complement`: digits of the plain pattern `w mod 2^B`. With d = 1 the top slice has radix `−2^(B−1)`. A wider top
  slice holds the sign together with magnitude bits, which no fixed radix undoes: there a digital bit per weight says
  which are negative, and `−2^B·Σ x` over those is added digitally;
* `differential`: digits of `max(w, 0)` and of `max(−w, 0)` on two sets of devices, radices `±2^(d·k)`.

References:
    Shafiee et al. (ISAAC), ISCA 2016, section V; Diware et al. (biased), section III-B.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float, Int

from xbar_cli.device.levels import check_bits
from xbar_cli.numerics import namespace
from xbar_cli.types import AnyArray

ENCODINGS = ("offset", "twos_complement", "differential")
LARGEST_EXPONENT = 120
"""Of two, either way, that the point of a weight may be off: float32 reaches a little further."""


@dataclass(frozen=True, kw_only=True)
class SliceFormat:
    """How a weight is cut into slices.

    Attributes:
        weight_bits: B, with the sign, 2 to 16.
        fraction_bits: bits behind the point: any number from −120 to 120, more than B or below 0 too. Not a whole one where
            weights have a scale of their own, `w = n·2^−fraction_bits`.
        device_bits: d, bits of one device, a divisor of B.
        encoding: "offset", "twos_complement" or "differential".

    Raises:
        ValueError: a value out of range, or slices that do not fit.
    """

    weight_bits: int
    fraction_bits: int | float
    device_bits: int
    encoding: str

    def __post_init__(self) -> None:
        if check_bits(self.weight_bits) < 2:
            raise ValueError(f"weight_bits must be at least 2, a sign and a magnitude, got {self.weight_bits}")
        if abs(self.fraction_bits) > LARGEST_EXPONENT:
            raise ValueError(
                f"fraction_bits must be from -{LARGEST_EXPONENT} to {LARGEST_EXPONENT}, got {self.fraction_bits}"
            )
        if check_bits(self.device_bits) and self.encoding not in ENCODINGS:
            raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}, got {self.encoding!r}")
        if self.weight_bits % self.device_bits:
            raise ValueError(
                f"device_bits must divide weight_bits, but {self.weight_bits} bits are no whole number of "
                f"{self.device_bits}-bit slices"
            )

    @property
    def n_slices(self) -> int:
        """Slices of one integer."""
        return self.weight_bits // self.device_bits

    @property
    def n_planes(self) -> int:
        """Devices of one weight."""
        return self.n_slices * (2 if self.encoding == "differential" else 1)

    @property
    def radices(self) -> tuple[int, ...]:
        """Weight of every plane in the sum, least significant slice first."""
        radices = [2 ** (self.device_bits * k) for k in range(self.n_slices)]
        if self.encoding == "differential":
            radices += [-radix for radix in radices]
        if self.encoding == "twos_complement" and self.device_bits == 1:
            radices[-1] = -radices[-1]
        return tuple(radices)

    @property
    def offset(self) -> int:
        """What the digital side adds, times the sum of the inputs."""
        return -(2 ** (self.weight_bits - 1)) if self.encoding == "offset" else 0

    @property
    def sign_radix(self) -> int:
        """What it adds for the weights marked as negative, times their inputs; 0 where no marks are needed."""
        wide = self.encoding == "twos_complement" and self.device_bits > 1
        return -(2**self.weight_bits) if wide else 0

    @property
    def top_level(self) -> int:
        """Highest level of a device, 2^d − 1."""
        return 2**self.device_bits - 1


class Sliced(NamedTuple):
    """A layer on devices.

    Attributes:
        levels: level 0 … 2^d − 1 of every device [planes rows out].
        negative: 1 where a weight is negative, else 0 [rows out]; None where the format needs no such marks.
    """

    levels: AnyArray
    negative: AnyArray | None


def filling_bits(w: Float[np.ndarray, "*shape"], *, weight_bits: int, whole: bool) -> float:
    """Bits behind the point at which the largest |weight| is the largest integer, `2^(B−1) − 1`; of zeros, 1 counts.

    `whole`: the next whole number below, at which no weight is clipped.
    """
    largest = float(np.abs(w).max()) or 1.0
    bits = float(np.log2((2 ** (weight_bits - 1) - 1) / largest))
    return min(max(float(np.floor(bits)) if whole else bits, -LARGEST_EXPONENT), LARGEST_EXPONENT)


def to_integers(w: Float[AnyArray, "*shape"], fmt: SliceFormat) -> tuple[Int[AnyArray, "*shape"], Float[AnyArray, ""]]:
    """Weights rounded to the fixed-point grid, as int32, and the share that was cut at its ends."""
    xp = namespace(w)
    half = 2 ** (fmt.weight_bits - 1)
    scaled = xp.round(w * 2.0**fmt.fraction_bits)
    outside = (scaled < -half) | (scaled > half - 1)
    return xp.clip(scaled, -half, half - 1).astype(np.int32), xp.asarray(xp.mean(outside.astype(w.dtype)))


def to_weights(integers: Int[AnyArray, "*shape"], fmt: SliceFormat, *, dtype: DTypeLike) -> Float[AnyArray, "*shape"]:
    """The weights of integers, `w = n·2^−fraction_bits`, in a float `dtype`; exact in float32 where the bits are whole."""
    return integers.astype(dtype) * 2.0**-fmt.fraction_bits


def _digits(values: AnyArray, fmt: SliceFormat) -> AnyArray:
    return namespace(values).stack([(values >> (fmt.device_bits * k)) & fmt.top_level for k in range(fmt.n_slices)])


def cut(integers: Int[AnyArray, "*shape"], fmt: SliceFormat) -> Sliced:
    """The levels of every device of integer weights within the format's range."""
    match fmt.encoding:
        case "offset":
            return Sliced(_digits(integers - fmt.offset, fmt), None)
        case "twos_complement":
            pattern = integers & (2**fmt.weight_bits - 1)
            return Sliced(_digits(pattern, fmt), (integers < 0).astype(np.int32) if fmt.sign_radix else None)
        case _:
            xp = namespace(integers)
            signs = (xp.maximum(integers, 0), xp.maximum(-integers, 0))
            return Sliced(xp.concatenate([_digits(part, fmt) for part in signs]), None)


def join(sliced: Sliced, fmt: SliceFormat) -> AnyArray:
    """The weights that devices stand for, in integer units: `Σ_k r_k·M_k + offset`; levels may be perturbed floats."""
    levels = sliced.levels
    total = sum(radix * levels[k] for k, radix in enumerate(fmt.radices)) + fmt.offset
    if sliced.negative is not None:
        total = total + fmt.sign_radix * sliced.negative.astype(levels.dtype)
    return namespace(levels).asarray(total)


def to_conductances(
    levels: Int[AnyArray, "*shape"], fmt: SliceFormat, *, g_min: float, g_max: float
) -> Float[AnyArray, "*shape"]:
    """Levels at equal steps from `g_min` (level 0) to `g_max` (level 2^d − 1) [S], in float32; 0 <= g_min < g_max."""
    if not 0 <= g_min < g_max:
        raise ValueError(f"g_min and g_max must satisfy 0 <= g_min < g_max, got {g_min} S and {g_max} S")
    return g_min + levels.astype(np.float32) * ((g_max - g_min) / fmt.top_level)


def to_levels(
    g: Float[AnyArray, "*shape"], fmt: SliceFormat, *, g_min: float, g_max: float
) -> Float[AnyArray, "*shape"]:
    """Real-valued levels of conductances [S]: the inverse of `to_conductances`, G_min taken off digitally."""
    return (g - g_min) * (fmt.top_level / (g_max - g_min))


def sufficient_adc_bits(fmt: SliceFormat, *, rows: int, dac_bits: int) -> int:
    """Bits of a converter that tells all column sums apart: `ceil(log2(rows·(2^d − 1)·(2^dac − 1) + 1))`."""
    return (rows * fmt.top_level * (2 ** check_bits(dac_bits) - 1)).bit_length()
