"""What a set of pulse trains says at first sight: windows, the line of the steps over the place, and how much these spread.

In a device's window, from its lowest to its highest read, the mean step of a pulse is a line over the place before it, the same
for all devices but for a factor of each. Every figure here is a closed form of the reads, and is off by what read noise, short
trains and cut steps do to it; `device/fitting/pulses` finds by how much from trains of the model itself.

References:
    Wooldridge, Introductory Econometrics (2019), Section 15.1: a regressor with an error takes an instrument. A read is an end of
    the step before it and the place before the step after it, so that its noise would bend the line of the steps; the read
    before tells the place too, and knows nothing of that noise.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

INNER = 0.1
"""Steps from places nearer to an end of the window are left out: there they are cut by it."""


@dataclass(frozen=True)
class PulsePlan:
    """Which pulses were given to which device; trains stand in the order of their devices.

    Attributes:
        sign: of every pulse, +1 up, -1 down, 0 beyond the end of its train.
        device: number of the device of each train, ascending from 0.
    """

    sign: Int[np.ndarray, "trains pulses"]
    device: Int[np.ndarray, " trains"]

    @property
    def devices(self) -> int:
        """How many there are."""
        return int(self.device[-1]) + 1


class PulseMoments(NamedTuple):
    """Raw figures of pulse trains, in units of the window where nothing else is said.

    Attributes:
        low: lowest read of each device, of medians of three [S].
        high: highest read, likewise [S].
        factor: steps of each device over those of all, up and down.
        middle: mean step in the middle of the window, up and down.
        bend: half of what the steps fade by over the window, over the one in the middle: `tanh(nu/2)`; up and down.
        window: variance of a pulse, the part that is the same everywhere.
        step: variance of a pulse, the part that goes with the square of the step.
        read: variance of a read.
        varied: how much the squares of the mean steps vary, over their mean: without it `window` and `step` are one.
        steps: how many steps each device has between the ends of its window, up and down.
    """

    low: Float[np.ndarray, " devices"]
    high: Float[np.ndarray, " devices"]
    factor: Float[np.ndarray, "2 devices"]
    middle: Float[np.ndarray, "2"]
    bend: Float[np.ndarray, "2"]
    window: float
    step: float
    read: float
    varied: float
    steps: Int[np.ndarray, "2 devices"]


class DeviceSpread(NamedTuple):
    """Variances between devices: of the steps, of half the relative difference of up and down, of either end of the window."""

    step: float
    asymmetry: float
    window: float


def windows(
    reads: Float[np.ndarray, "trains reads"], plan: PulsePlan
) -> tuple[Float[np.ndarray, " devices"], Float[np.ndarray, " devices"]]:
    """The lowest and the highest conductance of each device [S]; a read that both neighbours contradict does not count."""
    a, b, c = reads[:, :-2], reads[:, 1:-1], reads[:, 2:]
    middle = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    first = np.flatnonzero(np.diff(plan.device, prepend=-1))
    lowest = np.where(np.isnan(middle), np.inf, middle).min(axis=1)
    highest = np.where(np.isnan(middle), -np.inf, middle).max(axis=1)
    return np.minimum.reduceat(lowest, first), np.maximum.reduceat(highest, first)


def moments(
    reads: Float[np.ndarray, "trains reads"], plan: PulsePlan, *, parts: tuple[bool, bool] = (True, True)
) -> PulseMoments:
    """The raw figures of trains.

    Args:
        reads: conductances before the first pulse and after every one [S]; NaN beyond the end of a train.
        plan: the pulses.
        parts: whether a pulse has a spread of the window, and one of the step.
    """
    low, high = windows(reads, plan)
    s = (reads - low[plan.device, None]) / (high - low)[plan.device, None]
    sign, before, place, step = plan.sign[:, 1:], s[:, :-2], s[:, 1:-1], np.diff(s)[:, 1:]
    there = sign != 0
    inner = there & (before > INNER) & (before < 1 - INNER)
    expected = np.zeros_like(step)
    lines, factors, counts = [], [], []
    for way in (1, -1):
        own = inner & (sign == way)
        told, at = (before, place) if way > 0 else (1 - before, 1 - place)
        level, slope = _line(told[own], at[own], way * step[own])
        with np.errstate(all="ignore"):  # places that are all one have no slope
            line = level + slope * (at - 0.5)
        device = np.broadcast_to(plan.device[:, None], own.shape)[own]
        counts.append(np.bincount(device, minlength=plan.devices))
        taken, meant = (np.bincount(device, v[own], minlength=plan.devices) for v in (way * step, line))
        with np.errstate(all="ignore"):
            factors.append(taken / meant)
        expected = np.where(sign == way, way * line * factors[-1][plan.device][:, None], expected)
        lines.append((level, -slope / (2 * level)))
    found = _pulse_spread(step - expected, expected**2, inner, there, parts)
    middle, bend = np.asarray(lines, np.float64).T
    return PulseMoments(low, high, np.asarray(factors), middle, bend, *found, np.asarray(counts))


def between(found: PulseMoments) -> DeviceSpread:
    """The raw variances between devices; NaN for one device."""
    if found.low.size < 2:
        return DeviceSpread(np.nan, np.nan, np.nan)
    up, down = found.factor
    ends = np.var(found.low, ddof=1) + np.var(found.high, ddof=1)
    return DeviceSpread(
        float(np.var((up + down) / 2, ddof=1)),
        float(np.var((up - down) / (up + down), ddof=1)),
        float(ends / 2 / np.mean(found.high - found.low) ** 2),
    )


def _line(before: np.ndarray, place: np.ndarray, step: np.ndarray) -> tuple[float, float]:
    """Mean step in the middle of the window, and its slope over the place, by the instrument `before`."""
    if before.size < 3:
        return np.nan, np.nan
    told = before - before.mean()
    with np.errstate(all="ignore"):
        slope = float(np.sum(told * step) / np.sum(told * place))
    return float(step.mean() + slope * (0.5 - place.mean())), slope


def _pulse_spread(
    rest: np.ndarray,
    square: np.ndarray,
    inner: Bool[np.ndarray, "trains steps"],
    there: Bool[np.ndarray, "trains steps"],
    parts: tuple[bool, bool],
) -> tuple[float, float, float, float]:
    """Variance of a pulse in its two parts and of a read, from what steps differ by from their mean.

    The noise of a read is in the step before it and, turned round, in the step after it: `E[e_k e_k+1] = -read`, and so
    `e_k² + e_k e_k-1 + e_k e_k+1` is the variance of the pulse alone.
    """
    rest = np.where(there, rest, 0)
    whole = inner[:, 1:-1] & there[:, 2:] & there[:, :-2]
    own, last, after = rest[:, 1:-1][whole], rest[:, :-2][whole], rest[:, 2:][whole]
    read = -float(np.mean(own * (last + after))) / 2 if own.size else np.nan
    value, columns = own**2 + own * (last + after), np.stack([np.ones(own.size), square[:, 1:-1][whole]])
    if own.size < 3 or not (np.isfinite(value).all() and np.isfinite(columns).all()):
        return np.nan, np.nan, np.nan, np.nan
    used = np.stack([column for column, asked in zip(columns, parts, strict=True) if asked])
    found = _least_squares(used, value, np.ones(own.size))
    level = np.maximum(found, 0) @ used + 2 * max(read, 0.0)
    found = _least_squares(used, value, 1 / np.maximum(level, 1e-3 * np.mean(own**2) + 1e-30) ** 2)
    both = np.zeros(2)
    both[np.flatnonzero(parts)] = found
    return float(both[0]), float(both[1]), read, float(columns[1].std() / (columns[1].mean() + 1e-30))


def _least_squares(columns: np.ndarray, value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Coefficients of the columns by weighted least squares."""
    return np.linalg.pinv((columns * weight) @ columns.T) @ ((columns * weight) @ value)
