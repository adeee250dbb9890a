"""Layers on tiles with converters behind their columns: what is converted before it is added cannot be folded into weights.

Every product is split: reads (x⁺ and x⁻), cycles of bit-serial inputs, bands of tiles below each other, and of each band the
groups of rows that are driven at once. Each of these gives one current per column, which is converted, alone or as the
difference of a pair; codes are shifted, added, and combined digitally. Or currents of all groups of rows are held as charge,
added, and converted once.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.converters import Adc, Dac
from xbar_cli.array.ideal import Contract
from xbar_cli.array.tiling import RowGroups
from xbar_cli.device.mismatch import AnyCell
from xbar_cli.numerics import along_last, stream

from .contracts import MatrixProduct, rows_of
from .noise import ColumnNoise, drawn_noise
from .program import Scale

BUDGET = 2**23
"""Numbers that the windows and currents of one part of a batch may hold."""


class Outputs(NamedTuple):
    """A layer's decoded outputs, and for each image how many conversions were beyond the converters' range."""

    y: Array
    saturated: Float[Array, " images"]


class Signals(NamedTuple):
    """What is converted at once.

    Attributes:
        i: signals over the full voltage [S].
        driven: sum of the row drive behind them.
        band: of the tiles whose converters convert them.
        weight: of their codes.
        key: of what is drawn; None where nothing is.
    """

    i: Float[Array, "images *place signals"]
    driven: Array
    band: Array | int
    weight: Array
    key: Array | None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TiledLayer:
    """A layer of tiles.

    A group of rows is what one read drives: a whole band of tiles, or some of its rows, none of another band. The rows of a
    band that a read does not drive are held at 0 V. In linear arrays, wires and sources with them, the reads of a band then
    add up to the read of all its rows by superposition, exactly. The gates of 1T-1R cells that are not read are off: such
    cells leak nothing, and a read carries the leakage of its own rows alone.

    Attributes:
        factors: what multiplies each feature of the row drive, [groups products rows columns] [S]: effective conductances,
            or the conductance factors of cells over the full voltage. Rows beyond the band's are 0.
        leakage: current over the full voltage of columns at no drive [groups columns] [S].
        scale: how columns are decoded; `digital` holds the ADC's baseline too.
        dac: activations to row drive.
        rows: how the layer's rows are read.
        surrogate: cells whose current is no straight line, driven by amplitude; None where one product does.
        serial: whether rows are driven bit by bit.
        pairs: whether neighbouring columns are subtracted before they are converted.
        analog: whether what the groups of rows give is added before it is converted, once.
    """

    factors: Float[Array, "groups products rows columns"]
    leakage: Float[Array, "groups columns"]
    scale: Scale
    dac: Dac
    rows: RowGroups = field(metadata={"static": True})
    surrogate: AnyCell | None = None
    serial: bool = field(default=False, metadata={"static": True})
    pairs: bool = field(default=False, metadata={"static": True})
    analog: bool = field(default=False, metadata={"static": True})

    def __call__(
        self,
        x: Array,
        contract: Contract,
        *,
        adc: Adc,
        noise: ColumnNoise | None = None,
        key: Array | None = None,
        first: Array | int = 0,
    ) -> Outputs:
        """The layer's outputs, decoded at the nominal scale, before any bias.

        Args:
            x: activations [images …].
            contract: the layer's product.
            adc: the converters.
            noise: of the devices at every read, in front of the converters; None without.
            key: of the noise, that of the converters with it.
            first: number of the first image; image n draws its noise from a stream of its own, `first` + n.
        """

        def start(shape: tuple[int, ...]) -> tuple[Array, Array]:
            return jnp.zeros(shape, x.dtype), jnp.zeros(shape[:1], x.dtype)

        def part(x: Array, numbers: Array) -> tuple[Array, Array]:
            def step(carry: tuple[Array, Array], read: Signals) -> tuple[Array, Array]:
                total, beyond = carry
                i = read.i - adc.baseline * self._of_signals(read.driven, read.i.shape[-1])
                codes, saturated = adc.convert(i, band=read.band, noise=converter_noise(adc, i, read.key, numbers))
                return total + read.weight * codes, beyond + saturated.reshape(i.shape[0], -1).sum(axis=1)

            total, beyond = self.reduce(x, contract, start=start, step=step, noise=noise, key=key, numbers=numbers)
            unit = adc.step * self.dac.full_scale / (self.dac.top if self.serial else 1)
            y = self.scale.decoded(total) if self.pairs else self.scale.weights(total)
            return y * unit, beyond

        y, saturated = in_parts(part, x, jnp.arange(x.shape[0]) + first, size=self.part_size(x.shape, contract))
        kernel = self.scale.digital_kernel()
        return Outputs(y if kernel is None else y + contract(self.dac(x), kernel), saturated)

    def conversions(self, positions: int) -> int:
        """Conversions for one image with so many output positions."""
        reads = (2 if self.dac.signed else 1) * (self._cycles() if self.serial else 1)
        return positions * (1 if self.analog else self.rows.count) * self.signals * reads

    @property
    def signals(self) -> int:
        """What is converted behind one group of rows: every column, or every pair of columns."""
        columns = self.factors.shape[-1]
        return self.scale.readout.outputs(columns) if self.pairs else columns

    def part_size(self, shape: tuple[int, ...], contract: Contract) -> int:
        """Images that may be computed at once, for inputs of `shape` [images …]."""
        one = jax.ShapeDtypeStruct((1, *shape[1:]), jnp.float32)
        window = math.prod(jax.eval_shape(lambda x: rows_of(contract, x, self.scale.kernel), one).shape)
        rows = math.prod(self.scale.kernel[:-1])
        return max(1, BUDGET // (window * 2 + window // rows * 3 * self.factors.shape[-1]))

    def reduce(
        self,
        x: Array,
        contract: Contract,
        *,
        start: Callable[[tuple[int, ...]], Any],
        step: Callable[..., Any],
        noise: ColumnNoise | None = None,
        key: Array | None = None,
        numbers: Array | None = None,
    ) -> Any:
        """Reduce the signals of all reads, cycles and groups of rows of some images.

        Args:
            x: activations.
            contract: the layer's product.
            start: from the shape of one group's signals [images … signals] to the first carry.
            step: `(carry, what is converted at once) -> carry`.
            noise: of the devices at every read; None without.
            key: of the noise.
            numbers: of the images, for the noise.
        """
        seen = rows_of(contract, self.dac.codes(x), self.scale.kernel)
        codes = self.rows.spread(
            seen if self._one_group else seen.reshape(*seen.shape[:-1], self.scale.readout.groups, -1)
        )
        variances = None if noise is None else self.rows.split(noise.variances.reshape(-1, *self._shape()))
        carry = start((*seen.shape[:-1], self.signals))
        for sign, magnitude in self.dac.phases(codes):

            def read(carry: Any, place: Array, sign: int = sign, magnitude: Array = magnitude) -> tuple[Any, None]:
                weight = jnp.asarray(sign, x.dtype) * (1 << place).astype(x.dtype)
                share = self.dac.cycle(magnitude, place) if self.serial else magnitude / self.dac.top
                own = None if key is None else jax.random.fold_in(key, place * 2 + int(sign < 0))

                def signals(group: Array) -> Signals:
                    drive = jax.lax.dynamic_slice_in_dim(share, group * self.rows.each, self.rows.each, axis=-1)
                    i, drawn = self._currents(drive, group), None if own is None else jax.random.fold_in(own, group)
                    if noise is not None and variances is not None and drawn is not None and numbers is not None:
                        i = i + self._noise(drive, noise, variances[group], drawn, numbers)
                    i = jnp.asarray(self.scale.readout.combine(i)) if self.pairs else i
                    return Signals(i, drive.sum(axis=-1), group // self.rows.a_band, weight, drawn)

                groups = jnp.arange(self.rows.count)
                if self.analog:
                    return step(carry, held(signals, groups)), None
                return jax.lax.scan(lambda carry, group: (step(carry, signals(group)), None), carry, groups)

            carry, _ = jax.lax.scan(read, carry, jnp.arange(self._cycles() if self.serial else 1))
        return carry

    def _cycles(self) -> int:
        return self.dac.bits or 1

    def _shape(self) -> tuple[int, int]:
        return math.prod(self.scale.kernel[:-1]), self.factors.shape[-1]

    def _currents(self, drive: Array, group: Array) -> Array:
        """Column currents over the full voltage [S] of one group of rows."""
        factors = self.factors[group]
        if self.surrogate is None:
            i = self._product(drive, factors[0])
        else:
            v = self.surrogate.v_max * drive
            i = self._summed([drive * factor for factor in self.surrogate.per_volt(v)], factors)
        return i + along_last(self.leakage[group], i)

    @property
    def _one_group(self) -> bool:
        return self.scale.readout.groups == 1

    def _product(self, drive: Array, matrix: Array) -> Array:
        """Sums over driven rows [… rows], or [… groups rows] where the columns of each group have rows of their own."""
        if self._one_group:
            return drive @ matrix
        return MatrixProduct(drive.shape[-2])(drive.reshape(*drive.shape[:-2], -1), matrix)

    def _of_signals(self, sums: Array, signals: int) -> Array:
        """What is one number for every read, or for every group of columns, for each signal."""
        return sums[..., None] if self._one_group else jnp.repeat(sums, signals // sums.shape[-1], axis=-1)

    def _summed(self, drives: list[Array], matrices: Array) -> Array:
        """The sum of the products, one after the other."""
        return functools.reduce(jnp.add, map(self._product, drives, matrices))

    def _noise(self, drive: Array, noise: ColumnNoise, variances: Array, key: Array, numbers: Array) -> Array:
        """Noise of one read of one group of rows [S]; every image draws from its own stream."""
        variance = self._summed(noise.features(drive * self.dac.full_scale), variances)
        return drawn_noise(key, variance, numbers) / self.dac.full_scale


def held(signals: Callable[[Array], Signals], groups: Array) -> Signals:
    """The signals of all groups of rows, added as charge, in front of one row of converters."""

    def add(total: tuple[Array, Array], group: Array) -> tuple[tuple[Array, Array], None]:
        more = signals(group)
        return (total[0] + more.i, total[1] + more.driven), None

    first = signals(groups[0])
    (i, driven), _ = jax.lax.scan(add, (first.i, first.driven), groups[1:])
    return first._replace(i=i, driven=driven, band=0)


def converter_noise(adc: Adc, i: Array, key: Array | None, numbers: Array) -> Array | None:
    """Noise of the conversions of `i` in steps; None of converters without any."""
    if not adc.noise:
        return None
    if key is None:
        raise ValueError("key must be given: the converters are noisy")
    own = stream(key, "adc")
    if not adc.own_streams:
        return adc.noise * adc.draw(own, i.shape, i.dtype)
    return drawn_noise(own, jnp.full_like(i, adc.noise**2), numbers, draw=adc.draw)


def in_parts(function: Callable[[Array, Array], Any], x: Array, numbers: Array, *, size: int) -> Any:
    """`function(x, numbers)`, which gives arrays [images …], over parts of at most `size` images, to bound its memory."""
    count = x.shape[0]
    parts = -(-count // size)
    if parts == 1:
        return function(x, numbers)
    each = -(-count // parts)

    def divided(array: Array) -> Array:
        filled = jnp.pad(array, [(0, parts * each - count)] + [(0, 0)] * (array.ndim - 1))
        return filled.reshape(parts, each, *array.shape[1:])

    found = jax.lax.map(lambda part: function(*part), (divided(x), divided(numbers)))
    return jax.tree.map(lambda leaf: leaf.reshape(parts * each, *leaf.shape[2:])[:count], found)
