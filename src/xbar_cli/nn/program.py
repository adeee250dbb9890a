"""Programmed conductances to layers that compute: what a chip puts in the place of each kernel."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.converters import Dac, serial_power
from xbar_cli.array.gated import Drive, GatedLayer
from xbar_cli.array.ideal import Contract, LinearLayer
from xbar_cli.device.mismatch import AnyCell
from xbar_cli.mapping.readout import Readout
from xbar_cli.numerics import along_last


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MeanCell:
    """A 1T-1R cell read as the linear conductance it has on average over the input voltages.

    Attributes:
        surrogate: of the current.
        weights: mean over the input voltages of b_k(v) / v, [rank] [1/V].
        inverse_voltage: mean of 1 / v [1/V], which weighs the leakage.
    """

    surrogate: AnyCell
    weights: Float[Array, " rank"]
    inverse_voltage: Float[Array, ""]

    def __call__(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Mean effective conductance [S] of memristor conductances `g` [S]."""
        return self.surrogate.in_g(g) @ self.weights + self.surrogate.at_zero(g) * self.inverse_voltage


def mean_cell(surrogate: AnyCell, vin: Float[Array, " points"]) -> MeanCell:
    """The mean over the input voltages `vin` [V], all above 0."""
    return MeanCell(
        surrogate=surrogate,
        weights=jnp.mean(surrogate.in_v(vin) / vin[:, None], axis=0),
        inverse_voltage=jnp.mean(1 / vin),
    )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Scale:
    """How the columns of a layer are decoded: `combine(m)/slope + digital`.

    Attributes:
        readout: what combines the columns.
        kernel: shape of the kernel `[*window in out]`.
        slope: nominal conductance per unit of weight [S], one or one per output.
        digital: weight that the digital side adds, one number or one per weight [rows out]; None where there is none.
    """

    readout: Readout = field(metadata={"static": True})
    kernel: tuple[int, ...] = field(metadata={"static": True})
    slope: Float[Array, "..."]
    digital: Float[Array, "..."] | None = None

    def weights(self, m: Float[Array, "*batch rows columns"]) -> Float[Array, "*batch rows out"]:
        """Decoded weights of conductances [S], without what the digital side adds."""
        return self.decoded(jnp.asarray(self.readout.combine(m)))

    def decoded(self, signed: Float[Array, "*batch rows out"]) -> Float[Array, "*batch rows out"]:
        """Weights of conductances [S] that were combined already."""
        return signed / (self.slope if self.slope.ndim == 0 else along_last(self.slope, signed))

    def digital_kernel(self) -> Array | None:
        """The digital side's weight in the shape of the kernel."""
        if self.digital is None:
            return None
        rows = math.prod(self.kernel[:-1])
        return jnp.broadcast_to(self.digital, (rows, self.kernel[-1])).reshape(self.kernel)


def linear_layer(g: Float[Array, "rows columns"], *, scale: Scale) -> LinearLayer:
    """A layer on linear arrays whose columns act as the conductances `g` [S]."""
    kernel, digital = scale.weights(g).reshape(scale.kernel), scale.digital_kernel()
    return LinearLayer(kernel=kernel if digital is None else kernel + digital)


def gated_layer(g: Float[Array, "rows columns"], *, scale: Scale, surrogate: AnyCell, drive: Drive) -> GatedLayer:
    """A layer on 1T-1R arrays of memristors `g` [S] with ideal wires, decoded at the nominal scale."""
    per_volt = drive.full_scale / surrogate.v_max
    factors = scale.weights(jnp.moveaxis(surrogate.in_g(g), -1, 0)) * per_volt  # [rank rows out]
    leakage = scale.weights(surrogate.at_zero(g)).sum(axis=0) * per_volt
    return GatedLayer(
        kernel=factors.reshape(surrogate.rank, *scale.kernel),
        leakage=jnp.where(drive.signed > 0, jnp.zeros_like(leakage), leakage),
        surrogate=surrogate,
        drive=drive,
        digital=scale.digital_kernel(),
    )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DrivenLayer:
    """A folded layer behind converters of its inputs.

    Attributes:
        layer: what computes the product of the activations that the drive stands for: linear, of cells, or of cells with wires.
        dac: activations to row drive.
        leakage: decoded sum of the currents of each output at no drive; None where there are none, or two reads cancel it.
        serial: whether rows are driven bit by bit, each cycle a read of its own.
    """

    layer: Callable[[Array, Contract], Any]
    dac: Dac
    leakage: Float[Array, " out"] | None = None
    serial: bool = field(default=False, metadata={"static": True})

    def __call__(self, x: Array, contract: Contract) -> Any:
        """The layer's outputs, decoded, before any bias; with the trust in them where arrays are solved at every read."""
        y = self.layer(self.dac(x), contract)
        return y if self.leakage is None else y + along_last(self.leakage, y)

    def felt(self, x: Array) -> Array:
        """The activations whose squares weigh the noise of the devices: every cycle has noise of its own."""
        if not self.serial or self.dac.bits is None:
            return self.dac(x)
        unit = self.dac.full_scale / self.dac.top
        return serial_power(self.dac.codes(x), bits=self.dac.bits) * unit


def one_voltage(surrogate: AnyCell, v: Float[Array, ""]) -> MeanCell:
    """The cell driven by one voltage `v` [V] or none: `(I(G, v) − I(G, 0)) / v`, exactly linear in which rows are driven."""
    return MeanCell(
        surrogate=surrogate, weights=surrogate.in_v(v[None])[0] / v, inverse_voltage=jnp.zeros((), v.dtype)
    )  # fmt: skip
