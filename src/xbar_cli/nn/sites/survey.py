"""A traced program, searched for the products of an input with a parameter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from .known import Known, constant, derived, dtype_of, element, shape_of

PRODUCTS = ("dot_general", "conv_general_dilated")
Path = tuple[int, ...]
"""Where an equation is: its number, and those of its parts, from the outermost program inwards."""


@dataclass(frozen=True)
class Use:
    """A product of an input with a parameter.

    Attributes:
        path: where.
        equation: the product.
        kernel: what is made of parameters.
        kernel_first: whether that is the first operand.
        turns: how often the program computes it; None in a loop of unknown length.
    """

    path: Path
    equation: core.JaxprEqn
    kernel: Known
    kernel_first: bool
    turns: int | None

    @property
    def input(self) -> int:
        """The number of the other operand."""
        return 1 if self.kernel_first else 0


@dataclass(frozen=True)
class Left:
    """A product that no array can take.

    Attributes:
        kind: `dot` or `convolution`.
        shapes: of its operands.
        reason: why.
        turns: as in `Use`.
        leaves: the parameters in it.
    """

    kind: str
    shapes: tuple[tuple[int, ...], ...]
    reason: str
    turns: int | None
    leaves: tuple[str, ...] = ()


@dataclass
class Survey:
    """What a program holds.

    Attributes:
        uses: by path, in the order they compute.
        left: products that stay digital whatever is asked for.
        holding: equations with parts that hold some use.
        unrolled: loops over stacked parameters: every step has arrays of its own.
        touched: parameters that something else than a product reads, by the operations that do.
    """

    uses: dict[Path, Use] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    holding: set[Path] = field(default_factory=set)
    unrolled: set[Path] = field(default_factory=set)
    touched: dict[str, list[str]] = field(default_factory=dict)


def survey(program: core.ClosedJaxpr, known: Sequence[Known | None]) -> Survey:
    """The products of a program whose inputs are `known` where they are parameters."""
    found = Survey()
    outputs = _visit(program.jaxpr, [constant(c) for c in program.consts], known, (), 1, found)
    for value in outputs:
        if value is not None:
            _touch(found, value, "output")
    return found


def parts_of(equation: core.JaxprEqn) -> core.ClosedJaxpr | None:
    """The program that an equation merely calls; None where it is none that does."""
    if equation.primitive.name not in CALLS:
        return None
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if key in equation.params:
            inner = equation.params[key]
            return inner if isinstance(inner, core.ClosedJaxpr) else core.ClosedJaxpr(inner, ())
    return None


CALLS = ("pjit", "jit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
         "remat", "remat2", "checkpoint")  # fmt: skip
"""Primitives that compute a program of their own, once."""


def _visit(
    jaxpr: core.Jaxpr,
    consts: Sequence[Known],
    args: Sequence[Known | None],
    path: Path,
    turns: int | None,
    found: Survey,
) -> list[Known | None]:
    """Goes through a program; returns what is known of its outputs."""
    table: dict[Any, Known | None] = dict(zip(jaxpr.constvars, consts, strict=True))
    table.update(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Known | None:
        return constant(atom.val) if isinstance(atom, core.Literal) else table[atom]

    for number, equation in enumerate(jaxpr.eqns):
        inputs = [read(atom) for atom in equation.invars]
        outputs = _outputs(equation, inputs, (*path, number), turns, found)
        table.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _outputs(
    equation: core.JaxprEqn, inputs: list[Known | None], path: Path, turns: int | None, found: Survey
) -> list[Known | None]:
    """What is known of an equation's outputs; what it holds goes into `found`."""
    nothing: list[Known | None] = [None] * len(equation.outvars)
    if all(value is not None for value in inputs) and not equation.effects:
        return list(derived(equation, [value for value in inputs if value is not None]))
    name = equation.primitive.name
    if name in PRODUCTS:
        _product(equation, inputs, path, turns, found)
        return nothing
    if (part := parts_of(equation)) is not None:
        return _into(part, inputs, path, turns, found)
    match name:
        case "scan":
            _scan(equation, inputs, path, turns, found)
        case "while":
            n, m = equation.params["cond_nconsts"], equation.params["body_nconsts"]
            carry: list[Known | None] = [None] * (len(inputs) - n - m)
            _touched(found, inputs[:n] + inputs[n + m :], "while")
            _into(equation.params["body_jaxpr"], inputs[n : n + m] + carry, path, None, found)
        case "cond":
            for number, branch in enumerate(equation.params["branches"]):
                _into(branch, inputs[1:], (*path, number), turns, found)
            if any(p[: len(path)] == path for p in found.holding):
                found.holding.add(path)
        case _:
            _touched(found, inputs, name)
    return nothing


def _into(
    part: core.ClosedJaxpr, inputs: list[Known | None], path: Path, turns: int | None, found: Survey
) -> list[Known | None]:
    """Goes through a part; notes that it holds uses where it does."""
    before = len(found.uses)
    outputs = _visit(part.jaxpr, [constant(c) for c in part.consts], inputs, path, turns, found)
    if len(found.uses) > before:
        found.holding.add(path)
    return outputs


def _scan(equation: core.JaxprEqn, inputs: list[Known | None], path: Path, turns: int | None, found: Survey) -> None:
    params = equation.params
    consts, carry = params["num_consts"], params["num_carry"]
    length, body = params["length"], params["jaxpr"]
    _touched(found, inputs[consts : consts + carry], "scan")
    start: list[Known | None] = [None] * carry
    stacked = inputs[consts + carry :]
    if any(value is not None and value.leaves for value in stacked):
        trial = Survey()
        _into(body, [*inputs[:consts], *start, *(v and element(v, 0) for v in stacked)], path, turns, trial)
        if any(set(use.kernel.leaves) & {n for v in stacked if v for n in v.leaves} for use in trial.uses.values()):
            found.unrolled.add(path)
            for step in range(length):
                each = [v and element(v, step) for v in stacked]
                _into(body, [*inputs[:consts], *start, *each], (*path, step), turns, found)
            found.holding.add(path)
            return
    _touched(found, stacked, "scan")
    many = None if turns is None else turns * length
    _into(body, [*inputs[:consts], *start, *(None for _ in stacked)], path, many, found)


def _product(equation: core.JaxprEqn, inputs: list[Known | None], path: Path, turns: int | None, found: Survey) -> None:
    made = [value for value in inputs if value is not None]
    floating = jnp.issubdtype(dtype_of(equation.outvars[0]), jnp.floating)
    kind = "dot" if equation.primitive.name == "dot_general" else "convolution"
    shapes = tuple(shape_of(atom) for atom in equation.invars)
    if floating and made and made[0].leaves:
        found.uses[path] = Use(path, equation, made[0], inputs[0] is not None, turns)
        return
    found.left.append(
        Left(kind, shapes, "one operand is a constant" if made else "both operands are activations", turns)
    )


def _touched(found: Survey, inputs: Sequence[Known | None], name: str) -> None:
    for value in inputs:
        if value is not None:
            _touch(found, value, name)


def _touch(found: Survey, value: Known, name: str) -> None:
    for leaf in value.leaves:
        names = found.touched.setdefault(leaf, [])
        if name not in names:
            names.append(name)


def trace(function: Any, *args: Any) -> core.ClosedJaxpr:
    """The program of a function, whatever rules of promotion it was written for."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return jax.make_jaxpr(function)(*args)
