"""In-situ training read through the wires: what trained devices and their reference column act as in arrays with resistances.

An exact solution costs much more than a step, and pulses move conductances little. So arrays are solved every so often, and in
between a device conducts what it conducted of its own in the last solution. Errors go back through the same effective
conductances: a linear array is reciprocal, with columns driven and rows read where rows were driven and columns read, resistances
being in place. Pulses that update devices are those of ideal lines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.array.tiling import fold_layers
from xbar_cli.array.wires import WiredFold
from xbar_cli.mapping.periphery import combine, reference_conductance
from xbar_cli.numerics import quick_compilation
from xbar_cli.train.loop import Renewal, State

RATIO = "fold_ratio"
"""Variable of a layer: what its devices and their reference conduct of their own in the last solution [rows out + 1]."""

SolveRatios = Callable[[Mapping[str, Array]], dict[str, Array]]
"""Kernels by layer to what devices conduct of their own."""


@dataclass(frozen=True)
class ReadArrays:
    """The arrays that devices are read in, one column of references beside those of a layer (scheme bc).

    Attributes:
        fold: what a tile acts as.
        tile: its rows and columns.
        g_off: conductance at the lower end of a nominal window [S].
        g_on: at the upper end [S].
        limit: weight at the upper end; minus that is at the lower end.
    """

    fold: WiredFold
    tile: tuple[int, int]
    g_off: float
    g_on: float
    limit: float

    def conductances(self, kernel: Float[Array, "*window out"]) -> Float[Array, "rows columns"]:
        """Those of a layer and of its references [S]; a device conducts 0 at least."""
        w = kernel.reshape(-1, kernel.shape[-1])
        g = jnp.maximum(self.g_off + (w / self.limit + 1) / 2 * (self.g_on - self.g_off), 0)
        middle = jnp.full((w.shape[0], 1), reference_conductance(g_min=self.g_off, g_max=self.g_on), g.dtype)
        return jnp.concatenate([g, middle], axis=1)

    def weights(self, g: Float[Array, "rows columns"], shape: tuple[int, ...]) -> Float[Array, "*window out"]:
        """What effective conductances [S] are as a kernel of this shape."""
        return jnp.asarray(combine("bc", g)).reshape(shape) * (2 * self.limit / (self.g_on - self.g_off))

    def by_ratio(self, kernel: Float[Array, "*window out"], ratio: Float[Array, "rows columns"]) -> Array:
        """The kernel that a layer acts as by what its last solution kept."""
        return self.weights(self.conductances(kernel) * ratio, kernel.shape)

    def ratios(self, kernels: Mapping[str, Array]) -> dict[str, Float[Array, "rows columns"]]:
        """Solve the arrays: by layer, what devices conduct of their own; 1 where they conduct nothing."""
        own = {name: self.conductances(kernel) for name, kernel in kernels.items()}
        folded = fold_layers(own, self.fold, tile=self.tile)
        return {
            name: jnp.where(g > 0, folded[name].g_eff.astype(g.dtype) / jnp.where(g > 0, g, 1), 1)
            for name, g in own.items()
        }


def make_room(net: nnx.Module, names: Sequence[str], arrays: ReadArrays) -> None:
    """Give every layer the room for what its last solution kept."""
    for name in names:
        layer = getattr(net, name)
        setattr(layer, RATIO, nnx.BatchStat(jnp.ones_like(arrays.conductances(layer.kernel[...]))))


def make_solve(arrays: ReadArrays) -> SolveRatios:
    """The jitted `ReadArrays.ratios`: training and measuring share one program."""
    return jax.jit(arrays.ratios, compiler_options=quick_compilation())


def make_renewal(names: Sequence[str], solve: SolveRatios, *, every: int | None) -> Renewal:
    """The arrays of all layers are solved every so many steps."""

    def renew(net: Any) -> None:
        for name, ratio in solve({name: getattr(net, name).kernel[...] for name in names}).items():
            getattr(getattr(net, name), RATIO)[...] = ratio

    return Renewal(every, renew)


def make_settle(
    net: nnx.Module, names: Sequence[str], *, limit: float, read: Callable[[Mapping[str, Array]], Mapping[str, Array]]
) -> Callable[[State], State]:
    """`network state -> state` whose kernels are what will be read of the devices that are kept.

    Those beyond the nominal window are cut to it, as they are when training ends, and `read` says what they are then, by layer.
    """
    graphdef = nnx.split(net)[0]

    def settle(state: State) -> State:
        net = nnx.merge(graphdef, state, copy=True)
        kept = {name: jnp.clip(getattr(net, name).kernel[...], -limit, limit) for name in names}
        for name, kernel in read(kept).items():
            getattr(net, name).kernel[...] = kernel
        return nnx.state(net)

    return settle


def make_read(arrays: ReadArrays, solve: SolveRatios) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """Kernels by layer to what the arrays act as, solved as they are."""
    return lambda kernels: {name: arrays.by_ratio(kernels[name], ratio) for name, ratio in solve(kernels).items()}
