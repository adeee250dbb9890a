"""Values of a traced program that depend on parameters and constants alone: what they are made of, and what they come to."""

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jax.extend import core

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Known:
    """A value that no input of the network reaches.

    Attributes:
        digest: of how it is made: the same of two values that are made in the same way of the same parameters.
        leaves: names of the parameters that it is made of; none where it is a constant.
    """

    def __init__(self, digest: str, leaves: tuple[str, ...], make: Callable[[], Any]) -> None:
        """`make` computes the value, when it is asked for."""
        self.digest, self.leaves, self._make = digest, leaves, make

    @cached_property
    def value(self) -> Any:
        """The value itself."""
        return self._make()


def leaf(name: str, value: Any) -> Known:
    """A parameter."""
    return Known(_digest("leaf", name), (name,), lambda: value)


def constant(value: Any) -> Known:
    """A number or an array that the program holds."""
    if hasattr(value, "dtype") and np.asarray(value).dtype.kind in "biufc":
        array = np.asarray(value)
        return Known(_digest("constant", str(array.dtype), str(array.shape), array.tobytes().hex()), (), lambda: value)
    return Known(_digest("constant", repr(value)), (), lambda: value)


def derived(equation: core.JaxprEqn, inputs: Sequence[Known]) -> list[Known]:
    """The outputs of an equation whose inputs are all known."""
    made: list[Any] = []

    def outputs() -> list[Any]:
        if not made:
            made.append(bind(equation, [known.value for known in inputs]))
        return made[0]

    text = ADDRESS.sub("", repr(sorted(equation.params.items(), key=lambda item: item[0])))
    leaves = tuple(dict.fromkeys(name for known in inputs for name in known.leaves))
    base = (equation.primitive.name, text, *(known.digest for known in inputs))
    return [
        Known(_digest(*base, str(number)), leaves, lambda number=number: outputs()[number])
        for number in range(len(equation.outvars))
    ]


def element(known: Known, number: int) -> Known:
    """One of what is stacked along the first axis."""
    return Known(_digest("element", known.digest, str(number)), known.leaves, lambda: known.value[number])


def bind(equation: core.JaxprEqn, values: Sequence[Any]) -> list[Any]:
    """The outputs of an equation."""
    params = equation.primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        found = equation.primitive.bind(*values, **params)
    return list(found) if equation.primitive.multiple_results else [found]


def shape_of(atom: Any) -> tuple[int, ...]:
    """The shape of an operand or an output of an equation."""
    return tuple(atom.aval.shape)


def dtype_of(atom: Any) -> Any:
    """Its dtype."""
    return atom.aval.dtype


def _digest(*parts: str) -> str:
    state = hashlib.sha1(usedforsecurity=False)
    for part in parts:
        state.update(f"{len(part)}:{part};".encode())
    return state.hexdigest()
