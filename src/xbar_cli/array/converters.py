"""Converters around arrays: how activations become row drive, and what a converter at a column makes of its current.

A row is driven with a share of the full drive, from 0 to 1: of the largest voltage (amplitude), of one cycle (a pulse
width), or bit by bit. Currents are given over the full voltage, [S]: `I / V = Σ_i share_i · G_i`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from numpy.typing import NDArray

from xbar_cli.array.built.sar import Sar
from xbar_cli.array.built.thresholds import Thresholds
from xbar_cli.device.levels import check_bits
from xbar_cli.numerics import along_last
from xbar_cli.vectors import Count


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Dac:
    """Activations to row drive: `round(|x| / full_scale · (2^bits − 1))` steps, at most all of them; signs in two phases.

    Attributes:
        full_scale: activation of the full drive.
        signed: whether activations have both signs, and each product is two reads, x⁺ and x⁻, subtracted.
        bits: of the converter; None drives any share of the full drive.
        limited: whether drive ends at the full one; False for ideal drivers, which go on.
    """

    full_scale: Float[Array, ""]
    signed: bool = field(metadata={"static": True})
    bits: int | None = field(default=None, metadata={"static": True})
    limited: bool = field(default=True, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.bits is not None:
            check_bits(self.bits)
            if not self.limited:
                raise ValueError("limited must be True for a converter: its codes end")

    @property
    def top(self) -> int:
        """The highest code, 2^bits − 1; 1 without a converter."""
        return 1 if self.bits is None else 2**self.bits - 1

    def share(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Activations over that of the full drive, where the drive ends no further than its ends."""
        share = x / self.full_scale
        return jnp.clip(share, -1 if self.signed else 0, 1) if self.limited else share

    def codes(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Codes of activations, with their sign; without a converter any number of that range."""
        share = self.share(x)
        return share if self.bits is None else jnp.round(share * self.top)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The activations that the drive stands for."""
        return self.codes(x) * (self.full_scale / self.top)

    def cycle(self, magnitude: Float[Array, "*shape"], place: Array | int) -> Float[Array, "*shape"]:
        """What a cycle of bit-serial inputs drives of whole magnitudes: the bit at `place`."""
        return bit(magnitude, place)

    def saturated(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """1 where an activation is beyond the range by more than rounding to its end, else 0."""
        if not self.limited:
            return jnp.zeros_like(x)
        margin = 0 if self.bits is None else 0.5 / self.top
        share = x / self.full_scale
        low = -1 - margin if self.signed else -margin
        return ((share > 1 + margin) | (share < low)).astype(x.dtype)

    def phases(self, codes: Float[Array, "*shape"]) -> list[tuple[int, Float[Array, "*shape"]]]:
        """(sign, magnitudes) of each read that a product takes."""
        if not self.signed:
            return [(1, codes)]
        return [(1, jnp.maximum(codes, 0)), (-1, jnp.maximum(-codes, 0))]


def bit(codes: Float[Array, "*shape"], place: Array | int) -> Float[Array, "*shape"]:
    """The bit of whole non-negative `codes` at `place`, 0 or 1."""
    return ((codes.astype(jnp.int32) >> place) & 1).astype(codes.dtype)


def serial_power(codes: Float[Array, "*shape"], *, bits: int) -> Float[Array, "*shape"]:
    """`√(Σ_k 4^k b_k)` of the bits of signed codes: what independent noise of the cycles adds up to, in codes."""
    magnitude = jnp.abs(codes)
    total = jnp.zeros_like(codes)
    for k in range(bits):
        total = total + 4.0**k * bit(magnitude, k)
    return jnp.sqrt(total)


class Converted(NamedTuple):
    """Codes, whole numbers in floats unless levels say what they stand for; 1 where a current was beyond the range, else 0."""

    codes: Array
    saturated: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Adc:
    """The converters of a layer: `round((I (1 + gain) + offset FS) / step)`, cut at both ends.

    Each signal of each tile (a column's current, or the difference of a pair of columns) has the errors of the converter
    that serves it; `draw_errors` says which signals share one. Parts that are unequal move the edges between codes.

    Attributes:
        full_scale: FS, the current of the highest code, over the full voltage [S].
        gain: relative gain error behind each signal, [tile rows, signals].
        offset: offset behind each signal in units of the full scale, likewise.
        baseline: conductance [S] whose share of the current a column of such devices takes off before converting.
        bits: of the converter.
        signed: whether codes go from −(2^(bits−1) − 1) to 2^(bits−1) − 1, for differences; else from 0 to 2^bits − 1.
        noise: thermal noise of one conversion at the input, root mean square in steps.
        built: the edges between codes, as the converters were built; None where all are half a step from their codes.
        levels: what each code stands for, in steps, the lowest code first; None where a code stands for itself.
    """

    full_scale: Float[Array, ""]
    gain: Float[Array, "bands signals"]
    offset: Float[Array, "bands signals"]
    baseline: Float[Array, ""]
    bits: int = field(metadata={"static": True})
    signed: bool = field(default=False, metadata={"static": True})
    noise: float = field(default=0.0, metadata={"static": True})
    built: Sar | Thresholds | None = None
    levels: Float[Array, " codes"] | None = None

    own_streams: ClassVar[bool] = True
    """Whether every image draws its noise from a stream of its own; else a batch is drawn at once."""

    def __post_init__(self) -> None:
        if check_bits(self.bits) == 1 and self.signed:
            raise ValueError("bits must be at least 2 for signed codes: one bit leaves the code 0 alone")

    @staticmethod
    def draw(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
        """Numbers of variance 1, distributed as the noise is: normal."""
        return jax.random.normal(key, shape, dtype)

    @property
    def top(self) -> Count:
        """The highest code, 2^bits − 1, or 2^(bits−1) − 1 where codes have both signs."""
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1

    @property
    def step(self) -> Array:
        """Current over voltage of one code [S]."""
        return self.full_scale / self.top

    @property
    def lowest(self) -> Count:
        """The lowest code."""
        return -self.top if self.signed else 0

    def scaled(self, i: Float[Array, "*batch signals"], *, band: Array | int, noise: Array | None) -> Array:
        """Signals over the full voltage [S] in steps of the converters of row band `band`, `noise` in steps added."""
        gain, offset = along_last(self.gain[band], i), along_last(self.offset[band], i)
        value = (i * (1 + gain) + offset * self.full_scale) / self.step
        return value if noise is None else value + noise

    def convert(self, i: Float[Array, "*batch signals"], *, band: Array | int, noise: Array | None = None) -> Converted:
        """Codes of the signals over the full voltage [S], in the tiles of row band `band`; `noise` in steps is added to them."""
        value = self.scaled(i, band=band, noise=noise)
        rounded = jnp.round(value)
        codes = jnp.clip(rounded, self.lowest, self.top)
        saturated = (rounded != codes).astype(i.dtype)
        if self.built is not None:
            # binary weights have a code below the lowest of both signs, which then stands for that one
            below = 1 if self.signed and isinstance(self.built, Sar) else 0
            found = self.built.codes(value - (self.lowest - below), band=band) + (self.lowest - below)
            codes = jnp.clip(found, self.lowest, self.top)
        if self.levels is not None:
            codes = self.levels[(codes - self.lowest).astype(jnp.int32)]
        return Converted(codes, saturated)


def converters_of(signals: int, *, across: int, shared: int) -> NDArray[np.intp]:
    """Which converter of a band of tiles serves each of so many signals: neighbours share one, and no converter serves two tiles.

    A tile has `across` signals, of which one converter serves `shared` in turn; those of a tile at most.
    """
    tile, place = np.divmod(np.arange(signals), across)
    return tile * -(-across // shared) + place // shared


def servers(signals: int, *, across: int, shared: int, groups: int = 1) -> NDArray[np.intp]:
    """The same of signals in equal `groups`, whose tiles are their own; the numbers of all converters follow each other."""
    own = converters_of(signals // groups, across=across, shared=shared)
    return np.concatenate([own + group * (own[-1] + 1) for group in range(groups)])


def draw_errors(
    key: Array,
    *,
    bands: int,
    signals: int,
    gain_error: float,
    offset_error: float,
    across: int | None = None,
    shared: int = 1,
    groups: int = 1,
) -> tuple[Float[Array, "bands signals"], Float[Array, "bands signals"]]:
    """Gain and offset error of the converters of one chip's layer: independent, normal, mean 0, one draw a converter.

    Args:
        key: random key of the chip and layer.
        bands: tiles below each other.
        signals: columns of the layer, or pairs of them, that are converted.
        gain_error: standard deviation of the relative gain.
        offset_error: standard deviation of the offset in units of the full scale.
        across: signals of one tile; all of them when None.
        shared: neighbouring signals of a tile that one converter serves.
        groups: equal parts of the signals on tiles of their own.
    """
    served = servers(signals, across=across or signals // groups, shared=shared, groups=groups)
    drawn = jax.random.normal(key, (2, bands, int(served[-1]) + 1))[..., served]
    return gain_error * drawn[0], offset_error * drawn[1]
