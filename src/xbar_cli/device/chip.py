"""A chip: the steps from target conductances to what a fabricated, aged array holds, in physical order.

Every step draws from a stream of its own name, so that adding one does not change what the others draw. Steps between
devices draw per layer, steps between chips once for all layers. Conductances are those of a whole layer, before tiling.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.device.variation import resolve_negative
from xbar_cli.numerics import stream

STAGES = ("programming", "device", "chip", "drift", "faults")
"""The physical order: written, spread between devices, spread between chips, ageing, hard faults. Faults have the last word:
a stuck device stands where the fault holds it, whatever was written to it and however long ago."""


class Found(NamedTuple):
    """What fabricating a layer found.

    Attributes:
        negative: share of the devices that the steps left below 0.
        mean_shift: what resolving them added to the mean conductance [S].
        broken: number of the first step after which a conductance is not finite; the number of steps where none is.
    """

    negative: Array
    mean_shift: Array
    broken: Array


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["parameters"],
    meta_fields=["name", "stage", "model", "takes_target"],
)
@dataclass(frozen=True, kw_only=True)
class Step:
    """One effect on a chip.

    Attributes:
        name: name of the step and of its random stream.
        stage: one of `STAGES`.
        model: a function `(key, g, **parameters) -> g` of this room.
        parameters: its keyword arguments, arrays or numbers.
        takes_target: whether the model follows the conductance aimed at, and takes it as `target` [S].
    """

    name: str
    stage: str
    model: Callable[..., Array]
    parameters: Mapping[str, Any]
    takes_target: bool = False


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps in physical order; one whose name is taken gets a number after it."""
    seen: dict[str, int] = {}
    named = []
    for step in sorted(steps, key=lambda step: STAGES.index(step.stage)):
        seen[step.name] = seen.get(step.name, 0) + 1
        named.append(step if seen[step.name] == 1 else replace(step, name=f"{step.name} {seen[step.name]}"))
    return named


def check_order(steps: Sequence[Step]) -> None:
    """Raise ValueError unless the steps are in physical order, of known stages, and no two would share a random stream."""
    last = 0
    for step in steps:
        if step.stage not in STAGES:
            raise ValueError(f"stage of step {step.name!r} must be one of {', '.join(STAGES)}, got {step.stage!r}")
        if (rank := STAGES.index(step.stage)) < last:
            raise ValueError(
                f"step {step.name!r} ({step.stage}) must come before {STAGES[last]}: the order is {' -> '.join(STAGES)}"
            )
        last = rank
    names = [step.name for step in steps]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"every step needs a name of its own, got {', '.join(repeated)} twice")


def describe(steps: Sequence[Step], *, negative: str) -> str:
    """The steps as lines of text, in the order in which they act."""
    lines = [
        f"{number}. {step.stage}: {step.name} ({getattr(step.model, '__name__', step.model)}: {_values(step.parameters)})"
        for number, step in enumerate(steps, start=1)
    ]
    return "\n".join([*lines, f"{len(lines) + 1}. below 0 S: {negative}"])


def _values(parameters: Mapping[str, Any]) -> str:
    """`name = value` of scalars; the length of tables."""
    shown = []
    for name, value in parameters.items():
        leaves = jax.tree.leaves(value)
        scalar = len(leaves) == 1 and jnp.ndim(leaves[0]) == 0
        shown.append(f"{name} = {float(leaves[0]):.6g}" if scalar else f"{name}: table of {jnp.shape(leaves[0])[0]}")
    return ", ".join(shown)


def stream_of(key: Array, step: Step, *, layer: str) -> Array:
    """The random key of a step on a layer of the chip of `key`."""
    return stream(key if step.stage == "chip" else stream(key, f"layer {layer}"), step.name)


def fabricate(
    key: Array, g: Float[Array, "*shape"], *, layer: str, steps: Sequence[Step], negative: str
) -> tuple[Float[Array, "*shape"], Found]:
    """The conductances of one layer of one chip.

    A target of exactly G = 0 is no device at all ("no connection"): no step acts on it, faults with them.

    Args:
        key: random key of the chip, the same for all its layers; chips are `jax.vmap` over keys.
        g: target conductances of the whole layer, before tiling [S].
        layer: name of the layer, which sets its random streams.
        steps: the effects, in physical order. Under `jit` close over them: what is refused (a time before t0, rates
            above 1) is then refused when tracing.
        negative: what becomes of conductances below 0 after the last step: "clamp", "reflect" or "allow".

    Returns:
        The conductances [S], and what was found.

    Raises:
        ValueError: from `check_order`, a model, or for another `negative`.
    """
    check_order(steps)
    target = g
    broken = jnp.asarray(len(steps))
    for number, step in enumerate(steps):
        aimed = {"target": target} if step.takes_target else {}
        changed = step.model(stream_of(key, step, layer=layer), g, **aimed, **step.parameters)
        g = jnp.where(target == 0, 0, changed)
        broken = jnp.minimum(broken, jnp.where(jnp.isfinite(g).all(), len(steps), number))
    g, share, mean_shift = resolve_negative(g, policy=negative)
    return g, Found(share, mean_shift, broken)
