"""Gradient descent on the parameters of a design: another batch and other chips at every step."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from xbar_cli.config.chips.design import DesignSection
from xbar_cli.data.batches import network_inputs
from xbar_cli.errors import ModelError
from xbar_cli.numerics import quick_compilation, stream
from xbar_cli.reporter import Reporter

from .chips import Bench
from .costs import Costing
from .parameters import DesignValues, Parameter, starts
from .weights import PREFIX, trainable, weights_in
from .wired import Taken

RENEWAL = 20
"""Steps after which the ranges of converters, and the folds of cells with resistances, are taken anew."""
AVERAGED = 0.25
"""The last share of the steps, whose mean is the design."""
WEIGHTS = {"energy_joule": "energy_weight", "area_m2": "area_weight", "latency_seconds": "latency_weight"}

Shares = dict[str, Any]
"""Where each parameter is between its bounds, 0 … 1; and weights that descend along, by their names behind `PREFIX`."""


@dataclass(frozen=True, eq=False)
class Objective:
    """What descends: the loss of keyed chips, and the logarithms of costs over those of the start.

    Attributes:
        bench: chips.
        costing: costs.
        chosen: parameters that are designed.
        settings: weights and sizes.
        seed: of chips and batches.
        compiled: what is, as it is asked for.
    """

    bench: Bench
    costing: Costing
    chosen: Sequence[Parameter]
    settings: DesignSection
    seed: int
    compiled: dict[tuple[str, tuple[int, ...]], Callable[..., Any]] = field(default_factory=dict)

    @cached_property
    def first(self) -> dict[str, float]:
        """The costs of the start."""
        return self.costs({p.name: p.start for p in self.chosen})

    def costs(self, values: Mapping[str, float], weights: Mapping[str, Any] | None = None) -> dict[str, float]:
        """The costs of a design with these weights, or those of the start."""
        costing = replace(self.costing, bench=self.bench.with_weights(weights or {}))
        return {name: float(cost) for name, cost in costing(traced(values), tiles=self.tiles(values)).items()}

    def values(self, shares: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters at shares of the way between their bounds."""
        return {p.name: p.at(shares[p.name]) for p in self.chosen}

    def tiles(self, values: Mapping[str, float]) -> tuple[int, ...]:
        """The sizes of tile on both sides of a design; the one above where it is one of them, so that it has a gradient there.

        None where the size is not designed; one where only one is between the bounds.
        """
        tile = next((p for p in self.chosen if p.name == "tile"), None)
        if tile is None:
            return ()
        sizes = tile.inside
        above = next((n for n, size in enumerate(sizes) if size > float(values["tile"]) * (1 + 1e-9)), len(sizes) - 1)
        return tuple(map(int, sizes[max(above - 1, 0) : above + 1]))

    def taken(
        self, values: Mapping[str, float], shares: Shares | None = None, *, tiles: tuple[int, ...] | None = None
    ) -> dict[str, Taken]:
        """What chips take of the nominal one, by size of tile, with the weights among `shares` or those of the start."""
        weights, tiles = weights_in(shares or {}), self.tiles(values) if tiles is None else tiles
        return {str(tile): self.bench.taken(values, weights, tile=tile) for tile in tiles or (None,)}

    def total(self, loss: float, costs: Mapping[str, float]) -> float:
        """What descends."""
        weighed = {name: getattr(self.settings, key) for name, key in WEIGHTS.items()}
        return loss + sum(
            weight * math.log(costs[name] / self.first[name]) for name, weight in weighed.items() if weight
        )

    def losses(self, tiles: tuple[int, ...]) -> Callable[..., Any]:
        """The jitted `(shares, key, taken, images, labels) -> (loss, its gradients)` between sizes of tile.

        Both are means over a step's chips. Each is followed backward before the next is made: what its folds leave for that is
        held of one alone.
        """
        if ("loss", tiles) not in self.compiled:

            def loss(shares: Shares, key: Array, taken: Any, images: Array, labels: Array) -> Array:
                bench = self.bench.with_weights(weights_in(shares))
                return bench.loss(self.values(shares), key, taken, images, labels, tiles=tiles)

            def mean(shares: Shares, key: Array, *step: Any) -> Any:
                return self.over_chips(lambda key: jax.value_and_grad(loss)(shares, key, *step), key)

            self.compiled["loss", tiles] = jax.jit(mean, compiler_options=quick_compilation())
        return self.compiled["loss", tiles]

    def over_chips(self, one: Callable[[Array], Any], key: Array) -> Any:
        """The mean of what chips give, each of a key of its own."""
        found = jax.lax.map(one, jax.random.split(key, self.settings.step_chips))
        return jax.tree.map(lambda values: values.mean(axis=0), found)

    def costings(self, tiles: tuple[int, ...]) -> Callable[..., Any]:
        """The jitted `shares -> (gradients of each cost, costs)` between sizes of tile."""
        if ("costs", tiles) not in self.compiled:

            def costs(shares: Shares) -> Any:
                bench = self.bench.with_weights(weights_in(shares))
                found = replace(self.costing, bench=bench)(self.values(shares), tiles=tiles)
                return found, found

            self.compiled["costs", tiles] = jax.jit(
                jax.jacrev(costs, has_aux=True), compiler_options=quick_compilation()
            )
        return self.compiled["costs", tiles]

    def batch(self, number: int) -> tuple[Array, Array]:
        """The training images and labels of a step."""
        data = self.bench.trained.data
        count = min(self.settings.step_images, len(data.train_labels))
        chosen = np.random.default_rng((self.seed, number)).choice(len(data.train_labels), size=count, replace=False)
        return jnp.asarray(network_inputs(data.train_images[chosen])), jnp.asarray(data.train_labels[chosen])

    def at(self, shares: Shares, number: int, taken: Any, *, of: str = "design") -> "DescentStep":
        """Loss, costs and what descends, with gradients, at the batch and on the chips of a number of the series `of`."""
        images, labels = self.batch(number)
        tiles = self.tiles({name: float(value) for name, value in self.values(shares).items()})
        loss, slopes = self.losses(tiles)(shares, self.key(number, of), taken, images, labels)
        steep, costs = self.costings(tiles)(shares)
        known = {name: float(cost) for name, cost in costs.items()}
        return DescentStep(float(loss), known, self.total(float(loss), known), slopes, steep)

    def totals(self, values: Mapping[str, float], shares: Shares, *, batches: int, of: str) -> NDArray[np.float64]:
        """What descends at values that can be built, with the weights among `shares`, at some batches of the series `of`.

        A tile that can be built is computed alone, and no gradient is.
        """
        tiles, weights = (int(values["tile"]),) if "tile" in values else (), weights_in(shares)
        if ("value", tiles) not in self.compiled:

            def loss(values: DesignValues, weights: Any, key: Array, *step: Any) -> Array:
                bench = self.bench.with_weights(weights)
                return self.over_chips(lambda key: bench.loss(values, key, *step, tiles=tiles), key)

            self.compiled["value", tiles] = jax.jit(loss, compiler_options=quick_compilation())
        taken, costs = self.taken(values, shares, tiles=tiles), self.costs(values, weights)
        losses = [
            self.compiled["value", tiles](traced(values), weights, self.key(n, of), taken, *self.batch(n))
            for n in range(batches)
        ]
        return np.asarray([self.total(float(loss), costs) for loss in losses])

    def key(self, number: int, of: str) -> Array:
        """The key of the chips of a number of the series `of`."""
        return jax.random.fold_in(stream(jax.random.key(self.seed), of), number)

    def downhill(self, step: "DescentStep") -> Shares:
        """The gradients of what descends."""
        found = dict(step.slopes)
        for cost, key in WEIGHTS.items():
            weight = getattr(self.settings, key) / step.costs[cost]
            found = {name: slope + weight * step.steep[cost][name] for name, slope in found.items()}
        return found


def traced(values: Mapping[str, float]) -> dict[str, Array]:
    """Parameters as arrays."""
    return {name: jnp.asarray(value, float) for name, value in values.items()}


@dataclass(frozen=True)
class DescentStep:
    """What a step of a descent finds.

    Attributes:
        loss: mean of its chips on its batch.
        costs: of the design.
        total: what descends.
        slopes: of the loss by the shares.
        steep: of each cost by the shares.
    """

    loss: float
    costs: Mapping[str, float]
    total: float
    slopes: Shares
    steep: Mapping[str, Shares]


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


def descend(objective: Objective, *, reporter: Reporter) -> Descent:
    """Adam on the shares, which are kept from 0 to 1, and on weights where they descend. ModelError where the loss is not finite.

    References:
        Kingma and Ba, Adam, ICLR 2015; the mean of the last iterates: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992).
    """
    steps = objective.settings.steps
    shares = beginning(objective)
    optimizer = optimizer_of(objective.settings)
    state, taken, tiles = optimizer.init(shares), {}, None
    history: list[dict[str, float]] = []
    kept: list[Shares] = []
    reporter.doing("compiling the chips of a step, and what descends")
    for number in range(steps):
        values = {name: float(value) for name, value in objective.values(shares).items()}
        if number % RENEWAL == 0 or objective.tiles(values) != tiles:
            taken, tiles = objective.taken(values, shares), objective.tiles(values)
        step = objective.at(shares, number, taken)
        if not math.isfinite(step.total):
            raise ModelError(
                f"the loss of the design is not finite at step {number + 1}: narrow the bounds of design.over"
            )
        history.append({"total": step.total, "loss": step.loss, **step.costs, **values})
        with jax.numpy_dtype_promotion("standard"):
            moves, state = optimizer.update(objective.downhill(step), state)
            moved: Any = optax.apply_updates(shares, moves)
        shares = {name: v if name.startswith(PREFIX) else jnp.clip(v, 0.0, 1.0) for name, v in moved.items()}
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
