"""Folds of the chips of a design as programs of their own: one a size of tile serves steps, roundings and the nominal chip.

Within the program of a step each size of tile would be compiled for each pair of neighbouring sizes, and folds are most of what
a step compiles. So a step is three programs that follow each other, forward and backward: devices, folds, what reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.numerics import quick_compilation

from .chips import Bench, LayerArrays, TileArrays
from .parameters import DesignValues

Pull = Callable[[TileArrays], tuple[DesignValues, Mapping[str, Any]]]
"""From the gradient by folds to that by the parameters and weights that they are of."""


@dataclass(frozen=True)
class PullPrograms:
    """Compiled functions, each with what pulls gradients back through it.

    Attributes:
        compiled: what is, as it is asked for.
    """

    compiled: dict[Any, Callable[..., Any]] = field(default_factory=dict)

    def __call__(self, name: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        """The compiled `(two arguments, others) -> (function's, what pulls its gradient back to the two)`."""
        if name not in self.compiled:

            def both(first: Any, second: Any, *others: Any) -> Any:
                return jax.vjp(lambda first, second: function(first, second, *others), first, second)

            self.compiled[name] = jax.jit(both, compiler_options=quick_compilation())
        return self.compiled[name]

    def backward(self, back: Any, slopes: Any) -> Any:
        """What a program's second result makes of a gradient."""
        if "backward" not in self.compiled:
            self.compiled["backward"] = jax.jit(lambda back, slopes: back(slopes), compiler_options=quick_compilation())
        return self.compiled["backward"](back, slopes)


@dataclass(frozen=True, eq=False)
class Folding:
    """The folds of a bench's chips.

    Attributes:
        bench: the chips.
        programs: that are compiled.
    """

    bench: Bench
    programs: PullPrograms

    def __call__(
        self,
        values: DesignValues,
        weights: Mapping[str, Any],
        key: Array,
        tiles: tuple[int, ...],
        *,
        varied: bool = True,
    ) -> tuple[TileArrays, Pull]:
        """What the arrays of the chip of a key act as, and what pulls gradients back; nothing where no array is folded.

        Args:
            values: parameters.
            weights: of the network, by name; none for those of the start.
            key: of the chip.
            tiles: sizes; none for that of the start.
            varied: whether devices vary; else they are at their targets.
        """
        folded: dict[str, LayerArrays] = {}
        backs: dict[str, Any] = {}
        if self.bench.hardware.fold is None:
            return folded, lambda _: jax.tree.map(jnp.zeros_like, (values, weights))
        inputs, back = self.programs(("devices", varied), self.devices(varied))(values, weights, key)
        for tile in tiles or (None,):
            fold = self.programs(("fold", tile), lambda g, ohm, tile=tile: self.bench.folded(g, ohm, tile=tile))
            folded[str(tile)], backs[str(tile)] = fold(*inputs)

        def pull(slopes: TileArrays) -> Any:
            through = [self.programs.backward(backs[tile], slope) for tile, slope in slopes.items()]
            return self.programs.backward(back, jax.tree.map(lambda *each: sum(each[1:], each[0]), *through))

        return folded, pull

    def devices(self, varied: bool) -> Callable[..., Any]:
        """The function `(parameters, weights, key) -> what is folded`."""
        bench = self.bench if varied else self.bench.unvaried

        def devices(values: DesignValues, weights: Mapping[str, Any], key: Array) -> Any:
            return bench.with_weights(weights).unfolded(values, key)

        return devices
