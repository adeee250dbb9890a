"""How real data drives the rows of a layer: means of everything that the power of its cells depends on, row by row.

A row of 1T-1R cells at the share `f = |V| / V_max` of the largest voltage draws `Σ_k a_k(G) b_k(V)` with polynomials `b_k`, so
that the means of `f T_n(2f − 1)` (Chebyshev) give the mean power of any cell at any gate voltage, exactly. Resistive cells
need the mean of f² alone, bit-serial inputs the mean number of pulses, pulse widths the mean of f (n = 0).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.array.ideal import Contract
from xbar_cli.nn.contracts import Convolution, MatrixProduct
from xbar_cli.runs.results import Field, field
from xbar_cli.vectors import Vector

STORED_BITS = (8, 16)
"""Inputs whose pulses a map run counts: those of neurosim and of isaac, unless others are asked for."""


@dataclass(frozen=True)
class LayerActivity:
    """One layer's rows: means over images and output positions, summed over the phases of signed inputs.

    Attributes:
        positions: products of an image.
        images: that the means are of; 0 for no data.
        squares: of f² [rows].
        pulses: of the pulses of a bit-serial input, by its bits [rows].
        moments: of `f T_n(2f − 1)`, n = 0, 1, … [rows orders].
        steps: bits that f is rounded to in squares and moments; None where it is any share.
        full_scale: activation of f = 1; None where nothing says.
    """

    positions: int
    images: int
    squares: Vector
    pulses: Mapping[int, Vector]
    moments: NDArray[np.float64]
    steps: int | None = None
    full_scale: float | None = None

    def driven(self, coding: str, bits: int | None) -> Vector:
        """What drives a row in a product: `(V / V_max)²` of amplitudes, pulses of `bits`, or the share of a pulse's width."""
        match coding:
            case "amplitude":
                return self.squares
            case "pwm":
                return self.moments[:, 0]
            case _:
                assert bits is not None
                return self.pulses[bits]


@dataclass(frozen=True)
class Wanted:
    """What is measured.

    Attributes:
        bits: of bit-serial inputs, each of whose pulses are counted.
        orders: of the moments.
        steps: bits that inputs are rounded to in squares and moments; None leaves them as they are.
    """

    bits: tuple[int, ...]
    orders: int
    steps: int | None = None


def of_inputs(
    x: NDArray[np.float32],
    contract: Contract,
    window: tuple[int, ...],
    *,
    full_scale: float,
    signed: bool,
    wanted: Wanted,
) -> LayerActivity:
    """The activity of a layer for its inputs `x` [images *place in].

    `window` is its kernel's, without channels; `full_scale` the input that drives a row fully. Negative inputs are applied in a
    phase of their own where they are `signed`, else they drive no row.
    """
    f = np.abs(np.clip(x / np.float32(full_scale), np.float32(-1 if signed else 0), np.float32(1)))
    counted = f
    if wanted.steps is not None:
        top = np.float32(2**wanted.steps - 1)
        f = (np.rint(f * top) / top).astype(np.float32)
    columns = [f * f]
    for bits in wanted.bits:  # float64: more than 24 bits are not all in a float32
        columns.append(np.bitwise_count(np.rint(counted * np.float64(2**bits - 1)).astype(np.uint64)))
    columns += _chebyshev(f, wanted.orders)
    sums = np.stack([np.sum(column, axis=0, dtype=np.float64) for column in columns], axis=-1)
    total, positions = window_sums(sums, contract, window)
    seen = _split(total / (len(x) * positions), positions=positions, images=len(x), bits=wanted.bits)
    return replace(seen, steps=wanted.steps, full_scale=full_scale)


def _chebyshev(f: NDArray[np.float32], orders: int) -> list[NDArray[np.float32]]:
    """`f T_n(2f − 1)` for n below `orders`."""
    y = 2 * f - 1
    found = [f, f * y]
    while len(found) < orders:
        found.append(2 * y * found[-1] - found[-2])
    return found[:orders]


def full_drive(rows: int, positions: int, wanted: Wanted) -> LayerActivity:
    """Every row at full drive in every pulse of one phase: no data."""
    values = np.ones((rows, 1 + len(wanted.bits) + wanted.orders))
    values[:, 1 : 1 + len(wanted.bits)] = wanted.bits
    return replace(_split(values, positions=positions, images=0, bits=wanted.bits), steps=wanted.steps)


def _split(values: NDArray[np.float64], *, positions: int, images: int, bits: Iterable[int]) -> LayerActivity:
    """From the columns f², pulses, moments."""
    counted = {b: values[:, 1 + number] for number, b in enumerate(bits)}
    return LayerActivity(positions, images, values[:, 0], counted, values[:, 1 + len(counted) :])


def _joined(activity: LayerActivity) -> NDArray[np.float64]:
    """The columns f², pulses, moments."""
    return np.column_stack([activity.squares, *activity.pulses.values(), activity.moments])


def mean(parts: Sequence[LayerActivity]) -> LayerActivity:
    """The activity over the images of all parts."""
    images = sum(part.images for part in parts)
    values = sum(part.images * _joined(part) for part in parts) / images
    found = _split(np.asarray(values), positions=parts[0].positions, images=images, bits=parts[0].pulses)
    return replace(found, steps=parts[0].steps, full_scale=parts[0].full_scale)


def window_sums(x: NDArray[np.float64], contract: Contract, window: tuple[int, ...]) -> tuple[NDArray[np.float64], int]:
    """Sums over output positions of what each row sees [rows columns], and the positions, of inputs [*place in columns]."""
    if isinstance(contract, MatrixProduct):
        flat = x.reshape(-1, *x.shape[-2:])
        return flat.sum(axis=0), len(flat)
    assert isinstance(contract, Convolution)
    n = len(window)
    x = x.reshape(-1, *x.shape[-n - 2 :])
    seen = contract.slices(x, window, axis=1)
    sums = np.stack([part.sum(axis=tuple(range(n + 1))) for part in seen])  # [window in columns]
    sums = np.moveaxis(sums.reshape(len(seen), contract.groups, -1, x.shape[-1]), 1, 0)
    return sums.reshape(-1, x.shape[-1]), int(np.prod(seen[0].shape[: n + 1]))


def to_field(name: str, activity: LayerActivity, *, groups: int = 1) -> Field:
    """The variable of results.nc that holds the activity of a layer: of every row, those of a group after another's."""
    text = f"mean of f^2, of pulses, and of f T_n(2f - 1) in the rows of {name}, f = |V| / V_max"
    rows = f"{name}_row" if groups == 1 else f"{name}_group_row"
    stored = field((rows, f"{name}_statistic"), _joined(activity), unit="1", long_name=text)
    numbers: dict[str, Any] = {
        "positions": activity.positions, "images": activity.images, "pulse_bits": np.asarray([*activity.pulses], np.int64),
    }  # fmt: skip
    if activity.steps is not None:
        numbers["rounded_to_bits"] = activity.steps
    if activity.full_scale is not None:
        numbers["full_scale_activation"] = activity.full_scale
    return stored._replace(attrs={**stored.attrs, **numbers})


def from_values(values: NDArray[np.float64], attributes: Mapping[Any, Any]) -> LayerActivity:
    """The activity in a variable of results.nc."""
    bits = [int(b) for b in np.atleast_1d(attributes["pulse_bits"])]
    found = _split(values, positions=int(attributes["positions"]), images=int(attributes["images"]), bits=bits)
    steps, scale = attributes.get("rounded_to_bits"), attributes.get("full_scale_activation")
    return replace(
        found, steps=None if steps is None else int(steps), full_scale=None if scale is None else float(scale)
    )
