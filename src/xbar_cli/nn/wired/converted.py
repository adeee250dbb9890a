"""Layers on 1T-1R arrays with wires and converters behind every tile: a read is the products of one band of tiles."""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.nn.contracts import rows_of
from xbar_cli.nn.tiled import BUDGET, TiledLayer
from xbar_cli.nn.wired.folded import FoldedWiredLayer


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ConvertedWiredLayer(TiledLayer):
    """A layer of tiles of wired cells that are products, each with converters at its columns.

    A read drives a whole band of tiles: what idle rows leak is in its currents. Of `factors` there are no products.

    Attributes:
        wired: the folded layer; its `v_max` is the voltage of the full drive.
    """

    wired: FoldedWiredLayer | None = None

    def part_size(self, shape: tuple[int, ...], contract: Contract) -> int:
        """Images that may be computed at once: the functions of every row's voltage are kept."""
        assert self.wired is not None
        terms = self.wired.basis.currents.shape[-1] + self.wired.basis.slopes.shape[-1]
        one = jax.ShapeDtypeStruct((1, *shape[1:]), jnp.float32)
        window = math.prod(jax.eval_shape(lambda x: rows_of(contract, x, self.scale.kernel), one).shape)
        return max(1, min(super().part_size(shape, contract), BUDGET // (window * terms)))

    def _currents(self, drive: Array, group: Array) -> Array:
        """Column currents over the full voltage [S] of one band of tiles."""
        wired, rows = self.wired, self.rows
        assert wired is not None
        outer = drive.shape[:-1] if self._one_group else drive.shape[:-2]
        v = wired.v_max * drive.reshape(-1, self.scale.readout.groups, drive.shape[-1])
        heights = [min(rows.height, rows.rows - number * rows.height) for number in range(rows.bands)]
        reads = [partial(_band, wired, n, height) for n, height in enumerate(heights)]
        return (jax.lax.switch(group, reads, v) / wired.v_max).reshape(*outer, -1)


def _band(wired: FoldedWiredLayer, number: int, height: int, v: Array) -> Array:
    """The currents of one band of tiles, of so many rows [A]."""
    return wired.bands_at(number, v[..., :height])
