"""What sampling finds of chips."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jax import Array


class Findings(NamedTuple):
    """What making a chip found.

    Attributes:
        devices: share of devices below 0, mean shift [S], share off the table.
        costs: what programming took and left.
        repaired: what repair did.
    """

    devices: tuple[Array, Array, Array]
    costs: dict[str, Array]
    repaired: dict[str, Array]


@dataclass
class Tally:
    """What the chips add up to.

    Attributes:
        values: the metric of each.
        each: what every image adds to the metric, summed over the chips.
        alone: of each, by layer, with that layer alone on arrays.
        beyond: ADC conversions beyond the range and all of them, and the same of the DAC.
        devices: share of devices below 0, mean shift [S] and share off the table, of each.
        corrections: gain and offset by layer that each was calibrated to.
        repaired: what repair did to each.
        costs: what programming each took and left.
        computed: chips, those with them that filled up the last call.
        seconds: of the passes, sampling with them.
        fold_seconds: of folding and calibrating.
    """

    values: list[float] = field(default_factory=list)
    each: np.ndarray = field(default_factory=lambda: np.zeros(1))
    alone: dict[str, list[float]] = field(default_factory=dict)
    beyond: np.ndarray = field(default_factory=lambda: np.zeros(4))
    devices: list[tuple[float, ...]] = field(default_factory=list)
    corrections: list[dict[str, tuple[np.ndarray, np.ndarray]]] = field(default_factory=list)
    repaired: list[dict[str, float]] = field(default_factory=list)
    costs: list[dict[str, float]] = field(default_factory=list)
    computed: int = 0
    seconds: float = 0.0
    fold_seconds: float = 0.0
