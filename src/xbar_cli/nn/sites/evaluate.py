"""A traced program computed, its products of an input with a parameter taken over."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend import core

from xbar_cli.nn.layers import Product
from xbar_cli.nn.loops import UNROLLED, Stepping, entered, findings

from .known import bind
from .survey import Path, Survey, Use, parts_of

Take = Callable[[Use, Sequence[Array], Product], Array]
"""`(use, operands, product) -> output` of an equation that a product takes over."""


class TakeOver:
    """One way through a program: which products are taken over, and by what."""

    def __init__(self, plan: Survey, take: Take) -> None:
        """`plan` is the survey of this very program."""
        self.plan, self.take = plan, take

    def __call__(self, program: core.ClosedJaxpr, args: Sequence[Any], product: Product, path: Path = ()) -> list[Any]:
        """The outputs of a program, or of a part of it, for its arguments."""
        jaxpr = program.jaxpr
        table: dict[Any, Any] = dict(zip(jaxpr.constvars, program.consts, strict=True))
        table.update(zip(jaxpr.invars, args, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else table[atom]

        for number, equation in enumerate(jaxpr.eqns):
            outputs = self._equation(equation, [read(atom) for atom in equation.invars], product, (*path, number))
            table.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: core.JaxprEqn, values: list[Any], product: Product, path: Path) -> list[Any]:
        if (use := self.plan.uses.get(path)) is not None:
            return [self.take(use, values, product)]
        if path not in self.plan.holding:
            return bind(equation, values)
        part = parts_of(equation)
        if part is not None:
            return self._call(equation, part, values, product, path)
        match equation.primitive.name:
            case "scan":
                return self._scan(equation, values, product, path)
            case "while":
                return self._while(equation, values, product, path)
            case _:
                return self._branches(equation, values, product, path)

    def _call(
        self, equation: core.JaxprEqn, part: core.ClosedJaxpr, values: list[Any], product: Product, path: Path
    ) -> list[Any]:
        if equation.primitive.name in ("remat", "remat2", "checkpoint") and not _keeps(product):
            return jax.checkpoint(lambda *args: self(part, args, product, path), policy=equation.params.get("policy"))(
                *values
            )
        return self(part, values, product, path)

    def _scan(self, equation: core.JaxprEqn, values: list[Any], product: Product, path: Path) -> list[Any]:
        params = equation.params
        consts, carry, body = params["num_consts"], params["num_carry"], params["jaxpr"]
        length, backward = params["length"], params["reverse"]
        fixed, start, stacked = values[:consts], values[consts : consts + carry], values[consts + carry :]
        if path in self.plan.unrolled or getattr(product, UNROLLED, False):
            own = path in self.plan.unrolled
            return self._steps(params, fixed, start, stacked, lambda n: (product, (*path, n) if own else path))

        def step(state: list[Any], inputs: Any) -> tuple[list[Any], Any]:
            number, each = inputs
            inner = entered(product, number, length)
            outputs = self(body, [*fixed, *state, *each], inner, path)
            return outputs[:carry], (outputs[carry:], findings(inner))

        numbers = jnp.arange(length)
        last, (made, found) = jax.lax.scan(
            step, start, (numbers, stacked), length=length, reverse=backward, unroll=params["unroll"]
        )
        if isinstance(product, Stepping):
            product.absorb(found, length)
        return [*last, *made]

    def _steps(
        self,
        params: Any,
        fixed: list[Any],
        state: list[Any],
        stacked: list[Any],
        at: Callable[[int], tuple[Product, Path]],
    ) -> list[Any]:
        """The steps of a scan one after the other."""
        carry, numbers = len(state), list(range(params["length"]))
        made: dict[int, list[Any]] = {}
        for n in reversed(numbers) if params["reverse"] else numbers:
            product, path = at(n)
            outputs = self(params["jaxpr"], [*fixed, *state, *(each[n] for each in stacked)], product, path)
            state, made[n] = outputs[:carry], outputs[carry:]
        return [*state, *(jnp.stack([made[n][k] for n in numbers]) for k in range(len(made[0])))]

    def _while(self, equation: core.JaxprEqn, values: list[Any], product: Product, path: Path) -> list[Any]:
        """A loop of unknown length. A product that keeps what it reads can't follow it.

        Raises:
            ValueError: such a product.
        """
        if _keeps(product) or getattr(product, UNROLLED, False):
            raise ValueError(
                "a product in a loop of unknown length (while) cannot be calibrated or counted: keep its layers digital, or "
                "give the loop a fixed length"
            )
        params = equation.params
        n, m = params["cond_nconsts"], params["body_nconsts"]
        asked, fixed = values[:n], values[n : n + m]

        def go_on(state: list[Any]) -> Any:
            return self._plain(params["cond_jaxpr"], [*asked, *state])[0]

        return list(
            jax.lax.while_loop(
                go_on, lambda state: self(params["body_jaxpr"], [*fixed, *state], product, path), values[n + m :]
            )
        )

    def _branches(self, equation: core.JaxprEqn, values: list[Any], product: Product, path: Path) -> list[Any]:
        """All branches are computed, and the chosen one's outputs taken: what a product finds is found in all."""
        which, operands = values[0], values[1:]
        made = [
            self(branch, operands, product, (*path, number))
            for number, branch in enumerate(equation.params["branches"])
        ]
        return [jax.lax.select_n(which, *outputs) for outputs in zip(*made, strict=True)]

    @staticmethod
    def _plain(program: core.ClosedJaxpr, args: Sequence[Any]) -> list[Any]:
        return core.jaxpr_as_fun(program)(*args)


def _keeps(product: Product) -> bool:
    return isinstance(product, Stepping)
