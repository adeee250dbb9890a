"""Batch norm as the digital side computes it: an affine map per output, of running statistics when not training."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.numerics import along_last

MOMENTUM = 0.9
"""Share of the old running statistics that a step keeps (He et al. 2016, section 3.4)."""


class Norm(nnx.Module):
    """Batch norm over all axes but the last.

    It stays digital by default: folded into the weights it would move them out of NEAT's window and break the columns
    that ACM's outputs share.
    """

    def __init__(self, n: int, *, rngs: nnx.Rngs) -> None:
        """`n` is the number of outputs."""
        self.inner = nnx.BatchNorm(n, momentum=MOMENTUM, rngs=rngs)

    def __call__(self, x: Float[Array, "*batch n"], *, training: bool) -> Float[Array, "*batch n"]:
        """Normalised outputs; `training` takes the batch's own statistics and updates the running ones."""
        return self.inner(x, use_running_average=not training)


def set_epsilon(net: nnx.Module, epsilon: float) -> None:
    """Give every batch norm of `net` the ε that is added to its variance, in place."""
    for _, norm in nnx.iter_modules(net):
        if isinstance(norm, Norm):
            norm.inner.epsilon = epsilon


def fold_norms(net: nnx.Module) -> None:
    """Move every batch norm into the weights before it, in place: the network's outputs stay the same out of training.

    `γ (W x − μ)/√(σ² + ε) + β = W′ x + β′` with `W′ = W γ/√(σ² + ε)`; what stays of the norm is the bias β′. The norm of
    layer `name` is the attribute `name_norm`.
    """
    for name, norm in list(vars(net).items()):
        layer = getattr(net, name.removesuffix("_norm"), None)
        if not isinstance(norm, Norm) or layer is None:
            continue
        inner: Any = norm.inner
        gain = inner.scale[...] / jnp.sqrt(inner.var[...] + inner.epsilon)
        offset = inner.bias[...] - gain * inner.mean[...]
        layer.kernel[...] = layer.kernel[...] * along_last(gain, layer.kernel[...])
        inner.scale[...], inner.bias[...] = jnp.ones_like(gain), offset
        inner.mean[...], inner.var[...] = jnp.zeros_like(gain), jnp.full_like(gain, 1 - inner.epsilon)
