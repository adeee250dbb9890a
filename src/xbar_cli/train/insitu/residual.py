"""Residual tiles: a weight is the sum of devices on several tiles, and each tile holds what the coarser ones leave.

With the factor γ a weight is `Σ_k γ^k w_k`, all tiles read in every product. Pulses go to the finest one, whose step is
γ^N of a device's, so that devices with few states hold weights of many. Its reach is as small: at each step one row of every tile
but the coarsest is read, and where a device holds a whole pulse of the coarser tile or more, from its symmetry point on
(`CENTRED`), these pulses are carried: to the coarser device, and as many steps back off the finer one. The weight stays as it
was, but for what devices differ by, which the next gradients correct.

References:
    Li, Wu, Liu, Gokmen, Chen, In-memory training on analog devices with limited conductance states via multi-tile residual
    learning, arXiv 2510.02516 (2025): the sum, and tiles that learn residuals. Their transfer leaves the finer devices as they
    are, for gradients to bring back; so coarse weights swung about their targets here, and it was not taken.
    Agarwal et al., Achieving ideal accuracies in analog neuromorphic computing using periodic carry, VLSI Technology (2017): the
    carry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Float
from numpy.typing import NDArray

from xbar_cli.device.switching.model import Switching, SwitchingDevices, symmetry_point
from xbar_cli.train.loop import State

TILES = "residual_tiles"
"""Variable of a layer: its devices on every tile, the coarsest first [tiles *window out]."""
CENTRED = 0.25
"""Farthest from the middle of the window that a finer device is counted from, over half of it: nearly linear devices whose steps
up and down differ have their symmetry points at its ends, or nowhere."""


@dataclass(frozen=True)
class Residual:
    """The tiles of a weight.

    Attributes:
        factors: what each counts: 1, γ, γ² …
        devices: of each layer [tiles *window out].
        model: how they switch.
    """

    factors: tuple[float, ...]
    devices: Mapping[str, SwitchingDevices]
    model: Switching

    def weights(self, tiles: Float[Array, "tiles *window out"]) -> Float[Array, "*window out"]:
        """What devices stand for together."""
        return jnp.tensordot(jnp.asarray(self.factors, tiles.dtype), tiles, axes=1)

    def begin(self, layer: Any, name: str, *, limit: float) -> None:
        """Give a layer its tiles: first weights on the coarsest, all finer devices at their symmetry points."""
        devices = self.devices[name]
        tiles = self._centre(name, limit)
        wanted = layer.kernel[...] - self.weights(tiles.at[0].set(0))  # the finer ones do not stand at 0
        tiles = tiles.at[0].set(jnp.clip(wanted, devices.low[0], devices.high[0]))
        setattr(layer, TILES, nnx.Param(tiles))
        layer.kernel = nnx.Param(self.weights(tiles))

    def carried(
        self, tiles: Array, name: str, *, step: float, limit: float, count: Array
    ) -> Float[Array, "tiles *window out"]:
        """Pulses that carry what the next row of the finer tiles holds.

        `step` is a nominal pulse's, `limit` half of a nominal window, in units of weight; `count` the steps so far.
        """
        factor, rows = self.factors[1], tiles[0].size // tiles.shape[-1]
        away = (tiles - self._centre(name, limit))[1:].reshape(len(tiles) - 1, rows, -1)
        here = jnp.arange(rows) == count % rows
        up = jnp.where(here[:, None], jnp.trunc(away * factor / step), 0).reshape(-1, *tiles.shape[1:])
        none = jnp.zeros_like(up[:1])
        return jnp.concatenate([up, none]) - jnp.concatenate([none, jnp.round(up / factor)])

    def _centre(self, name: str, limit: float) -> Array:
        return jnp.clip(symmetry_point(self.devices[name], self.model), -CENTRED * limit, CENTRED * limit)

    def finest(self, name: str) -> SwitchingDevices:
        """The devices of the finest tile."""
        return jax.tree.map(lambda a: a[-1], self.devices[name])


def shares_of(tiles: NDArray[Any], *, limit: float) -> Float[NDArray[Any], "*window columns"]:
    """Devices as parts of the nominal window, cut to it: neighbouring columns hold the tiles of one output."""
    share = np.clip((np.asarray(tiles) / limit + 1) / 2, 0, 1)
    share = np.moveaxis(share, 0, -1)
    return share.reshape(*share.shape[:-2], -1)


def make_settle(net: nnx.Module, names: Sequence[str], residual: Residual, *, limit: float) -> Callable[[State], State]:
    """`network state -> state` with devices beyond the nominal window cut to it, as they are when training ends."""
    graphdef = nnx.split(net)[0]

    def settle(state: State) -> State:
        net = nnx.merge(graphdef, state, copy=True)
        for name in names:
            layer = getattr(net, name)
            tiles = jnp.clip(getattr(layer, TILES)[...], -limit, limit)
            getattr(layer, TILES)[...], layer.kernel[...] = tiles, residual.weights(tiles)
        return nnx.state(net)

    return settle
