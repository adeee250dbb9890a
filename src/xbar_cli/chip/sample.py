"""The stages of a chip, from its number to its right answers, and the run over many of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.chip.counting import Batch, Counted, count_batch
from xbar_cli.chip.executor import Executor, chip_stage
from xbar_cli.chip.fabricate import Fabricator
from xbar_cli.chip.fold import Residuals, judge, require_trust
from xbar_cli.chip.repair.fabricator import RepairedFabricator
from xbar_cli.chip.result.tally import Findings, Tally
from xbar_cli.errors import ModelError
from xbar_cli.nn.layers import Product
from xbar_cli.nn.loops import one_by_one
from xbar_cli.nn.reading import Circuit, on_arrays
from xbar_cli.nn.score import ACCURACY, Measure
from xbar_cli.nn.wired.solved import Trust
from xbar_cli.numerics import stream
from xbar_cli.reporter import Reporter
from xbar_cli.statistics import estimate

Prepare = Callable[[Any, Array], tuple[Circuit, Residuals]]
Leaves = list[Array]
"""Of a circuit: a stack of the circuits of many chips is no circuit, and stages pass on its parts."""


class Builder:
    """The compiled stage from the devices of chips to their circuits.

    The same program serves what `prepare` makes of the same kind of arrays, whatever is in them: where compiled programs are
    kept, it is compiled once.
    """

    def __init__(self, executor: Executor, prepare: Prepare, shapes: Any, root: Array, *, quick: bool) -> None:
        """The stage for devices of these shapes; `quick`, if it is matrix products above all."""
        self.tree: Any = None

        def circuit(conductances: Any, key: Array) -> tuple[Leaves, Residuals, dict[str, Any]]:
            made, residuals = prepare(conductances, key)
            leaves, self.tree = jax.tree.flatten(made)
            return leaves, residuals, {name: (c.gain, c.offset) for name, c in made.corrections.items()}

        self.stage = chip_stage(executor, circuit, root, shapes, quick=quick)

    def __call__(self, numbers: Array, conductances: Any) -> tuple[Leaves, Residuals, dict[str, Any]]:
        """The circuits of chips as stacked leaves, their residuals and corrections."""
        return self.stage(numbers, conductances)

    def circuit(self, leaves: Leaves, chip: int) -> Circuit:
        """One of the stacked circuits."""
        return one_of(self.tree, leaves, chip)


def one_of(tree: Any, leaves: Leaves, chip: int) -> Circuit:
    """One of the stacked circuits of a structure."""
    return jax.tree.unflatten(tree, [leaf[chip] for leaf in leaves])


class Sampler:
    """The compiled stages: number → devices → circuit → counts. Everything drawn comes of the seed's key and the number."""

    def __init__(
        self,
        executor: Executor,
        net: nnx.Module,
        parts: Sequence[Batch],
        *,
        root: Array,
        fabricate: Fabricator | RepairedFabricator,
        prepare: Prepare,
        measure: Measure = ACCURACY,
        folding: bool = False,
    ) -> None:
        """The stages for a network on the images `parts`.

        With `folding` what `prepare` does is matrix products above all.
        """
        self.executor, self.fabricate, self.measure = executor, fabricate, measure
        self.graphdef, state = nnx.split(net)
        self.state, self.root, self.parts = (executor.shared(tree) for tree in (state, root, list(parts)))
        self._counters: dict[Any, Callable[..., Any]] = {}

        def devices(key: Array) -> tuple[Any, Findings]:
            chip = fabricate(key)
            return chip.conductances, Findings(
                (chip.negative, chip.mean_shift, chip.off_table), chip.costs, chip.repaired
            )

        programmed = fabricate.writer is not None
        self.make = chip_stage(executor, devices, root, quick=folding and programmed)
        """From the numbers of chips to their conductances [chips …] [S], and what making them found."""
        shapes = jax.eval_shape(fabricate, root).conductances
        self.build = Builder(executor, prepare, shapes, root, quick=folding)
        self.trees: dict[str | None, Any] = {None: self.build.tree}

    def circuit(self, leaves: Leaves, chip: int, layer: str | None = None) -> Circuit:
        """One of the stacked circuits."""
        return one_of(self.trees[layer], leaves, chip)

    def count(self, numbers: Array, leaves: Leaves, *, layer: str | None = None, parts: int | None = None) -> Counted:
        """Counts over the images (or their first so many `parts`): [chips 5], [chips images], and of each part how it was solved.

        `leaves` are the stacked circuits of the chips `numbers`, with `layer` alone on arrays in them; None for all.
        """
        count = self._counter(self.trees[layer])
        size = self.parts[0][1].shape[0]
        found = [
            count((self.state, self.root, jnp.asarray(n * size), part), numbers, leaves)
            for n, part in enumerate(self.parts[:parts])
        ]
        total = np.sum([np.asarray(one.totals, np.float64) for one in found], axis=0)
        each = np.concatenate([np.asarray(one.each, np.float64) for one in found], axis=1)
        return Counted(total, each[:, : round(self.images)], [one.trusts for one in found])

    def _counter(self, tree: Any) -> Callable[..., Any]:
        """The compiled counting of circuits of this structure."""
        if tree not in self._counters:
            patches = self.executor.strategy.inner == "patches"

            def count(shared: Any, number: Array, leaves: Leaves) -> Counted:
                state, root, first, part = shared
                key = stream(jax.random.fold_in(root, number), "read")
                net, circuit = nnx.merge(self.graphdef, state), jax.tree.unflatten(tree, leaves)
                return count_batch(net, circuit, key, first, part, self.measure, patches=patches)

            self._counters[tree] = self.executor.stage(count)
        return self._counters[tree]

    @cached_property
    def images(self) -> float:
        """How many images there are."""
        return float(sum(float(weight.sum()) for _, _, weight in self.parts))

    def value(self, total: float) -> float:
        """The metric of a chip."""
        return self.measure.value(float(total), self.images, of="a chip")


def require_sound(sampler: Sampler, conductances: Any, chips: range) -> None:
    """Raise ModelError where a chip of a call has conductances that are not finite, with the effect that left them."""
    sound = [jnp.isfinite(g).all(axis=tuple(range(1, g.ndim))) for g in jax.tree.leaves(conductances)]
    for k, chip in enumerate(chips):
        if not all(bool(layer[k]) for layer in sound):
            sampler.fabricate.require_finite(
                sampler.fabricate(jax.random.fold_in(sampler.root, chip)).broken, chip=chip
            )


def require_scores(
    sampler: Sampler, right: float, leaves: Leaves, place: int, *, chip: int, layer: str | None = None
) -> None:
    """Raise ModelError where some scores of a chip are not finite, with the first layer whose outputs are not.

    `right` is the chip's total, NaN there; `place` is where it stands in the stacked circuits `leaves`, in which `layer` is
    alone on arrays (None: all are).
    """
    if np.isfinite(right):
        return
    net, key = nnx.merge(sampler.graphdef, sampler.state), stream(jax.random.fold_in(sampler.root, chip), "read")
    at = first_overflow(net, sampler.circuit(leaves, place, layer), key, sampler.parts)
    where = "" if at is None else f", from layer {at} on"
    raise ModelError(f"chip {chip}: the scores are not finite{where}: conductances far beyond those that were mapped")


def first_overflow(net: Any, circuit: Circuit, key: Array, parts: Sequence[Batch]) -> str | None:
    """The first layer of a network on the arrays of `circuit` whose outputs are not finite for some image of `parts`."""
    finite: dict[str, bool] = {}
    for n, (x, _, weight) in enumerate(parts):
        inner = on_arrays(circuit, key=key, first=jnp.asarray(n * len(x)))

        def watched(name: str, *product: Any, weight: Array = weight, inner: Product = inner) -> Array:
            y = inner(name, *product)
            good = jnp.isfinite(y).reshape(len(y), -1).all(axis=1) | (weight == 0)
            finite[name] = finite.get(name, True) and bool(good.all())
            return y

        net(x, one_by_one(watched))
        if broken := [name for name, good in finite.items() if not good]:
            return broken[0]
    return None


Alone = Callable[[Array, Leaves], Leaves]
"""From chips and their circuits to the same circuits with one layer alone on arrays."""


def sample(
    sampler: Sampler,
    n: int,
    *,
    first: int = 0,
    enough: Callable[[Sequence[float]], bool],
    alone: Mapping[str, Alone],
    warm: bool,
    reporter: Reporter,
) -> Tally:
    """Sample the chips from number `first` on until there are `n`, or until those so far are `enough`, judged after each in turn.

    `alone` gives the circuits with one layer alone on arrays, by layer; with `warm` all is compiled before the clock runs.
    """
    tally = Tally(alone={name: [] for name in alone})
    for chips, numbers in sampler.executor.chunks(n, first=first):
        reporter.progress("chips", chips.start - first, n, said_of(tally.values, sampler.measure.metric))
        if not tally.computed:
            _compile(sampler, numbers, n, warm=warm, reporter=reporter)
        found, leaves, corrections = _prepare(sampler, numbers, tally, of=chips)
        began = time.perf_counter()
        counts, each, trusts = sampler.count(numbers, leaves)
        tally.seconds += time.perf_counter() - began
        tally.computed += sampler.executor.chunk
        made = {name: make(numbers, leaves) for name, make in alone.items()}
        layers = {name: sampler.count(numbers, made[name], layer=name).totals for name in alone}
        for k, chip in enumerate(chips):
            for trusted in filter(None, trusts):
                of_chip = {name: Trust(*(v[k] for v in trust)) for name, trust in trusted.items()}
                require_trust(sampler.circuit(leaves, k), of_chip, chip=chip)
            require_scores(sampler, counts[k, 0], leaves, k, chip=chip)
            tally.values.append(sampler.value(counts[k, 0]))
            tally.beyond += counts[k, 1:]
            tally.each = tally.each + each[k]
            tally.devices.append(tuple(float(value[k]) for value in found.devices))
            tally.costs.append({name: float(value[k]) for name, value in found.costs.items()})
            tally.repaired.append({name: float(value[k]) for name, value in found.repaired.items()})
            tally.corrections.append({name: (gain[k], offset[k]) for name, (gain, offset) in corrections.items()})
            for name, alone_counts in layers.items():
                require_scores(sampler, alone_counts[k, 0], made[name], k, chip=chip, layer=name)
                tally.alone[name].append(sampler.value(alone_counts[k, 0]))
            if enough(tally.values):
                n = len(tally.values)
                break
        if len(tally.values) >= n:
            break
    reporter.progress("chips", n, n, said_of(tally.values, sampler.measure.metric))
    return tally


def _compile(sampler: Sampler, numbers: Array, n: int, *, warm: bool, reporter: Reporter) -> None:
    """Say that the first of `n` chips is compiled, and with `warm` do so."""
    reporter.doing("compiling a chip: its devices, its arrays, the images through them")
    if warm:
        _, leaves, _ = _prepare(sampler, numbers, Tally())
        sampler.count(numbers, leaves, parts=1)
        reporter.progress("chips", 0, n)


def said_of(values: Sequence[float], metric: str) -> str:
    """The running mean of chips with Student's 95 % interval, in words; nothing before there is one."""
    if not values:
        return ""
    found = estimate(values)
    span = "" if found.ci95 is None else f" (95 %: {found.ci95[0]:.4f} … {found.ci95[1]:.4f})"
    return f"mean {metric} {found.mean:.4f}{span}"


def _prepare(
    sampler: Sampler, numbers: Array, tally: Tally, *, of: range = range(0)
) -> tuple[Findings, Leaves, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Make and fold the chips of one call, on the clocks of `tally`; those of `of` are judged."""
    began = time.perf_counter()
    conductances, found = jax.block_until_ready(sampler.make(numbers))
    made = time.perf_counter()
    require_sound(sampler, conductances, of)
    leaves, residuals, corrections = jax.block_until_ready(sampler.build(numbers, conductances))
    tally.seconds += made - began
    tally.fold_seconds += time.perf_counter() - made
    residuals = jax.tree.map(np.asarray, residuals)
    for k, chip in enumerate(of):
        judge({name: residual[k] for name, residual in residuals.items()}, chip=chip)
    return jax.tree.map(np.asarray, found), leaves, jax.tree.map(np.asarray, corrections)
