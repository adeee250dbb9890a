"""What descends in a design: the loss of keyed chips through their arrays, and the logarithms of costs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from xbar_cli.config.chips.design import DesignSection
from xbar_cli.data.batches import network_inputs
from xbar_cli.numerics import quick_compilation, stream

from .chips import Bench
from .costs import Costing
from .folding import Folding, PullPrograms
from .nominal import NominalChip
from .parameters import DesignValues, Parameter, tile_shares, traced
from .weights import weights_in
from .wired import Taken

CONVERTING = frozenset({"adc_bits", "adc_range"})
"""Parameters that no array depends on, nor the range of its converters where it is observed."""
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
        programs: of the chips, that are compiled.
        compiled: costs that are.
    """

    bench: Bench
    costing: Costing
    chosen: Sequence[Parameter]
    settings: DesignSection
    seed: int
    programs: PullPrograms = field(default_factory=PullPrograms)
    compiled: dict[tuple[int, ...], Callable[..., Any]] = field(default_factory=dict)

    @cached_property
    def folding(self) -> Folding:
        """The folds of the chips."""
        return Folding(self.bench, self.programs)

    @cached_property
    def nominal(self) -> NominalChip:
        """The chip without variation."""
        return NominalChip(self.folding)

    @cached_property
    def first(self) -> dict[str, float]:
        """The costs of the start."""
        return self.costs({p.name: p.start for p in self.chosen})

    def costs(self, values: Mapping[str, float], weights: Mapping[str, Any] | None = None) -> dict[str, float]:
        """The costs of a design with these weights, or those of the start."""
        _, found = self.costed(self.tiles(values))(traced(values), weights or {})
        return {name: float(cost) for name, cost in found.items()}

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
        self, values: Mapping[str, float], shares: Shares | None = None, *, tiles: tuple[int, ...] | None = None,
        known: Mapping[str, Taken] = MappingProxyType({}),
    ) -> dict[str, Taken]:  # fmt: skip
        """What chips take of the nominal one, by size of tile, with the weights among `shares` or those of the start.

        What is `known` of a size stays as it is.
        """
        weights, tiles = weights_in(shares or {}), self.tiles(values) if tiles is None else tiles
        named = {str(tile): tile for tile in tiles or (None,)}
        return {
            name: known[name] if name in known else self.nominal.taken(values, weights, tile=tile)
            for name, tile in named.items()
        }

    def total(self, loss: float, costs: Mapping[str, float]) -> float:
        """What descends."""
        weighed = {name: getattr(self.settings, key) for name, key in WEIGHTS.items()}
        return loss + sum(
            weight * math.log(costs[name] / self.first[name]) for name, weight in weighed.items() if weight
        )

    def losses(self, tiles: tuple[int, ...]) -> Callable[..., Any]:
        """The `(shares, key, taken, images, labels) -> (loss, its gradients)` between sizes of tile.

        Both are means over a step's chips. Each is followed backward before the next is made: what its folds leave for that is
        held of one alone.
        """

        def mean(shares: Shares, key: Array, *step: Any) -> Any:
            return self.over_chips(lambda key: self.chip(tiles, shares, key, *step), key)

        return mean

    def chip(
        self, tiles: tuple[int, ...], shares: Shares, key: Array, taken: Mapping[str, Taken], *batch: Array
    ) -> tuple[Array, Shares]:
        """The loss of the chip of a key on a batch, mixed of those on both sizes of tile, and its gradients."""
        (values, weights), back = self.opened(shares)
        folded, pull = self.folding(values, weights, key, tiles)
        mixture, of_mixture = jax.vjp(lambda values: tile_shares(values, tiles), values)
        losses, through = [], {}
        slopes = []  # by parameters and weights
        for tile, share in zip(tiles or (None,), mixture, strict=True):
            name = str(tile)
            loss, pulled = self.on_size(tile)((values, weights), folded.get(name), key, taken[name], *batch)
            own, through[name] = self.programs.backward(pulled, share)
            losses.append(loss)
            slopes.append(own)
        slopes += [pull(through), (of_mixture(losses)[0], jax.tree.map(jnp.zeros_like, weights))]
        total = sum((share * loss for loss, share in zip(losses, mixture, strict=True)), start=jnp.zeros(()))
        return total, back(jax.tree.map(lambda *each: sum(each[1:], each[0]), *slopes))[0]

    def on_size(self, tile: int | None) -> Callable[..., Any]:
        """The compiled `((parameters, weights), what arrays act as, key, taken, images, labels) -> (loss, what pulls back)`."""

        def loss(own: Any, arrays: Any, *step: Any) -> Array:
            values, weights = own
            return self.bench.with_weights(weights).loss(values, arrays, *step, tile=tile)

        return self.programs(("loss", tile), loss)

    def over_chips(self, one: Callable[[Array], Any], key: Array) -> Any:
        """The mean of what chips give, each of a key of its own."""
        found = [jax.block_until_ready(one(key)) for key in jax.random.split(key, self.settings.step_chips)]
        return jax.tree.map(lambda *of_each: sum(of_each[1:], of_each[0]) / len(of_each), *found)

    def costings(self, tiles: tuple[int, ...]) -> Callable[..., Any]:
        """The `shares -> (gradients of each cost, costs)` between sizes of tile."""

        def costings(shares: Shares) -> Any:
            (values, weights), back = self.opened(shares)
            slopes, found = self.costed(tiles)(values, weights)
            return {name: back(of_cost)[0] for name, of_cost in slopes.items()}, found

        return costings

    def costed(self, tiles: tuple[int, ...]) -> Callable[..., Any]:
        """The jitted `(parameters, weights) -> (gradients of each cost by both, costs)` between sizes of tile."""
        if tiles not in self.compiled:

            def costs(values: DesignValues, weights: Mapping[str, Any]) -> Any:
                found = replace(self.costing, bench=self.bench.with_weights(weights))(values, tiles=tiles)
                return found, found

            self.compiled[tiles] = jax.jit(
                jax.jacrev(costs, argnums=(0, 1), has_aux=True), compiler_options=quick_compilation()
            )
        return self.compiled[tiles]

    def opened(self, shares: Shares) -> Any:
        """Parameters and weights at shares, and what brings gradients by them to those by the shares."""
        return jax.vjp(lambda shares: (self.values(shares), weights_in(shares)), shares)

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

    def totals(
        self, designs: Sequence[Mapping[str, float]], shares: Shares, *, batches: int, of: str
    ) -> NDArray[np.float64]:
        """What descends at designs that can be built, with the weights among `shares`, at some batches of the series `of`.

        A tile that can be built is computed alone, and no gradient is.

        Args:
            designs: values that differ in what `CONVERTING` names alone: they read the same arrays, which are folded once a chip.
            shares: with weights.
            batches: how many.
            of: the series.

        Returns:
            [designs batches].
        """
        tile, weights = int(designs[0]["tile"]) if "tile" in designs[0] else None, weights_in(shares)
        tiles = () if tile is None else (tile,)
        taken, built = self.taken(designs[0], shares, tiles=tiles), [traced(values) for values in designs]

        def one(key: Array, batch: tuple[Array, Array]) -> list[Array]:
            folded, _ = self.folding(built[0], weights, key, tiles)
            step = (folded.get(str(tile)), key, taken[str(tile)], *batch)
            return [self.on_size(tile)((own, weights), *step)[0] for own in built]

        losses = [self.over_chips(partial(one, batch=self.batch(n)), self.key(n, of)) for n in range(batches)]
        costs = [self.costs(values, weights) for values in designs]
        return np.asarray(
            [[self.total(float(of_batch[n]), costs[n]) for of_batch in losses] for n in range(len(designs))]
        )

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
