"""Gradient descent on the parameters of a design: another batch and other chips at every step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from xbar_cli.config.chips.design import DesignSection
from xbar_cli.errors import ModelError
from xbar_cli.reporter import Reporter

from .objective import WEIGHTS, Objective, Shares
from .parameters import starts
from .weights import PREFIX, trainable

RENEWAL = 20
"""Steps after which the ranges of converters, and the folds of cells with resistances, are taken anew."""
AVERAGED = 0.25
"""The last share of the steps, whose mean is the design."""


@dataclass(frozen=True)
class Descent:
    """How a descent went.

    Attributes:
        shares: of the design, the mean of the last steps.
        history: of every step: its total, loss and costs, and every parameter.
    """

    shares: Shares
    history: list[dict[str, float]]


def beginning(objective: Objective) -> Shares:
    """Where a descent starts."""
    shares: Shares = {name: jnp.asarray(value) for name, value in starts(objective.chosen).items()}
    return shares | (trainable(objective.bench.split) if objective.settings.train_weights else {})


def optimizer_of(settings: DesignSection) -> optax.GradientTransformation:
    """Adam for parameters and, at a rate of its own, for weights; both rates fall to a tenth along half a cosine."""
    rates = {"parameter": settings.rate, "weight": settings.weight_rate}
    parts: dict[Any, optax.GradientTransformation] = {
        name: optax.adam(optax.cosine_decay_schedule(rate, settings.steps, alpha=0.1)) for name, rate in rates.items()
    }
    return optax.partition(parts, lambda shares: {n: "weight" if n.startswith(PREFIX) else "parameter" for n in shares})


def mover(optimizer: optax.GradientTransformation) -> Callable[..., tuple[Shares, Any]]:
    """The jitted `(gradients, state, shares) -> (shares, state)`, parameters between their bounds."""

    def move(slopes: Shares, state: Any, shares: Shares) -> tuple[Shares, Any]:
        with jax.numpy_dtype_promotion("standard"):
            moves, state = optimizer.update(slopes, state)
            moved: Any = optax.apply_updates(shares, moves)
        return {name: v if name.startswith(PREFIX) else jnp.clip(v, 0.0, 1.0) for name, v in moved.items()}, state

    return jax.jit(move)


def descend(objective: Objective, *, reporter: Reporter) -> Descent:
    """Adam on the shares, which are kept from 0 to 1, and on weights where they descend. ModelError where the loss is not finite.

    References:
        Kingma and Ba, Adam, ICLR 2015; the mean of the last iterates: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992).
    """
    steps = objective.settings.steps
    shares = beginning(objective)
    optimizer = optimizer_of(objective.settings)
    state, taken, known = optimizer.init(shares), {}, {}
    move = mover(optimizer)
    history: list[dict[str, float]] = []
    kept: list[Shares] = []
    reporter.doing("compiling the chips of a step, and what descends")
    for number in range(steps):
        values = {name: float(value) for name, value in objective.values(shares).items()}
        known = {} if number % RENEWAL == 0 else known | taken
        taken = objective.taken(values, shares, known=known)
        step = objective.at(shares, number, taken)
        if not math.isfinite(step.total):
            raise ModelError(
                f"the loss of the design is not finite at step {number + 1}: narrow the bounds of design.over"
            )
        history.append({"total": step.total, "loss": step.loss, **step.costs, **values})
        shares, state = move(objective.downhill(step), state, shares)
        if number >= steps - max(1, round(AVERAGED * steps)):
            kept.append(shares)
        reporter.progress("design", number + 1, steps)
    mean = {name: jnp.mean(jnp.stack([found[name] for found in kept]), axis=0) for name in shares}
    return Descent(mean, history)


def sensitivities(objective: Objective, shares: Shares, *, batches: int = 4) -> dict[str, dict[str, float]]:
    """By parameter, what e times of it adds to the loss, and to the logarithm of each cost, at a design.

    Means over some batches, each on chips of its own.
    """
    values = {name: float(value) for name, value in objective.values(shares).items()}
    taken = objective.taken(values, shares)
    steps = [objective.at(shares, number, taken, of="slopes") for number in range(batches)]
    found: dict[str, dict[str, float]] = {}
    for p in objective.chosen:
        # of the logarithm of the parameter by its share
        own = math.log(p.high / p.low) if p.log else (p.high - p.low) / values[p.name]
        loss = float(np.mean([step.slopes[p.name] for step in steps])) / own
        costs = {cost: float(steps[0].steep[cost][p.name]) / steps[0].costs[cost] / own for cost in WEIGHTS}
        found[p.name] = {"loss": loss, **costs}
    return found
