"""Programmed conductances to layers that compute: what a chip puts in the place of each kernel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.gated import Drive, GatedLayer
from xbar_cli.array.ideal import Contract, LinearLayer
from xbar_cli.device.transistor import Separable
from xbar_cli.mapping.periphery import combine

from .layers import Product

ProgrammedLayer = LinearLayer | GatedLayer


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MeanCell:
    """A 1T-1R cell read as the linear conductance it has on average over the input voltages.

    Attributes:
        surrogate: of the current.
        weights: mean over the input voltages of b_k(v) / v, [rank] [1/V].
        inverse_voltage: mean of 1 / v [1/V], which weighs the leakage.
    """

    surrogate: Separable
    weights: Float[Array, " rank"]
    inverse_voltage: Float[Array, ""]

    def __call__(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Mean effective conductance [S] of memristor conductances `g` [S]."""
        return self.surrogate.in_g(g) @ self.weights + self.surrogate.at_zero(g) * self.inverse_voltage


def mean_cell(surrogate: Separable, vin: Float[Array, " points"]) -> MeanCell:
    """The mean over the input voltages `vin` [V], all above 0."""
    return MeanCell(
        surrogate=surrogate,
        weights=jnp.mean(surrogate.in_v(vin) / vin[:, None], axis=0),
        inverse_voltage=jnp.mean(1 / vin),
    )


def linear_layer(
    g: Float[Array, "rows devices"],
    *,
    scheme: str,
    slope: Array,
    kernel: tuple[int, ...],
    cell: MeanCell | None,
    fold: Callable[[Array], Array] | None = None,
) -> LinearLayer:
    """A layer on linear arrays.

    Args:
        g: memristor conductances [S].
        scheme: mapping scheme of the columns.
        slope: nominal conductance per unit of weight [S].
        kernel: shape of the kernel.
        cell: the 1T-1R cell at the layer's gate voltage, each device then being its mean effective conductance; None for
            resistive arrays.
        fold: the layer's array model, conductances to effective conductances [S]; None for ideal arrays.
    """
    effective = g if cell is None else cell(g)
    effective = effective if fold is None else fold(effective)
    return LinearLayer(kernel=(combine(scheme, effective) / slope).reshape(kernel))


def gated_layer(
    g: Float[Array, "rows devices"],
    *,
    scheme: str,
    slope: Array,
    kernel: tuple[int, ...],
    surrogate: Separable,
    drive: Drive,
) -> GatedLayer:
    """A layer on 1T-1R arrays with ideal wires, decoded at the nominal scale; arguments as in `linear_layer`."""
    scale = drive.full_scale / (surrogate.v_max * slope)
    factors = combine(scheme, jnp.moveaxis(surrogate.in_g(g), -1, 0)) * scale  # [rank rows out]
    leakage = combine(scheme, surrogate.at_zero(g).sum(axis=0)) * scale
    return GatedLayer(
        kernel=factors.reshape(surrogate.rank, *kernel),
        leakage=jnp.where(drive.signed > 0, jnp.zeros_like(leakage), leakage),
        surrogate=surrogate,
        drive=drive,
    )


def on_arrays(layers: Mapping[str, ProgrammedLayer]) -> Product:
    """The product that computes every layer on its programmed arrays."""

    def product(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        del kernel
        return layers[name](x, contract)

    return product
