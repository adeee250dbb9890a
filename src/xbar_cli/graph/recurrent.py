"""LSTM, GRU and simple recurrent layers: a `lax.scan` over the steps, the same weights at each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .node import GraphNode
from .values import traced

CellStep = Callable[[tuple[Any, ...], Any], tuple[Any, ...]]
"""(state, input's share of the gates) -> state; the output is the first of the state."""


@dataclass(frozen=True)
class Direction:
    """One direction's part of the layer.

    Attributes:
        inputs: weights of the input [gates hidden, inputs].
        states: weights of the state [gates hidden, hidden].
        bias: of the input's and the state's products [2 gates hidden].
        peepholes: weights of an LSTM's cell [3 hidden], or None.
        functions: of the gates, one after the other.
    """

    inputs: Any
    states: Any
    bias: Any
    peepholes: Any
    functions: tuple[Callable[[Any], Any], ...]


def activation(node: GraphNode, name: str, alpha: float | None, beta: float | None) -> Callable[[Any], Any]:
    """The function of a gate by its ONNX name."""

    def given(value: float | None, default: float) -> float:
        return default if value is None else value

    match name.lower():
        case "sigmoid":
            return jax.nn.sigmoid
        case "tanh":
            return jnp.tanh
        case "relu":
            return jax.nn.relu
        case "affine":
            return lambda x: given(alpha, 1.0) * x + given(beta, 0.0)
        case "leakyrelu":
            return lambda x: jax.nn.leaky_relu(x, given(alpha, 0.01))
        case "thresholdedrelu":
            return lambda x: jnp.where(x > given(alpha, 1.0), x, jnp.zeros((), x.dtype))
        case "scaledtanh":
            return lambda x: given(alpha, 1.0) * jnp.tanh(given(beta, 1.0) * x)
        case "hardsigmoid":
            return lambda x: jnp.clip(given(alpha, 0.2) * x + given(beta, 0.5), 0, 1)
        case "elu":
            return lambda x: jax.nn.elu(x, given(alpha, 1.0))
        case "softsign":
            return jax.nn.soft_sign
        case "softplus":
            return jax.nn.softplus
    raise node.refusal(f"the activation {name} is not supported")


def activations(node: GraphNode, defaults: list[str], directions: int) -> list[tuple[Callable[[Any], Any], ...]]:
    """The functions of the gates of each direction."""
    names = node.get("activations") or defaults * directions
    alphas, betas = list(node.get("activation_alpha") or []), list(node.get("activation_beta") or [])
    takes_alpha = {"affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu"}
    takes_beta = {"affine", "scaledtanh", "hardsigmoid"}
    found = []
    for name in names:
        alpha = alphas.pop(0) if alphas and name.lower() in takes_alpha else None
        beta = betas.pop(0) if betas and name.lower() in takes_beta else None
        found.append(activation(node, name, alpha, beta))
    many = len(defaults)
    return [tuple(found[n * many : (n + 1) * many]) for n in range(directions)]


def limited(node: GraphNode) -> Callable[[Any], Any]:
    """The bound of what enters a gate."""
    bound = node.get("clip")
    return (lambda x: x) if bound is None else lambda x: jnp.clip(x, -bound, bound)


def product(x: Any, weights: Any) -> Any:
    """`x` [… n] times weights [m, n], to [… m]."""
    return lax.dot_general(x, weights, (((x.ndim - 1,), (1,)), ((), ())))


def layer(
    node: GraphNode, make: Callable[[Direction], CellStep], defaults: list[str], x: Any, w: Any, r: Any, b: Any, lengths: Any,
    states: tuple[Any, ...], *, input_bias: Callable[[Any], Any], peepholes: Any = None,
) -> tuple[Any, list[Any]]:  # fmt: skip
    """Run all directions over `x` [steps, N, inputs] (with `layout`, [N, steps, inputs]).

    Returns:
        All outputs and the last states, as ONNX lays them out.
    """
    x, w, r = traced(x), traced(w), traced(r)
    first = bool(node.get("layout", 0))
    direction, hidden = node.get("direction", "forward"), r.shape[2]
    node.ignore("hidden_size", "output_sequence")
    x = x.swapaxes(0, 1) if first else x
    gates, count = w.shape[1], w.shape[0]
    functions = activations(node, defaults, count)
    bias = jnp.zeros((count, 2 * gates), x.dtype) if b is None else traced(b)
    outputs, last = [], []
    for n in range(count):
        part = Direction(w[n], r[n], bias[n], None if peepholes is None else traced(peepholes)[n], functions[n])
        begin = tuple(start(one, n, first, (x.shape[1], hidden), x.dtype) for one in states)
        turned = direction == "reverse" or n == 1
        shares = product(x, part.inputs) + input_bias(part.bias)
        out, end = steps(make(part), shares, begin, lengths, turned=turned)
        outputs.append(out)
        last.append(end)
    y = jnp.stack(outputs, axis=1)  # [steps, directions, N, hidden]
    ends = [jnp.stack([end[n] for end in last]) for n in range(len(states))]
    if first:
        return y.transpose(2, 0, 1, 3), [one.swapaxes(0, 1) for one in ends]
    return y, ends


def start(state: Any, direction: int, first: bool, shape: tuple[int, int], dtype: Any) -> Any:
    """The state [N, hidden] before the first step: 0 where none is given."""
    if state is None:
        return jnp.zeros(shape, dtype)
    return traced(state)[:, direction] if first else traced(state)[direction]


def steps(
    step: CellStep, shares: Any, begin: tuple[Any, ...], lengths: Any, *, turned: bool
) -> tuple[Any, tuple[Any, ...]]:
    """All outputs [steps, N, hidden] and the last state; after a sequence's length the state stays and the output is 0."""
    numbers = jnp.arange(shares.shape[0])
    many = None if lengths is None else traced(lengths)[:, None].astype(numbers.dtype)

    def one(state: tuple[Any, ...], given: Any) -> tuple[tuple[Any, ...], Any]:
        number, share = given
        new = step(state, share)
        if many is None:
            return new, new[0]
        inside = number < many
        kept = tuple(jnp.where(inside, a, b) for a, b in zip(new, state, strict=True))
        return kept, jnp.where(inside, new[0], jnp.zeros((), share.dtype))

    end, out = lax.scan(one, begin, (numbers, shares), reverse=turned)
    return out, end


def lstm(
    node: GraphNode,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    h: Any = None,
    c: Any = None,
    p: Any = None,
) -> tuple[Any, ...]:
    """Long short-term memory; gates in the order input, output, forget, cell."""
    bounded, coupled = limited(node), node.get("input_forget", 0)

    def make(part: Direction) -> CellStep:
        f, g, out = part.functions
        peep = [None] * 3 if part.peepholes is None else jnp.split(part.peepholes[None], 3, axis=1)

        def seen(gate: Any, weights: Any, cell: Any) -> Any:
            return gate if weights is None else gate + weights * cell

        def step(state: tuple[Any, ...], share: Any) -> tuple[Any, ...]:
            hidden, cell = state
            i, o, forget, new = jnp.split(share + product(hidden, part.states), 4, axis=1)
            i = f(bounded(seen(i, peep[0], cell)))
            forget = 1 - i if coupled else f(bounded(seen(forget, peep[2], cell)))
            cell = forget * cell + i * g(bounded(new))
            return f(bounded(seen(o, peep[1], cell))) * out(cell), cell

        return step

    y, ends = layer(
        node, make, ["Sigmoid", "Tanh", "Tanh"], x, w, r, b, lengths, (h, c), input_bias=both, peepholes=p
    )  # fmt: skip
    return y, *ends


def both(bias: Any) -> Any:
    """The biases of the input's and of the state's products in one."""
    n = bias.shape[0] // 2
    return bias[None, None, :n] + bias[None, None, n:]


def gru(node: GraphNode, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> tuple[Any, ...]:
    """Gated recurrent units; gates in the order update, reset, hidden."""
    bounded, after = limited(node), node.get("linear_before_reset", 0)

    def make(part: Direction) -> CellStep:
        f, g = part.functions
        n = part.states.shape[1]
        kept = part.bias[None, 3 * n :]

        def step(state: tuple[Any, ...], share: Any) -> tuple[Any, ...]:
            (hidden,) = state
            if after:
                own = product(hidden, part.states) + kept
                update, reset = jnp.split(f(bounded(share[:, : 2 * n] + own[:, : 2 * n])), 2, axis=1)
                new = reset * own[:, 2 * n :]
            else:
                own = product(hidden, part.states[: 2 * n]) + kept[:, : 2 * n]
                update, reset = jnp.split(f(bounded(share[:, : 2 * n] + own)), 2, axis=1)
                new = product(reset * hidden, part.states[2 * n :]) + kept[:, 2 * n :]
            new = g(bounded(share[:, 2 * n :] + new))
            return ((1 - update) * new + update * hidden,)

        return step

    y, ends = layer(node, make, ["Sigmoid", "Tanh"], x, w, r, b, lengths, (h,), input_bias=first_half)
    return y, *ends


def first_half(bias: Any) -> Any:
    """The bias of the input's product alone."""
    return bias[None, None, : bias.shape[0] // 2]


def rnn(node: GraphNode, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> tuple[Any, ...]:
    """A layer whose state is a function of the input and itself."""
    bounded = limited(node)

    def make(part: Direction) -> CellStep:
        (f,) = part.functions
        return lambda state, share: (f(bounded(share + product(state[0], part.states))),)

    y, ends = layer(node, make, ["Tanh"], x, w, r, b, lengths, (h,), input_bias=both)
    return y, *ends
