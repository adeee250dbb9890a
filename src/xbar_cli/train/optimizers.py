"""Optimisers as optax chains: clip, decay, Adam or SGD on a schedule, and what a method does to the step besides."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import optax
from jax import Array

Rate = float | optax.Schedule
STEP_DROPS = (0.5, 0.75)
"""Shares of the steps after which the schedule `step` takes a tenth of the learning rate (He et al. 2016, section 4.2)."""


def learning_rate(name: str, *, rate: float, steps: int) -> Rate:
    """The learning rate over `steps` steps: `constant`, `cosine` (to 0), or `step` (a tenth after 1/2, again after 3/4)."""
    match name:
        case "constant":
            return rate
        case "cosine":
            return optax.cosine_decay_schedule(rate, decay_steps=max(steps, 1))
        case "step":
            return optax.piecewise_constant_schedule(rate, {int(share * steps): 0.1 for share in STEP_DROPS})
        case _:
            raise ValueError(f"schedule must be constant, cosine or step, got {name!r}")


def chain(
    name: str,
    *,
    rate: Rate,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    decay: Callable[[float], optax.GradientTransformation] | None = None,
    clip_norm: float | None = None,
    after: optax.GradientTransformation | None = None,
) -> optax.GradientTransformation:
    """An optimiser, `adam` or `sgd`, with a learning rate or schedule.

    `weight_decay` times every kernel is added to its gradient, by `decay` where a kernel is not the weights themselves; batch
    norm stays, and biases that are no rows of a kernel. `clip_norm` is the largest global norm of the gradient; `after` is
    applied to the finished step, such as a projection.
    """
    if name not in ("adam", "sgd"):
        raise ValueError(f"name must be adam or sgd, got {name!r}")
    parts: list[optax.GradientTransformation] = []
    if clip_norm is not None:
        parts.append(optax.clip_by_global_norm(clip_norm))
    if weight_decay:
        usual = partial(optax.add_decayed_weights, mask=kernel_mask)
        parts.append((decay or usual)(weight_decay))
    parts.append(optax.adam(rate) if name == "adam" else optax.sgd(rate, momentum=momentum or None))
    if after is not None:
        parts.append(after)
    return optax.chain(*parts) if len(parts) > 1 else parts[0]


def layer_of(path: tuple[object, ...]) -> str | None:
    """The name of the layer whose kernel stands at `path` in a tree of parameters; None for other parameters."""
    names = [str(getattr(part, "key", getattr(part, "name", part))) for part in path]
    return names[names.index("kernel") - 1] if "kernel" in names else None


def kernel_mask(params: Any) -> Any:
    """True for kernels."""
    return jax.tree_util.tree_map_with_path(lambda path, _: layer_of(path) is not None, params)


def of_kernels(step: Callable[[str, Array, Array], Array]) -> optax.GradientTransformation:
    """The transformation `step(layer, update, kernel) -> update` of the kernels' updates."""

    def update(updates: optax.Updates, params: optax.Params | None = None) -> optax.Updates:
        def one(path: tuple[object, ...], value: Array, param: Array) -> Array:
            layer = layer_of(path)
            return value if layer is None else step(layer, value, param)

        return jax.tree_util.tree_map_with_path(one, updates, params)

    return optax.stateless(update)
