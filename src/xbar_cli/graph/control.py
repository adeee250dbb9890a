"""Branches and loops: what is static is decided while tracing, the rest becomes JAX's own control flow."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from .node import GraphNode
from .values import axis_of, is_static, traced

LONGEST_UNROLLED = 10_000
"""Turns of a loop that are laid one after the other."""


def branch(node: GraphNode, condition: Any) -> tuple[Any, ...]:
    """One of two graphs: chosen while tracing where the condition is static, else a `lax.cond`."""
    chosen, other = node.get("then_branch"), node.get("else_branch")
    if not isinstance(condition, Tracer):
        return chosen() if bool(np.asarray(condition).reshape(())) else other()
    both = [lambda graph=graph: tuple(traced(value) for value in graph()) for graph in (chosen, other)]
    shapes = [[(out.shape, str(out.dtype)) for out in jax.eval_shape(graph)] for graph in both]
    if shapes[0] != shapes[1]:
        raise node.refusal(
            "its branches return values of different shapes: the inputs that its condition depends on must be static "
            "(NumPy arrays of integers or truth values)"
        )
    return lax.cond(condition.reshape(()), *both)


def loop(node: GraphNode, turns: Any = None, condition: Any = None, *values: Any) -> tuple[Any, ...]:
    """A graph over and over: a `lax.scan` where the turns are known, a `lax.while_loop` where a condition decides.

    Where sizes change from turn to turn, or what it computes is static, the turns are laid one after the other.
    """
    body = node.get("body")
    for one in (turns, condition):
        if isinstance(one, Tracer):
            return while_loop(node, body, turns, condition, values)
    many = None if turns is None else int(np.asarray(turns).reshape(()))
    go = condition is None or bool(np.asarray(condition).reshape(()))
    if many is not None and go and not is_static(*values) and many > 1:
        found = scanned(body, many, values)
        if found is not None:
            return found
    return unrolled(node, body, many, go, values)


def scanned(body: Callable[..., Any], many: int, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The loop as a `lax.scan`; None where its condition is not always true, or sizes or types change."""
    if not all(hasattr(value, "shape") for value in values):
        return None
    states = tuple(traced(value) for value in values)
    constant = []

    def one(state: tuple[Any, ...], number: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        go, *out = body(number, np.asarray(True), *state)
        constant.append(is_static(go) and bool(go))
        out = [traced(value) for value in out]
        return tuple(out[: len(states)]), tuple(out[len(states) :])

    numbers = jnp.arange(many)
    try:
        shapes = jax.eval_shape(one, states, numbers[0])[0]
    except Exception as error:  # what wants static sizes says so by many kinds of errors; laid out, they are static
        if isinstance(error, MemoryError):
            raise
        return None
    if not constant[0] or [(a.shape, a.dtype) for a in shapes] != [(a.shape, a.dtype) for a in states]:
        return None
    end, outputs = lax.scan(one, states, numbers)
    return *end, *outputs


def unrolled(
    node: GraphNode, body: Callable[..., Any], many: int | None, go: bool, values: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The loop turn by turn, as long as a static condition holds."""
    state, rows, number = list(values), [], 0
    while go and (many is None or number < many):
        condition, *out = body(np.asarray(number, np.int64), np.asarray(True), *state)
        if isinstance(condition, Tracer):
            raise node.refusal("it ends when values of an input say so, and its sizes change from turn to turn")
        state, number = out[: len(values)], number + 1
        rows.append(out[len(values) :])
        go = bool(np.asarray(condition).reshape(()))
        if number >= LONGEST_UNROLLED:
            raise node.refusal(f"it has more than {LONGEST_UNROLLED} turns")
    many_outputs = len(node.outputs) - len(values)
    if not rows:
        if many_outputs > 0:
            raise node.refusal("it has no turn, so the sizes of its outputs are not known")
        return tuple(state)
    return *state, *(stacked([row[n] for row in rows], 0) for n in range(many_outputs))


def stacked(rows: list[Any], axis: int) -> Any:
    """Values of all turns in one."""
    return np.stack(rows, axis) if is_static(*rows) else jnp.stack([traced(row) for row in rows], axis)


def while_loop(
    node: GraphNode, body: Callable[..., Any], turns: Any, condition: Any, values: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The loop as a `lax.while_loop`: no outputs of each turn, as nobody knows how many there are."""
    if len(node.outputs) > len(values):
        raise node.refusal("how often it turns depends on values of an input, and it gives an output for each turn")
    limit = None if turns is None else traced(turns).reshape(())
    go = traced(np.asarray(True) if condition is None else condition).reshape(())

    def more(carry: tuple[Any, ...]) -> Any:
        number, holds, _ = carry
        return holds if limit is None else holds & (number < limit)

    def one(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        number, holds, state = carry
        condition, *out = body(number, holds, *state)
        return number + 1, traced(condition).reshape(()), tuple(traced(value) for value in out)

    first = jnp.zeros((), jnp.int32 if limit is None else limit.dtype)
    return lax.while_loop(more, one, (first, go, tuple(traced(value) for value in values)))[2]


def scan(node: GraphNode, *values: Any) -> tuple[Any, ...]:
    """A graph along axes of its inputs, as a `lax.scan`."""
    body, inputs = node.get("body"), node.get("num_scan_inputs")
    if node.opset < 9:
        raise node.refusal("it is supported from opset 9 on")
    states = tuple(traced(value) for value in values[: len(values) - inputs])
    given = [traced(value) for value in values[len(values) - inputs :]]
    axes = node.get("scan_input_axes") or [0] * inputs
    directions = node.get("scan_input_directions") or [0] * inputs
    rows = tuple(
        jnp.flip(moved, 0) if turned else moved
        for turned, moved in zip(
            directions,
            (jnp.moveaxis(x, axis_of(node, axis, x.ndim), 0) for x, axis in zip(given, axes, strict=True)),
            strict=True,
        )
    )

    def one(state: tuple[Any, ...], row: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        out = [traced(value) for value in body(*state, *row)]
        return tuple(out[: len(states)]), tuple(out[len(states) :])

    end, outputs = lax.scan(one, states, rows)
    axes = node.get("scan_output_axes") or [0] * len(outputs)
    directions = node.get("scan_output_directions") or [0] * len(outputs)
    turned = (jnp.flip(out, 0) if back else out for back, out in zip(directions, outputs, strict=True))
    return *end, *(jnp.moveaxis(out, 0, axis) for axis, out in zip(axes, turned, strict=True))
