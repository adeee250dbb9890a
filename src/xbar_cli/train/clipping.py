"""Weights that stay within their layer's spread: what noise in units of the largest weight asks for."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp


def clipping(
    layers: Sequence[str], deviations: float | None, project: Callable[[Any], None] | None
) -> Callable[[Any], None] | None:
    """What happens to a network after every step, in place: weights are cut, then `project` does what the method asks for.

    Args:
        layers: whose weights are cut.
        deviations: at how many standard deviations of the layer's weights; None cuts nothing.
        project: of the method.

    References:
        Rasch et al., Hardware-aware training for large-scale and diverse deep learning inference workloads using
        in-memory computing-based accelerators, Nature Communications 14, 5282 (2023): weights are clipped, which noise and
        conductance range are in units of.
    """
    if deviations is None:
        return project

    def clip(net: Any) -> None:
        for name in layers:
            kernel = getattr(net, name).kernel
            limit = deviations * jnp.std(kernel[...])
            kernel[...] = jnp.clip(kernel[...], -limit, limit)
        if project is not None:
            project(net)

    return clip
