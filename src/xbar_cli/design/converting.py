"""Converters that gradients pass: rounding as noise, codes of inputs straight through."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.array.converters import Adc, Converted, Dac, bit
from xbar_cli.nn.program import DrivenLayer
from xbar_cli.nn.tiled import TiledLayer
from xbar_cli.numerics import straight_through


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SmoothAdc(Adc):
    """Converters of any number of bits: what rounding does is even noise of half a step either way, and the range ends.

    References:
        Widrow and Kollár, Quantization Noise, Cambridge University Press 2008, chapter 1.
    """

    noise: float = field(default=12**-0.5, metadata={"static": True})
    own_streams: ClassVar[bool] = False
    """A step draws its batch at once: its images are others in every step, and nobody reads one of them alone."""

    def __post_init__(self) -> None:
        """Bits need not be whole."""

    @staticmethod
    def draw(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
        """Numbers of variance 1, distributed as what rounding does: evenly."""
        return jax.random.uniform(key, shape, dtype, -(3**0.5), 3**0.5)

    def convert(self, i: Array, *, band: Array | int, noise: Array | None = None) -> Converted:
        """Codes that are no whole numbers, with noise; 1 where a current was beyond the range, else 0."""
        value = self.scaled(i, band=band, noise=noise)
        codes = jnp.clip(value, self.lowest, self.top)
        return Converted(codes, (codes != value).astype(i.dtype))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PassingDac(Dac):
    """Row drive whose codes, and cycles of them, are those of `Dac`, and let gradients through as if they were not rounded."""

    def codes(self, x: Array) -> Array:
        """Codes of activations, with their sign."""
        steps = self.share(x) * self.top
        return steps if self.bits is None else straight_through(jnp.round, steps)

    def cycle(self, magnitude: Array, place: Array | int) -> Array:
        """The bit at `place`; every cycle passes the same share of the gradient, so that all of them pass it once."""
        return straight_through(lambda share: bit(jnp.round(share * self.top), place), magnitude / self.top)


def passed(layer: Any) -> Any:
    """A layer whose row drive lets gradients through."""
    if not isinstance(layer, DrivenLayer | TiledLayer):
        return layer
    dac = layer.dac
    return replace(layer, dac=PassingDac(dac.full_scale, dac.signed, dac.bits, dac.limited))
