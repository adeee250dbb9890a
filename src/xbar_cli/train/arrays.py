"""A network's arrays solved for their values alone: for a measurement, or every so often between steps of a training."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import nnx
from jax import Array

from .loop import Renewal
from .transforms import Technology

Solve = Callable[[Array], Array]


def make_solve(technology: Technology) -> Solve:
    """The jitted kernel `[rows out] or [h w in out] -> kernel` that the arrays act as; compiled once for a shape."""
    return jax.jit(technology.solved)


def make_settle(graphdef: Any, layers: Sequence[str], technology: Technology, solve: Solve) -> Callable[[Any], Any]:
    """`network state -> state` whose kernels are what the arrays act as."""

    def settle(state: Any) -> Any:
        net = nnx.merge(graphdef, state, copy=True)
        for name in filter(technology.applies, layers):
            kernel = getattr(net, name).kernel
            kernel[...] = solve(kernel[...])
        return nnx.state(net)

    return settle


def make_renewal(layers: Sequence[str], technology: Technology, solve: Solve, *, every: int | None) -> Renewal:
    """Every so many steps the layers on arrays keep anew what these conduct of their approximation."""
    ratio = jax.jit(technology.fold_ratio)

    def renew(net: Any) -> None:
        for name in filter(technology.applies, layers):
            layer = getattr(net, name)
            kernel = layer.kernel[...]
            layer.fold_ratio[...] = ratio(kernel, solve(kernel))

    return Renewal(every, renew)
