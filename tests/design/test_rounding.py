"""Which of the values that can be built about a design are taken."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xbar_cli.design.objective import CONVERTING
from xbar_cli.design.parameters import TILES, Parameter
from xbar_cli.design.rounding import MOST_TRIED, rounded
from xbar_cli.reporter import SILENT

TILE = Parameter("tile", 64.0, 32.0, 128.0, "rows and columns", log=True, built=tuple(map(float, TILES)))
BITS = Parameter("adc_bits", 6.0, 3.0, 8.0, "bits", built=tuple(float(b) for b in range(1, 17)))
LIMIT = Parameter(
    "weight_limit", 1.0, 0.3, 1.0, "of the largest", built=tuple(round(x * 0.01, 2) for x in range(1, 101))
)
OHM = Parameter("r_on", 1e5, 1e4, 1e6, "ohm", log=True)


class Landscape:
    """An objective whose totals are a function of the values, with what every batch adds to all alike."""

    def __init__(self, chosen: list[Parameter], height: Callable[[Mapping[str, float]], float]) -> None:
        self.chosen, self.height = chosen, height
        self.asked: list[tuple[float, ...]] = []
        self.groups = 0

    def totals(self, designs: Sequence[Mapping[str, float]], shares: Any, *, batches: int, of: str) -> np.ndarray:
        """As of designs whose arrays are the same."""
        arrays = [{name: v for name, v in values.items() if name not in CONVERTING} for values in designs]
        assert all(own == arrays[0] for own in arrays)
        self.groups += 1
        self.asked += [tuple(values.values()) for values in designs]
        return np.asarray([self.height(values) + np.sin(np.arange(batches)) for values in designs])


def build(landscape: Any, reached: Mapping[str, float]) -> dict[str, float]:
    shares = {p.name: p.share(reached[p.name]) for p in landscape.chosen}
    return rounded(landscape, SimpleNamespace(shares=shares), reporter=SILENT)  # pyright: ignore[reportArgumentType]


def bowl(tile: float, bits: float) -> Callable[[Mapping[str, float]], float]:
    """Least at a tile and some bits, which depend on each other a little."""

    def height(values: Mapping[str, float]) -> float:
        x, y = np.log2(values["tile"] / tile), values["adc_bits"] - bits
        return float(x**2 + y**2 + 0.8 * x * y)

    return height


@pytest.mark.parametrize("tile", [32.0, 64.0, 128.0])
@pytest.mark.parametrize("bits", [3.0, 5.0, 8.0])
def test_the_least_of_all_that_can_be_built_is_reached_from_afar(tile: float, bits: float):
    landscape = Landscape([TILE, BITS], bowl(tile, bits))
    found = build(landscape, {"tile": 45.0, "adc_bits": 5.4})
    every = itertools.product(TILE.inside, BITS.inside)
    assert tuple(found.values()) == min(
        every, key=lambda v: landscape.height(dict(zip(("tile", "adc_bits"), v, strict=True)))
    )
    assert found == {"tile": tile, "adc_bits": bits}
    assert len(set(landscape.asked)) == len(landscape.asked)


def test_values_that_stand_close_together_are_not_compared():
    landscape = Landscape([LIMIT, BITS], lambda values: values["weight_limit"] + abs(values["adc_bits"] - 5))
    assert build(landscape, {"weight_limit": 0.834, "adc_bits": 4.6}) == {"weight_limit": 0.83, "adc_bits": 5.0}
    assert {limit for limit, _ in landscape.asked} == {0.83}
    assert landscape.groups < len(landscape.asked)


def test_nothing_is_computed_where_there_is_nothing_to_choose():
    landscape = Landscape([LIMIT, OHM], lambda values: pytest.fail("asked"))
    assert build(landscape, {"weight_limit": 0.5, "r_on": 123456.0}) == {"weight_limit": 0.5, "r_on": 123000.0}


def test_of_many_layers_a_bounded_number_is_computed():
    gates = [Parameter(f"vg:{n}", 0.9, 0.7, 1.1, "V", built=(0.7, 0.8, 0.9, 1.0, 1.1)) for n in range(8)]
    landscape = Landscape(gates, lambda values: sum(values.values()))
    reached = {p.name: 0.9 + 0.01 * (n + 1) for n, p in enumerate(gates)}
    found = build(landscape, reached)
    assert len(landscape.asked) <= 2 * MOST_TRIED
    nearest = {p.name: min(p.built or (), key=lambda v, p=p: abs(v - reached[p.name])) for p in gates}
    assert sum(found.values()) < sum(nearest.values())
