"""Layers on 1T-1R arrays with wires, read by sweeps: see `xbar_cli.array.wired.sweep`."""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.gated import Drive
from xbar_cli.array.ideal import Contract
from xbar_cli.array.tiling import cut
from xbar_cli.array.wired.sweep import Sweepable, sweepable, swept
from xbar_cli.nn.wired.solved import Trust, WiredLayer

READS, CURRENTS = 32, 2**18
"""Reads that are swept at once, at least: each coefficient of a cell serves all of them. In small tiles more are, as long
as their currents are no more than so many and stay in the cache."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SweptWiredLayer:
    """A layer of 1T-1R cells with wires whose tiles are swept at every read, one after another and all in one shape.

    Attributes:
        layer: the same, as Newton's method solves it.
    """

    layer: WiredLayer

    def __call__(self, x: Array, contract: Contract) -> tuple[Array, Trust]:
        """The layer's outputs before any bias, and how far the sweeps can be trusted."""
        arrays = self._arrays(self.layer.g)
        cells = arrays.answers.along_word[0, 0].size
        return self.layer.outputs(x, contract, partial(self._read, arrays), size=max(READS, CURRENTS // cells))

    @property
    def drive(self) -> Drive:
        """Activations to row voltages."""
        return self.layer.drive

    def band(self, group: int, number: int, v: Float[Array, "reads rows"]) -> Float[Array, "reads columns"]:
        """Column currents of one band of tiles of a group at the voltages of its rows [A]."""
        layer, top = self.layer, number * self.layer.tile[0]
        columns = layer.g.shape[1] // layer.scale.readout.groups
        return _band(layer, layer.g[top : top + layer.tile[0], group * columns : (group + 1) * columns], v)

    def _arrays(self, g: Array) -> Sweepable:
        """The tiles of all groups, ready to be read [groups tiles …]."""
        groups = self.layer.scale.readout.groups
        apart = jnp.moveaxis(g.reshape(g.shape[0], groups, -1), 1, 0)
        return jax.lax.map(partial(_tiles, self.layer), apart)

    def _read(self, arrays: Sweepable, v: Float[Array, "reads rows"]) -> tuple[Array, Trust]:
        """Column currents [A] of one phase, and the trust in each tile [tiles reads], those of a group after another's."""
        groups = self.layer.scale.readout.groups
        columns = self.layer.g.shape[1] // groups
        apart = jnp.moveaxis(v.reshape(v.shape[0], groups, -1), 1, 0)
        currents, trust = jax.lax.map(lambda given: _currents(*given, columns=columns), (arrays, apart))
        joined = Trust(*(value.reshape(-1, value.shape[-1]) for value in trust))
        return jnp.moveaxis(currents, 0, 1).reshape(v.shape[0], -1), joined


@jax.jit
def _band(layer: WiredLayer, g: Float[Array, "rows columns"], v: Float[Array, "reads rows"]) -> Array:
    return _currents(_tiles(layer, g), v, columns=g.shape[1])[0]


def _tiles(layer: WiredLayer, g: Float[Array, "rows columns"]) -> Sweepable:
    """The tiles of (a part of) one group, ready to be read [tiles …]; those at the edges are filled up above and to the right."""
    columns = layer.g.shape[1] // layer.scale.readout.groups
    shape = min(layer.tile[0], layer.g.shape[0]), min(layer.tile[1], columns)
    parts = cut(g, shape), cut(jnp.ones_like(g), shape)
    return jax.lax.map(lambda part: sweepable(layer.surrogate, part[0], layer.wires, there=part[1]), parts)


def _currents(arrays: Sweepable, v: Float[Array, "reads rows"], *, columns: int) -> tuple[Array, Trust]:
    """Column currents of one group [A], and the trust in its tiles [tiles reads], numbered down the columns of tiles."""
    height, width = arrays.answers.along_word.shape[-2:]
    bands, across = math.ceil(v.shape[1] / height), math.ceil(columns / width)
    parts = [v[:, top : top + height] for top in range(0, v.shape[1], height)]
    filled = [jnp.pad(part, ((0, 0), (height - part.shape[1], 0))) for part in parts]
    inputs = jnp.repeat(jnp.stack(filled), across, axis=0)
    found = jax.lax.map(lambda given: swept(*given), (arrays, inputs))
    current = found.current.reshape(bands, across, v.shape[0], width).sum(axis=0)

    def down(value: Array) -> Array:
        return jnp.moveaxis(value.reshape(bands, across, -1), 1, 0).reshape(bands * across, -1)

    return jnp.moveaxis(current, 0, 1).reshape(v.shape[0], -1)[:, :columns], Trust(
        down(found.residual), down(found.beyond)
    )
