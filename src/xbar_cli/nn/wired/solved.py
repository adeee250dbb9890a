"""Layers on 1T-1R arrays with wires: nothing folds, every read of every tile is a Newton solve."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.gated import Drive
from xbar_cli.array.ideal import Contract
from xbar_cli.array.wired.newton import gated_wired
from xbar_cli.array.wires import Wires
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.nn.contracts import rows_of
from xbar_cli.nn.program import Scale
from xbar_cli.nn.tiled import in_parts

BUDGET_BYTES = 2**28
"""Memory that the reads solved at once may take."""


class Trust(NamedTuple):
    """The worst of a layer's tiles over the reads of a batch: see `wired.Wired`."""

    residual: Float[Array, " tiles"]
    beyond: Float[Array, " tiles"]

    def worst(self, other: "Trust") -> "Trust":
        """The worse of each tile."""
        return Trust(*(jnp.maximum(a, b) for a, b in zip(self, other, strict=True)))


TileReads = Callable[[Array], tuple[Array, Trust]]
"""Row voltages [reads rows] [V] to column currents [reads columns] [A], and the trust in each tile [tiles reads]."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WiredLayer:
    """A layer on tiles of 1T-1R cells with wires, decoded at the nominal scale.

    Attributes:
        g: memristor conductances [rows columns] [S]; a remainder tile is an array of that size.
        surrogate: the cell, with the bit line's voltage as an axis.
        scale: how columns are decoded.
        drive: activations to row voltages.
        v_max: largest row voltage [V].
        signed: whether activations have both signs, and take two reads.
        tile: rows and columns of one array.
        wires: its resistances.
    """

    g: Float[Array, "rows columns"]
    surrogate: BitLineSeparable
    scale: Scale
    drive: Drive
    v_max: Float[Array, ""]
    signed: bool = field(metadata={"static": True})
    tile: tuple[int, int] = field(metadata={"static": True})
    wires: Wires = field(metadata={"static": True})

    def __call__(self, x: Array, contract: Contract) -> tuple[Array, Trust]:
        """The layer's outputs before any bias, and how far the solutions can be trusted."""
        cells = min(self.tile[0], self.g.shape[0]) * min(self.tile[1], self.g.shape[1] // self.scale.readout.groups)
        return self.outputs(x, contract, self._read, size=max(1, BUDGET_BYTES // (2 * 320 * cells)))

    def outputs(self, x: Array, contract: Contract, read: TileReads, *, size: int) -> tuple[Array, Trust]:
        """The same from a way to read one phase of at most `size` reads."""
        share = self.drive.share(rows_of(contract, x, self.scale.kernel))
        reads = share.reshape(-1, share.shape[-1])

        def part(share: Array, _: Array) -> tuple[Array, Array, Array]:
            current, trust = read(self.v_max * jnp.maximum(share, 0))
            if self.signed:
                backward, other = read(self.v_max * jnp.maximum(-share, 0))
                current = current - backward
                trust = trust.worst(other)
            return current, trust.residual.T, trust.beyond.T

        current, residual, beyond = in_parts(part, reads, jnp.arange(reads.shape[0]), size=size)
        y = self.scale.weights(current) * (self.drive.full_scale / self.v_max)
        y = y.reshape(*share.shape[:-1], y.shape[-1])
        kernel = self.scale.digital_kernel()
        if kernel is not None:
            y = y + contract(self.drive.full_scale * self.drive.share(x), kernel)
        return y, Trust(residual.max(axis=0), beyond.max(axis=0))

    def _read(self, v: Float[Array, "reads rows"]) -> tuple[Array, Trust]:
        """Column currents [A] of one phase, and the trust in each tile [tiles reads], those of a group after another's."""
        groups = self.scale.readout.groups
        if groups == 1:
            return self._read_group(v, self.g)
        rows = self.g.shape[0]
        apart = jnp.moveaxis(v.reshape(-1, groups, rows), 1, 0), jnp.moveaxis(self.g.reshape(rows, groups, -1), 1, 0)
        currents, trust = jax.lax.map(lambda part: self._read_group(*part), apart)
        joined = Trust(*(value.reshape(-1, value.shape[-1]) for value in trust))
        return jnp.moveaxis(currents, 0, 1).reshape(v.shape[0], -1), joined

    def _read_group(self, v: Float[Array, "reads rows"], g: Float[Array, "rows columns"]) -> tuple[Array, Trust]:
        """The same of the arrays `g` of one group: the currents of tiles below each other are added."""
        rows, columns = g.shape
        currents, residuals, beyonds = [], [], []
        for left in range(0, columns, self.tile[1]):
            total = jnp.zeros((v.shape[0], min(self.tile[1], columns - left)), v.dtype)
            for top in range(0, rows, self.tile[0]):
                tile = g[top : top + self.tile[0], left : left + self.tile[1]]
                found = gated_wired(self.surrogate, tile, v[:, top : top + self.tile[0]], self.wires)
                total = total + found.current
                residuals.append(found.residual)
                beyonds.append(found.beyond)
            currents.append(total)
        return jnp.concatenate(currents, axis=1), Trust(jnp.stack(residuals), jnp.stack(beyonds))

    def tile_name(self, number: int) -> str:
        """Which tile the element `number` of a `Trust` is of."""
        groups = self.scale.readout.groups
        bands = math.ceil(self.g.shape[0] / self.tile[0])
        group, number = divmod(number, bands * math.ceil(self.g.shape[1] // groups / self.tile[1]))
        return ("" if groups == 1 else f"group {group}, ") + (
            f"tile of rows {number % bands * self.tile[0]}… and columns {number // bands * self.tile[1]}…"
        )
