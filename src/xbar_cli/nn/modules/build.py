"""The network of a name, its products ready for arrays."""

from typing import Any, Literal, assert_never

import jax.numpy as jnp
from flax import nnx

from xbar_cli.nn.sites.crossbar import Crossbar, to_crossbar

from .mobilenet import MobileNet
from .recurrent import Recurrent
from .transformer import Transformer

LAYERS = 1
"""Of lstm and gru, where no depth is asked for."""
BLOCKS, HEADS = 4, 4
"""Of transformer."""


def on_crossbars(
    name: Literal["mobilenet", "lstm", "gru", "transformer"],
    *,
    shape: tuple[int, ...],
    n_classes: int,
    width: float,
    depth: int | None,
    heads: int | None,
    epsilon: float,
    rngs: nnx.Rngs,
    dtype: Any = None,
) -> Crossbar:
    """The network of this name.

    Args:
        name: of the network.
        shape: of one input.
        n_classes: scores for an input, or at each token of it.
        width: multiplies units or channels.
        depth: layers of lstm and gru, blocks of transformer; None for 1 and 4.
        heads: of transformer; None for 4.
        epsilon: added to the variance of mobilenet's batch norm.
        rngs: that its first weights are drawn from.
        dtype: of the inputs; None for float32.

    Raises:
        ValueError: it cannot take such inputs.
    """
    given: dict[str, Any] = {"shape": shape, "n_classes": n_classes, "width": width, "rngs": rngs}
    kind = jnp.dtype(jnp.float32 if dtype is None else dtype)
    match name:
        case "mobilenet":
            module = MobileNet(**given, epsilon=epsilon)
        case "lstm" | "gru":
            module = Recurrent(name, **given, depth=depth or LAYERS, dtype=kind)
        case "transformer":
            module = Transformer(**given, depth=depth or BLOCKS, heads=heads or HEADS, dtype=kind)
        case _:
            assert_never(name)
    return to_crossbar(module, shape=shape, dtype=kind)
