"""What the chips of a design take of the one without variation: ranges of converters, folds of cells with resistances."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from xbar_cli.chip.conversion.drawn import Range
from xbar_cli.chip.full_scales import adc_ranges
from xbar_cli.nn.reading import Circuit
from xbar_cli.numerics import quick_compilation

from .chips import Bench, TileArrays
from .folding import Folding
from .parameters import DesignValues, traced
from .weights import retrained
from .wired import Taken


@dataclass(frozen=True, eq=False)
class NominalChip:
    """The chip without variation of a bench.

    Attributes:
        folding: the bench and its folds.
        compiled: circuits, by size of tile, as they are asked for.
    """

    folding: Folding
    compiled: dict[int | None, Callable[..., Any]] = field(default_factory=dict)

    @property
    def bench(self) -> Bench:
        """Whose chips take of it."""
        return self.folding.bench

    def taken(self, values: Mapping[str, float], weights: Mapping[str, Any], *, tile: int | None = None) -> Taken:
        """What is taken of the chip of these parameters and weights, on arrays of `tile` rows and columns."""
        bench = self.bench
        if not bench.converted and not bench.hardware.wired:
            return Taken()
        if tile not in self.compiled:
            self.compiled[tile] = self.circuit(tile)
        found, key = traced(values), jax.random.key(0)
        folded, _ = self.folding(found, weights, key, () if tile is None else (tile,), varied=False)
        circuit, placed, folds = self.compiled[tile](found, weights, folded)
        if not bench.converted:
            return Taken(folds=folds)
        layers = {}
        for name, layer in bench.network.layers.items():
            g, bottom, top = map(np.asarray, placed[name])
            layers[name] = replace(layer, conductance=g, bottom=float(bottom), top=float(top))
        network = replace(bench.network, layers=layers, tile=bench.size(tile))
        trained = retrained(bench.trained, bench.split, weights) if weights else bench.trained
        images = bench.config.calibration.images
        hardware = replace(bench.hardware, network=network)
        return Taken(adc_ranges(trained, hardware, lambda: circuit, images=images), folds)

    def circuit(self, tile: int | None) -> Callable[..., Any]:
        """The jitted `(parameters, weights, what arrays act as) -> (circuit, ends of its scales, folds)`."""
        still = self.bench.unvaried
        fresh = dict.fromkeys(still.network.layers, Range(1.0))

        def nominal(values: DesignValues, weights: Mapping[str, Any], folded: TileArrays) -> Any:
            own = still.with_weights(weights)
            folds = own.folds(values, tile=tile)
            if not own.converted:
                return None, None, folds
            key, taken = jax.random.key(0), Taken(fresh, folds)
            circuit = Circuit(own.circuit(values, key, taken, tile=tile, folded=folded.get(str(tile))).layers)
            placed = own.mapped(values).layers
            return circuit, {n: (layer.conductance, layer.bottom, layer.top) for n, layer in placed.items()}, folds

        return jax.jit(nominal, compiler_options=quick_compilation())
