"""Batch norm as the digital side computes it: an affine map per output, of running statistics when not training."""

from flax import nnx
from jax import Array
from jaxtyping import Float

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
