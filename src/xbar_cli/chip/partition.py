"""Which layers pay to keep digital: the accuracy of chips with any of their layers on arrays, and a greedy choice.

Every chip is folded once. One compiled pass takes which layers are on arrays as an argument, so that all choices are of the
same chips, the same images and the same draws (common random numbers), and differ in their layers alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.chip.executor import by_patches
from xbar_cli.chip.fold import judge
from xbar_cli.chip.sample import Leaves, Sampler, require_sound
from xbar_cli.errors import ModelError
from xbar_cli.nn.layers import Product
from xbar_cli.nn.loops import Stepping, entered, findings
from xbar_cli.nn.reading import on_arrays
from xbar_cli.nn.score import correct
from xbar_cli.numerics import stream

Accuracies = Callable[[frozenset[str]], np.ndarray]
"""Of every chip, where these layers are on arrays and the others digital."""


@dataclass
class Switched:
    """A product that computes a layer on arrays or digitally, as a traced number says: only what is chosen is computed.

    Attributes:
        product: of the arrays.
        places: which layers are on arrays, by name; those that are not here never are.
    """

    product: Product
    places: Mapping[str, Array]

    def __call__(self, name: str, x: Array, kernel: Array, contract: Contract) -> Array:
        """The outputs of a layer."""
        if name not in self.places:
            return contract(x, kernel)

        def analogue(x: Array, kernel: Array) -> Array:
            return self.product(name, x, kernel, contract)

        return jax.lax.cond(self.places[name], analogue, lambda x, kernel: contract(x, kernel), x, kernel)

    def enter(self, step: Array | int, steps: int) -> "Switched":
        """The same in a step of a loop."""
        return replace(self, product=entered(self.product, step, steps))

    def found(self) -> Any:
        """What the arrays found."""
        return findings(self.product)

    def absorb(self, found: Any, steps: int) -> None:
        """Hands on what the steps of a loop found."""
        if isinstance(self.product, Stepping):
            self.product.absorb(found, steps)


def folded_chips(sampler: Sampler, n: int) -> Iterator[tuple[range, Array, Leaves]]:
    """Chips 0 … n − 1, folded and judged, call by call: their numbers, and their circuits as stacked leaves."""
    for chips, numbers in sampler.executor.chunks(n):
        conductances, _ = sampler.make(numbers)
        require_sound(sampler, conductances, chips)
        leaves, residuals, _ = sampler.build(numbers, conductances)
        for k, chip in enumerate(chips):
            judge({name: residual[k] for name, residual in residuals.items()}, chip=chip)
        yield chips, numbers, leaves


def make_accuracies(sampler: Sampler, names: Sequence[str], n: int) -> Accuracies:
    """The function from the layers on arrays, of `names`, to the accuracies of chips 0 … `n` − 1; it keeps what it computed."""
    chips = list(folded_chips(sampler, n))
    tree, patches = sampler.trees[None], sampler.executor.strategy.inner == "patches"

    def count(shared: Any, number: Array, leaves: Leaves) -> Array:
        state, root, first, part, places = shared
        x, y, weight = part
        key = stream(jax.random.fold_in(root, number), "read")
        arrays = on_arrays(jax.tree.unflatten(tree, leaves), key=key, first=first)
        product = Switched(arrays, dict(zip(names, places, strict=True)))
        return correct(nnx.merge(sampler.graphdef, state)(x, by_patches(product) if patches else product), y, weight)

    stage = sampler.executor.stage(count)
    known: dict[frozenset[str], np.ndarray] = {}

    def accuracies(chosen: frozenset[str]) -> np.ndarray:
        if chosen not in known:
            places = jnp.asarray([name in chosen for name in names])
            known[chosen] = np.concatenate([_of_call(stage, sampler, places, call) for call in chips])
        return known[chosen]

    return accuracies


def _of_call(
    stage: Callable[..., Any], sampler: Sampler, places: Array, call: tuple[range, Array, Leaves]
) -> np.ndarray:
    """Accuracies of the chips of one call."""
    chips, numbers, leaves = call
    right = np.zeros(len(numbers))
    for n, part in enumerate(sampler.parts):
        first = jnp.asarray(n * part[1].shape[0])
        right += np.asarray(stage((sampler.state, sampler.root, first, part, places), numbers, leaves), np.float64)
    right = right[: len(chips)]
    if not np.isfinite(right).all():
        chip = chips[int(np.argmin(np.isfinite(right)))]
        raise ModelError(f"chip {chip}: the scores are not finite: conductances far beyond those that were mapped")
    return right / sampler.images


@dataclass(frozen=True)
class MadeDigital:
    """A layer that was made digital.

    Attributes:
        layer: its name; None of the start, where all are on arrays.
        accuracies: of every chip, without it.
        gains: accuracy won back by each chip.
        gain_per_cost: their mean over what the layer costs.
    """

    layer: str | None
    accuracies: np.ndarray
    gains: np.ndarray
    gain_per_cost: float | None


def greedy(
    accuracies: Accuracies, costs: Mapping[str, float], *, ideal: float, loss: float, told: Callable[[int], None]
) -> list[MadeDigital]:
    """Layers made digital one by one, until the mean loss is below `loss` or one layer is left on arrays.

    That layer is next whose return wins back most for its cost; where none wins anything, that which loses least.

    Args:
        accuracies: of chips.
        costs: what the return of a layer costs, by name: its devices, or its multiplications.
        ideal: accuracy in floating point.
        loss: that may remain.
        told: is called before each choice is computed, with how many came before it.
    """
    left, computed = frozenset(costs), 0
    start = accuracies(left)
    steps = [MadeDigital(None, start, np.zeros_like(start), None)]
    while ideal - steps[-1].accuracies.mean() >= loss and len(left) > 1:
        now, found = steps[-1].accuracies, []
        for name in (name for name in costs if name in left):
            told(computed)
            computed += 1
            new = accuracies(left - {name})
            found.append(MadeDigital(name, new, new - now, float((new - now).mean()) / costs[name]))
        steps.append(best(found))
        left -= {steps[-1].layer or ""}
    return steps


def best(found: Iterable[MadeDigital]) -> MadeDigital:
    """The step that wins most for its cost, of those that win something; else that which loses least."""

    def merit(step: MadeDigital) -> tuple[bool, float]:
        gain = float(step.gains.mean())
        return gain > 0, (step.gain_per_cost or 0.0) if gain > 0 else gain

    return max(found, key=merit)


def pattern_of(layers: Sequence[str], kept: Iterable[str]) -> str:
    """The shortest choice that takes the layers `kept` of all `layers`: `all`, their names, or those left out behind `!`."""
    taken = list(kept)
    rest = [f"!{name}" for name in layers if name not in taken]
    return min(",".join(taken), ",".join(rest), key=len) if rest else "all"
