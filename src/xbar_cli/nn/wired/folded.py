"""Layers on 1T-1R arrays with wires as a few matrix products: see `xbar_cli.array.wired.fold`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.gated import Drive
from xbar_cli.array.ideal import Contract
from xbar_cli.array.wired.fold import Band, Basis, Products, bands_of, fold_wired
from xbar_cli.nn.contracts import rows_of
from xbar_cli.nn.program import Scale
from xbar_cli.nn.tiled import in_parts
from xbar_cli.nn.wired.solved import WiredLayer

BUDGET = 2**23
"""Numbers that the functions of the row voltages of one part of a batch may be."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FoldedWiredLayer:
    """A layer on tiles of 1T-1R cells with wires, folded, decoded at the nominal scale.

    Attributes:
        bands: of tiles, from the top; each leaf has an axis of groups before its own.
        basis: functions of the row voltage.
        scale: how columns are decoded.
        drive: activations to row voltages.
        v_max: largest row voltage [V].
        signed: whether activations have both signs, and take two reads.
        height: rows of a tile.
    """

    bands: tuple[Band, ...]
    basis: Basis
    scale: Scale
    drive: Drive
    v_max: Float[Array, ""]
    signed: bool = field(metadata={"static": True})
    height: int = field(metadata={"static": True})

    def __call__(self, x: Array, contract: Contract) -> Array:
        """The layer's outputs before any bias."""
        share = self.drive.share(rows_of(contract, x, self.scale.kernel))
        reads = share.reshape(-1, share.shape[-1])
        terms = self.basis.currents.shape[-1] + self.basis.slopes.shape[-1]
        size = max(1, BUDGET // (share.shape[-1] * terms))

        def part(share: Array, _: Array) -> Array:
            current = self.read(self.v_max * jnp.maximum(share, 0))
            return current - self.read(self.v_max * jnp.maximum(-share, 0)) if self.signed else current

        current = in_parts(part, reads, jnp.arange(reads.shape[0]), size=size)
        y = self.scale.weights(current) * (self.drive.full_scale / self.v_max)
        y = y.reshape(*share.shape[:-1], y.shape[-1])
        kernel = self.scale.digital_kernel()
        return y if kernel is None else y + contract(self.drive.full_scale * self.drive.share(x), kernel)

    def read(self, v: Float[Array, "reads rows"]) -> Float[Array, "reads columns"]:
        """Column currents at row voltages [A]; the rows, and the columns, of a group after another's."""
        groups = self.scale.readout.groups
        apart = jnp.moveaxis(v.reshape(v.shape[0], groups, -1), 1, 0)

        def group(given: tuple[Array, tuple[Band, ...]]) -> Array:
            v, bands = given
            phi, psi = self.basis.at(v)
            tops = range(0, v.shape[1], self.height)
            parts = [slice(top, top + self.height) for top in tops]
            currents = [band(phi[:, part], psi[:, part]) for band, part in zip(bands, parts, strict=True)]
            return jnp.sum(jnp.stack(currents), axis=0)

        if groups == 1:
            return group(jax.tree.map(lambda leaf: leaf[0], (apart, self.bands)))
        return jnp.moveaxis(jax.lax.map(group, (apart, self.bands)), 0, 1).reshape(v.shape[0], -1)

    def bands_at(self, number: int, v: Float[Array, "reads groups rows"]) -> Float[Array, "reads columns"]:
        """Column currents of one band of tiles of every group [A], the columns of a group after another's."""
        if v.shape[1] == 1:
            return self.band(0, number, v[:, 0])
        apart = jnp.moveaxis(v, 1, 0), self.bands[number]
        currents = jax.lax.map(lambda given: given[1](*self.basis.at(given[0])), apart)
        return jnp.moveaxis(currents, 0, 1).reshape(v.shape[0], -1)

    def band(self, group: int, number: int, v: Float[Array, "reads rows"]) -> Float[Array, "reads columns"]:
        """Column currents of one band of tiles of a group at the voltages of its rows [A]."""
        products = jax.tree.map(lambda leaf: leaf[group], self.bands[number])
        return products(*self.basis.at(v))


def fold_wired_layers(layers: Mapping[str, WiredLayer]) -> dict[str, FoldedWiredLayer]:
    """Layers of one network, on the same tiles and wires, as products."""
    folds = wired_products(layers)
    return {name: of_products(layer, *folds[name]) for name, layer in layers.items()}


def wired_products(layers: Mapping[str, WiredLayer]) -> dict[str, tuple[Basis, Products]]:
    """By layer, the functions of its row voltages and the products of its groups: an axis of groups before their own."""
    alike: dict[Any, list[str]] = {}
    for name, layer in layers.items():  # gate voltages may have surrogates of another rank
        leaves, structure = jax.tree.flatten(layer.surrogate)
        alike.setdefault((structure, *map(jnp.shape, leaves)), []).append(name)
    found: dict[str, tuple[Basis, Products]] = {}
    for names in alike.values():
        own = {name: layers[name] for name in names}
        apart = {
            name: jnp.moveaxis(layer.g.reshape(layer.g.shape[0], layer.scale.readout.groups, -1), 1, 0)
            for name, layer in own.items()
        }
        first = own[names[0]]
        surrogates = {name: layer.surrogate for name, layer in own.items()}
        found |= fold_wired(surrogates, apart, first.wires, first.v_max, tile=first.tile)
    return {name: found[name] for name in layers}


def of_products(layer: WiredLayer, basis: Basis, products: Products) -> FoldedWiredLayer:
    """A layer that computes by these products of its groups."""
    height = min(layer.tile[0], layer.g.shape[0])
    bands = jax.vmap(partial(bands_of, height=height))(products)
    return FoldedWiredLayer(bands, basis, layer.scale, layer.drive, layer.v_max, signed=layer.signed, height=height)
