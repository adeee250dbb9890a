"""A switching model from pulse trains, every figure with its 95 % interval.

The raw figures (`device/fitting/moments`) are off by what read noise adds to windows, by steps that the ends of a window cut, and
by trains too short to reach them. So trains of the same pulses are drawn from the model of these figures and looked at in the
same way, and what they are off by is taken away, round by round. How far the last of them spread gives the intervals.

References:
    Gouriéroux, Monfort, Renault, Indirect inference, Journal of Applied Econometrics 8 (1993) S85: figures corrected by those of
    data simulated from the model. Davison and Hinkley, Bootstrap Methods and their Application (1997), Section 5.2: basic
    intervals, `2 x - x*`, of variances between devices on a logarithmic scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from xbar_cli.device.fitting.moments import PulseMoments, PulsePlan, between, moments, windows
from xbar_cli.device.fitting.simulated import drawn_trains
from xbar_cli.device.switching.model import PulseBranch, Switching
from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

ROUNDS = (40, 40, 300)
"""Sets of trains that are drawn, round by round."""
STEEPEST = 20.0
"""Largest nonlinearity, a soft bound to 2e-9: at a larger one the curve is the same."""
LARGEST_SHARE = 0.98
"""Of the way to where steps end, that a pulse takes at most."""
FEWEST = 10
"""Steps of either sign that each device needs between the ends of its window."""
VARIED = 0.25
"""Variation of the squares of the steps that tells the two parts of a pulse's spread apart."""
TAIL = 0.025
WAYS = ("up", "down")
LAWS = ("middle_up", "middle_down", "bend_up", "bend_down", "window", "step", "read", "low", "high")
"""What is estimated, in units of the window: logarithms of the steps in its middle, `tanh(nu/2)`, variances, its ends."""
NOMINAL = (0.0, 1.0)
"""The ends of the window in the model."""
BETWEEN = ("sigma_step", "sigma_asymmetry", "sigma_window")
"""The variances between devices, which stand behind them."""
OpenInterval = tuple[float | None, float | None]


@dataclass(frozen=True)
class SwitchingFit:
    """What pulse trains say of how devices switch.

    Attributes:
        figures: by the keys of a switching model, and the first steps over the window, `first_step_up` and `first_step_down`;
            None of what one device does not say.
        intervals: 95 % of each; an end that the trains do not tell is None.
        g_min: lower end of the mean window [S].
        g_max: upper end [S].
        sigma_read: standard deviation of a read [S].
        apart: whether the two parts of a pulse's spread are told from each other; else all of it is that of the window.
        raw: the figures at first sight, device by device.
    """

    figures: dict[str, float | None]
    intervals: dict[str, OpenInterval]
    g_min: float
    g_max: float
    sigma_read: float
    apart: bool
    raw: PulseMoments


def fit_switching(
    reads: Float[np.ndarray, "trains reads"],
    plan: PulsePlan,
    *,
    names: Sequence[str],
    seed: int,
    rounds: Sequence[int] = ROUNDS,
) -> SwitchingFit:
    """The switching model of pulse trains, and how well they tell it.

    Args:
        reads: conductances before the first pulse and after every one [S]; NaN beyond the end of a train.
        plan: the pulses.
        names: of the devices, for errors.
        seed: of the trains that are drawn.
        rounds: how many of them, round by round.

    Raises:
        ConfigError: for devices that do not move, or not the way of their pulses, and for fewer steps than are needed.

    Accuracy:
        Trains of the model itself: docs/programming.md has how often the intervals hold the figures. Where devices do not follow
        the model the intervals are too narrow.
    """
    raw = _checked(reads, plan, names)
    parts = (True, raw.varied > VARIED)
    raw = raw if parts[1] else moments(reads, plan, parts=parts)
    low, wide = float(np.mean(raw.low)), float(np.mean(raw.high - raw.low))
    start = np.clip((reads[:, 0] - raw.low[plan.device]) / (raw.high - raw.low)[plan.device], 0, 1)
    data = _laws(raw, low=low, wide=wide)
    laws, used, drawn, off = _possible(data), data, data[None], np.zeros_like(data)
    for number, sets in enumerate(rounds):
        many = drawn_trains(
            jax.random.fold_in(jax.random.key(seed), number), plan, start, model=_model(laws),
            sigma_read=float(np.sqrt(laws[LAWS.index("read")])), floor=-low / wide, sets=sets,
        )  # fmt: skip
        drawn = _whole(np.stack([_laws(moments(each, plan, parts=parts)) for each in many]))
        used = np.concatenate([laws[:7], NOMINAL, laws[9:]])
        off = np.concatenate([np.median(drawn[:, :9], axis=0), drawn[:, 9:].mean(axis=0)]) - used
        laws = _possible(data - off)
    return _concluded(raw, laws, _likely(data, drawn, used, off), low=low, wide=wide, apart=parts[1])


def _checked(reads: np.ndarray, plan: PulsePlan, names: Sequence[str]) -> PulseMoments:
    """The raw figures; ConfigError where they are of no device that switches."""
    for way, sign in zip(WAYS, (1, -1), strict=True):
        if not (plan.sign == sign).any():
            raise ConfigError(f"no pulses {way}: a switching model needs trains of pulses up and of pulses down")
    low, high = windows(reads, plan)
    if (still := np.flatnonzero(~(high > low))).size:
        raise ConfigError(
            f"device {quoted(names[still[0]])}: its conductance does not move, it is {low[still[0]]:.4g} S always"
        )
    found = moments(reads, plan)
    for way, count in zip(WAYS, found.steps, strict=True):
        if count.min() < FEWEST:
            least = int(count.argmin())
            raise ConfigError(
                f"device {quoted(names[least])} has {count[least]} steps {way} from between the ends of its window, where "
                f"{FEWEST} are needed: measure more cycles, or smaller pulses, and read after every pulse"
            )
    for way, middle, factor in zip(WAYS, found.middle, found.factor, strict=True):
        if not middle > 0:
            other = WAYS[1 - WAYS.index(way)]
            raise ConfigError(
                f"pulses {way} move conductances {other} on average: turn the direction, or the sign of the volts"
            )
        if not (factor > 0).all():
            raise ConfigError(
                f"device {quoted(names[int(factor.argmin())])}: pulses {way} do not move it {way} on average; leave it out"
            )
    return found


def _laws(found: PulseMoments, *, low: float = 0.0, wide: float = 1.0) -> Float[np.ndarray, " laws"]:
    """The raw figures in the order of `LAWS` and `BETWEEN`; the window from `low` on in units of `wide`."""
    with np.errstate(all="ignore"):
        middle = np.log(found.middle)
    ends = (np.mean(found.low) - low) / wide, (np.mean(found.high) - low) / wide
    return np.array([*middle, *found.bend, found.window, found.step, found.read, *ends, *between(found)])


def _whole(drawn: Float[np.ndarray, "sets laws"]) -> Float[np.ndarray, "sets laws"]:
    """The sets whose figures are numbers; ConfigError where too few are."""
    good = np.isfinite(drawn[:, : len(LAWS)]).all(axis=1)
    if good.mean() < 0.9:
        raise ConfigError(
            "these trains do not tell a switching model: trains of the model that they look like give none"
        )
    return drawn[good]


def _possible(laws: Float[np.ndarray, " laws"]) -> Float[np.ndarray, " laws"]:
    """Figures that a model can have: bends of a soft bound at most, steps within the window, no variance below 0."""
    found = laws.copy()
    found[2:4] = np.clip(found[2:4], -_bend(STEEPEST), _bend(STEEPEST))
    found[:2] = np.minimum(found[:2], np.log(LARGEST_SHARE / (1 + np.abs(found[2:4]))))
    for place in (4, 5, 6, 9, 10, 11):
        found[place] = max(found[place], 0.0)
    return np.where(np.isnan(found), 0.0, found)


def _bend(nu: float) -> float:
    return float(np.tanh(nu / 2))


def _shape(laws: Float[np.ndarray, "... laws"]) -> dict[str, Any]:
    """The figures of a model, by its keys.

    A step `m (1 - t (2 s - 1))` with m in the middle is `(1 - b s) (1 - e^-rho)/b` with `t = tanh(nu/2)`, `1 - e^-rho = 2 m t`.
    """
    found = {}
    for way, middle, bend in zip(
        WAYS, np.exp(np.moveaxis(laws[..., :2], -1, 0)), np.moveaxis(laws[..., 2:4], -1, 0), strict=True
    ):
        nu = 2 * np.arctanh(np.clip(bend, -_bend(STEEPEST), _bend(STEEPEST)))
        rate = -np.log1p(-np.minimum(2 * middle * np.tanh(nu / 2), LARGEST_SHARE))
        straight = np.abs(nu) < 1e-6
        found[f"pulses_{way}"] = np.maximum(np.where(straight, 1 / middle, nu / np.where(straight, 1, rate)), 1.0)
        found[f"nonlinearity_{way}"] = nu
        found[f"first_step_{way}"] = middle * (1 + np.tanh(nu / 2))
    names = {"sigma_cycle_window": 4, "sigma_cycle": 5, **{name: len(LAWS) + n for n, name in enumerate(BETWEEN)}}
    return found | {name: np.sqrt(np.maximum(laws[..., place], 0)) for name, place in names.items()}


def _model(laws: Float[np.ndarray, " laws"]) -> Switching:
    """The model of such figures; pulses and reads have no size here."""
    found = {name: float(value) for name, value in _shape(laws).items()}
    up, down = (
        PulseBranch(pulses=found[f"pulses_{way}"], nonlinearity=found[f"nonlinearity_{way}"], volt=1.0, seconds=1.0)
        for way in WAYS
    )
    sigmas = {name: value for name, value in found.items() if name.startswith("sigma")}
    return Switching(name="fit", source="fit", up=up, down=down, **sigmas, volt_read=1.0, seconds_read=1.0)


def _likely(data: np.ndarray, drawn: np.ndarray, used: np.ndarray, off: np.ndarray) -> Float[np.ndarray, "sets laws"]:
    """Figures that the true ones may be: as far from what the trains say as what was drawn is from what it was drawn from."""
    split = len(LAWS)
    plain = data[:split] - (drawn[:, :split] - used[:split])
    variances = data[split:] * (used + off)[split:] / drawn[:, split:] - off[split:]
    return np.concatenate([plain, variances], axis=1)


def _concluded(
    raw: PulseMoments, laws: np.ndarray, likely: np.ndarray, *, low: float, wide: float, apart: bool
) -> SwitchingFit:
    """The figures with their intervals; an end beyond the steepest curve is none."""
    best, many = _shape(laws), _shape(likely)
    alone = raw.low.size < 2
    figures: dict[str, float | None] = {}
    intervals: dict[str, OpenInterval] = {}
    for name, value in best.items():
        unknown = (alone and name in BETWEEN) or (not apart and name == "sigma_cycle")
        low_end, high_end = (
            (float(np.quantile(many[name], level)) for level in (TAIL, 1 - TAIL)) if not unknown else (0, 0)
        )
        figures[name] = None if unknown else float(value)
        intervals[name] = (None, None) if unknown else (low_end, high_end)
    for way in WAYS:
        lowest, highest = intervals[f"nonlinearity_{way}"]
        steep, bent = (end is not None and abs(end) > 0.999 * STEEPEST for end in (highest, lowest))
        intervals[f"nonlinearity_{way}"] = (None if bent else lowest, None if steep else highest)
        if steep or bent:
            intervals[f"pulses_{way}"] = (intervals[f"pulses_{way}"][0], None)
    ends = [low + wide * float(laws[place]) for place in (7, 8)]
    return SwitchingFit(
        figures, intervals, ends[0], ends[1], sigma_read=wide * float(np.sqrt(laws[6])), apart=apart, raw=raw
    )
